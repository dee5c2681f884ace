"""What a security officer (审计管理员) sees: entries of the access log, each look an entry itself."""

from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from hub import cursors, keys
from hub.audit.committer import Draft
from hub.audit.entry import Act, bound_to
from hub.db import FAILED
from hub.errors import BadRequest, Forbidden, Unavailable
from hub.models.values import Moment
from hub.people import still_lives, still_living
from hub.policies.gate import Gate
from hub.policies.subject import Purpose


class LogFilters(BaseModel):
    """What to look for. `who` is an account or client id, `case` a case id or its reference in the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: str = Field("", max_length=64, description="账号或客户端编号 account or client id")
    unit: str = Field("", max_length=64, description="单位代码 unit code")
    case: str = Field("", max_length=40, description="个案编号或其在日志中的代号 case id, or its reference in the log")
    since: Moment | None = None
    until: Moment | None = None
    act: Act | None = None
    purpose: Purpose | None = None
    outcome: Literal["permit", "deny", "conflict"] | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str = Field("", max_length=500)


COLUMNS = (
    "l.w, l.n, l.at, l.act, l.purpose, l.outcome, l.status, l.actor::text, l.unit_id,"
    """ array_to_string(l.case_refs, '","') AS cases, l.body, c.id AS case_id, c.key_wrapped, c.key_id"""
)
"""What is shown as it is comes as text: there is nothing to make of it."""


OF_CASE = "(SELECT * FROM access_log WHERE case_refs && ARRAY[$1, $2]::uuid[] OFFSET 0) l"
"""A case's entries, found first and put in order after: else, for the order's sake, the whole log would be walked."""


async def entries(gate: Gate, filters: LogFilters) -> bytes:
    """Entries, newest first, for an auditor who logged in here with a second factor: no agency's system can vouch
    for one. The look is logged before the answer leaves."""
    if gate.subject.role != "auditor" or not gate.subject.session:
        raise Forbidden("仅审计管理员可查访问日志。", "Only security officers read the access log.")
    where, args = _where(gate, filters)
    living, session = still_living(gate.services, gate.subject, len(args) + 1)
    sql = (
        f"SELECT {COLUMNS} FROM {OF_CASE if filters.case else 'access_log l'}"
        " LEFT JOIN cases c ON cardinality(l.case_refs) = 1 AND c.ref = l.case_refs[1]"
        f" WHERE {where} AND {living} ORDER BY l.at DESC, l.w DESC, l.n DESC LIMIT {filters.limit}"
    )
    try:
        rows = await gate.services.database.audit.fetch(sql, *args, *session)
    except FAILED as lost:
        raise Unavailable from lost
    if not rows:
        await still_lives(gate.services, gate.subject)
    draft = gate.draft(Act.audit_read)
    draft.body |= {"query": _shape(filters), "count": len(rows)}
    if filters.case:
        _name(gate, draft, _uuid(filters.case), rows)
    await gate.services.committer.commit(draft)
    items = [_shown(gate, row) for row in rows]
    last = rows[-1] if len(rows) == filters.limit else None
    after = cursors.make(gate, "log", last["at"], last["w"], last["n"]) if last else None
    return b'{"items":[%b],"next":%b}' % (b",".join(items), orjson.dumps(after))


def _name(gate: Gate, draft: Draft, case: UUID, rows: list[Any]) -> None:
    """A look at what was done with one case is an access to that case, and found among its entries."""
    ref = gate.services.vault.pseudonym("case", case.bytes)
    draft.case_refs = [known for known in (ref, case) if any(str(known) in row["cases"] for row in rows)]
    alone = [str(known) for known in draft.case_refs]
    row = next((row for row in rows if row["case_id"] is not None and [row["cases"]] == alone), None)
    if row is not None:
        draft.seal_with = gate.services.vault.case_key(row["case_id"], row["key_wrapped"], row["key_id"]).log
    elif draft.case_refs:  # nothing about that case alone was shown: the body stays under the hub's key
        draft.body["cases"], draft.case_refs = [known.hex for known in draft.case_refs], []


def _shape(filters: LogFilters) -> str:
    names = [
        n
        for n in ("who", "unit", "case", "since", "until", "act", "purpose", "outcome", "cursor")
        if getattr(filters, n)
    ]
    return "log:" + "+".join(names)


def _where(gate: Gate, filters: LogFilters) -> tuple[str, list[Any]]:
    clauses: list[str] = ["TRUE"]
    args: list[Any] = []

    def add(clause: str, *values: Any) -> None:
        clauses.append(clause.format(*(f"${len(args) + 1 + i}" for i in range(len(values)))))
        args.extend(values)

    vault, directory = gate.services.vault, gate.services.directory
    if filters.case:  # the first arguments, as `OF_CASE` has it
        case = _uuid(filters.case)
        args += [case, vault.pseudonym("case", case.bytes)]
    if filters.who:
        add("l.actor = {0}", vault.pseudonym("actor", _actor(filters.who)))
    if filters.unit:
        unit = directory.codes.get(filters.unit)
        add("l.unit_id = {0}", unit.id if unit else UUID(int=0))
    if filters.since:
        add("l.at >= {0}", filters.since)
    if filters.until:
        add("l.at < {0}", filters.until)
    for name in ("act", "purpose", "outcome"):
        if value := getattr(filters, name):
            add(f"l.{name} = {{0}}", value)
    if filters.cursor:
        add("(l.at, l.w, l.n) < ({0}, {1}, {2})", *cursors.read(gate, "log", filters.cursor))
    return " AND ".join(clauses), args


def _actor(who: str) -> bytes:
    try:
        return UUID(who).bytes
    except ValueError:
        return who.encode()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadRequest("个案编号格式不正确。", "Not a case reference.") from None


def _shown(gate: Gate, row: Any) -> bytes:
    """Head from the columns, body opened; a body whose case key is gone stays closed and says so."""
    vault, unit = gate.services.vault, gate.services.directory.units.get(row["unit_id"])
    key = vault.log
    if row["case_id"] is not None:
        key = vault.log_key(row["case_id"], row["key_wrapped"], row["key_id"])
    try:
        body = key.open(row["body"], bound_to(row["w"], row["n"]))[32:]
    except keys.SealBroken:
        body = b"null"
    return b'{%b,"at":%b,"status":%d,"actor":"%b","unit":%b,"cases":[%b],"chain":"%b","n":%d,"body":%b}' % (
        _words(row["act"], row["purpose"], row["outcome"]),
        orjson.dumps(row["at"], option=orjson.OPT_UTC_Z),
        row["status"],
        row["actor"].encode(),
        _code(unit.code if unit else None),
        b'"%b"' % row["cases"].encode() if row["cases"] else b"",
        str(row["w"]).encode(),
        row["n"],
        body,
    )


@lru_cache(maxsize=10_000)
def _code(code: str | None) -> bytes:
    return orjson.dumps(code)


@lru_cache
def _words(act: str, purpose: str, outcome: str) -> bytes:
    return orjson.dumps({"act": act, "purpose": purpose, "outcome": outcome})[1:-1]
