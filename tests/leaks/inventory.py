"""A10: which routes the sweeps cover, and why each of the others shows no case data."""

from typing import Any

SWEPT = {
    "GET /v1/cases",
    "GET /v1/cases/{case_id}",
    "POST /v1/cases/search",
    "GET /v1/cases/{case_id}/records",
    "GET /v1/cases/{case_id}/records/{record_id}",
    "GET /v1/cases/{case_id}/history",
    "GET /v1/records/{record_id}",
    "PATCH /v1/records/{record_id}",
    "GET /v1/records/{record_id}/attachments",
    "POST /v1/records/{record_id}/attachments",
    "GET /v1/attachments/{attachment_id}",
    "GET /v1/reports/{code}",
    "POST /v1/reports/{code}/additions",
    "POST /v1/reports/{code}/photos",
    "GET /v1/audit/entries",
    "POST /v1/audit/entries/{chain}/{n}",
}
NO_CASE_DATA = {
    "POST /v1/reports": "takes a report and answers with a fresh receipt; reads nothing back",
    "POST /oauth/token": "answers with a token made from the client's registration",
    "GET /oauth/jwks": "shows the hub's public key, the same for everybody",
    "POST /v1/sessions": "answers with a session made from the account, no case",
    "DELETE /v1/sessions/current": "ends a session and answers with no body",
    "GET /": "a constant, the same for everybody",
    "GET /healthz": "a constant that touches neither database nor case",
    "GET /readyz": "says whether the log can be written, nothing else",
    "GET /v1/units": "codes and names of units, the same for everybody who is known",
    "GET /v1/regions": "codes and names of administrative divisions, likewise",
    "GET /v1/catalogue": "derived from the classes and the policy, the same for everybody",
}
JOBS = {
    "committer: self._run()": "writes log entries; what they hold was decided by the Gate that queued them",
    "committer: _run for ever": "the loop of the same",
    "committer: _insert for ever": "retries one insert of log rows until its time is up",
    "together: self._run(key, queue)": "hands rows, still sealed, to whoever asked: the Gate, oversight",
    "directory: follow for ever": "reads units and regions, which are public",
    "main: services.directory.follow()": "starts the same",
    "intake: self._spool()": "seals reports that the database did not take; opens nothing (canaries: test_at_rest)",
    "writer: self._run()": "writes queued records, sealed; looks up keyed hashes and wrapped case keys",
    "intake: self._drain_for_ever()": "files spooled reports, sealed on disk (canaries: test_at_rest)",
    "intake: _drain_for_ever for ever": "the loop of the same",
    "cli: work for ever": "`hub worker`: the same drain; deletes expired assertions and orphaned sealed chunks",
    "meta: services.database.fetchrow('SELECT 1')": "asks whether the database answers, and reads nothing of it",
    "main: let_in(services)": "asks whether the database is there, and as a start wants it: one case key, no field",
    "cli: watched(server)": "tells systemd that the process turns; reads nothing",
    "run: server.serve([listening])": "the demo's own server, on the same application",
}


def untied(paths: dict[str, Any]) -> list[str]:
    """Operations that nobody answers for; `POST /v1/records/<kind>` is swept for every kind."""
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    submissions = {o for o in operations if o.startswith("POST /v1/records/") and "{" not in o}
    return sorted(operations - submissions - SWEPT - set(NO_CASE_DATA))
