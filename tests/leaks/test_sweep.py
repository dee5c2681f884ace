"""A11: a canary in every field of every kind, asked for on every route by every kind of caller.

Whatever an answer shows must be allowed by a second reading of the policy and stand in the caller's log entry.
A10: every route and every background job is tied to this sweep or says why it touches no case data.
"""

import ast
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub import casework
from hub.models.fields import CATEGORIES
from hub.models.sealed import SEALED_COLUMNS
from hub.policies import query
from hub.policies.decide import CLEAR as OPEN
from hub.policies.decide import Decision, Table, _decision
from hub.policies.gate import Gate
from tests.leaks import callers, seed
from tests.leaks.inventory import JOBS, NO_CASE_DATA, untied
from tests.leaks.oracle import CLEAR, Who
from tests.leaks.province import settle
from tests.leaks.sweep import Sweep
from tests.world import World

FULL = bool(os.environ.get("HUB_TEST_FULL"))
HUB = Path(casework.__file__).parent


async def begin(world: World, seeded: seed.Seeded) -> Sweep:
    case = await world.services.database.fetchrow("SELECT * FROM cases WHERE id = $1::uuid", seeded.book.case_id)
    return Sweep(world, seeded, case)


@pytest.fixture(scope="module")
async def sweep(world: World) -> Sweep:
    await settle(world)
    return await begin(world, await seed.every_kind(world))


def urls(sweep: Sweep, who: Who, *, full: bool) -> list[tuple[str, str, bool, dict[str, object]]]:
    """Method, URL, is it a list, and what to send: the reading routes."""
    book, pair = sweep.seeded.book, sweep.seeded.pair
    case, number = f"/v1/cases/{book.case_id}", sweep.seeded.number
    secret = [r.id for r in book.records.values() if r.kind in ("mandatory_report", "shelter_stay", "report")]
    own = [r.id for r in book.records.values() if r.author == str(who.author)][:1]
    wanted = [
        {"case_number": number},
        {"id_number": pair["victim_id_number"]},
        {"phone": pair["respondent_phone"]},
        {"name": pair["victim_name"], "birth_date": pair["victim_birth_date"]},
    ]
    made = [("GET", "/v1/cases?limit=20", True, {}), ("GET", "/v1/cases?limit=5&kind=report&risk=high", True, {})]
    made += [("POST", "/v1/cases/search", True, {"json": w}) for w in (wanted if full else wanted[:2])]
    made += [("GET", case, False, {}), ("GET", f"{case}/records", True, {}), ("GET", f"{case}/history", False, {})]
    made += [("GET", f"{case}/records?kind={k}", True, {}) for k in ("mandatory_report", "report", "shelter_stay")]
    for record in book.records if full else [*secret, *own]:
        made.append(("GET", f"/v1/records/{record}", False, {}))
    made.append(("GET", f"{case}/records/{secret[-1]}", False, {}))
    for file, record in sweep.seeded.files.items():
        made += [("GET", f"/v1/records/{record}/attachments", False, {}), ("GET", f"/v1/attachments/{file}", False, {})]
    return made


async def ask_all(sweep: Sweep, who: Who, *, full: bool = FULL) -> list[str]:
    problems: list[str] = []
    for method, url, listed, rest in urls(sweep, who, full=full):
        problems += await sweep.ask(who, method, url, listed=listed, **rest)
    return problems


async def test_no_unit_sees_more_than_its_decision(sweep: Sweep) -> None:
    problems: list[str] = []
    async for who in callers.units(sweep.world, full=FULL):
        problems += await ask_all(sweep, who)
    assert problems == []
    seen = {category for _, category, form in sweep.shown if form == CLEAR}
    assert seen == {c.value for c in CATEGORIES}, "every category was seen by somebody, so the sweep looks at something"


async def test_administrators_see_nothing(sweep: Sweep) -> None:
    before = set(sweep.shown)
    async for who in callers.people(sweep.world):
        assert await ask_all(sweep, who) == []
    auditor = await sweep.world.person("auditor")
    entries = await auditor.get("/v1/audit/entries", params={"case": sweep.seeded.book.case_id, "limit": 200})
    answers = [entries]
    for item in entries.json()["items"]:
        url = f"/v1/audit/entries/{item['chain']}/{item['n']}"
        answers.append(await auditor.post(url, json={"reason": "抽查"}))
    assert {answer.status_code for answer in answers} == {200} and len(answers) > 50
    assert not [t for t in sweep.seeded.book.tokens for answer in answers if t in answer.text]
    assert sweep.shown == before


async def test_reporters_see_what_they_submitted(sweep: Sweep) -> None:
    for n, roles in enumerate((("reporter_receipt", "reporter_victim"), ("reporter_receipt", "reporter_other"))):
        for role in roles:
            who = callers.reporter(sweep.world, sweep.seeded, n, role)
            url = f"/v1/reports/{sweep.seeded.receipts[n][0]}"
            assert await sweep.ask(who, "GET", url) == []


async def test_intake_sees_a_fresh_report_until_it_is_handed_over(sweep: Sweep) -> None:
    fresh = await begin(sweep.world, await seed.reported(sweep.world, by_victim=False))
    for role in ("intake", "caseworker"):
        for purpose in ("intake", "emergency_response", "case_handling"):
            who = await callers.agency(sweep.world, "involved", "police", role, purpose)
            assert await ask_all(fresh, who) == []
    assert "reporter" in {category for _, category, _ in fresh.shown}


async def test_answers_to_writes_carry_no_canary(sweep: Sweep) -> None:
    """Submitting, amending and attaching answer with identifiers; refusals repeat nothing."""
    who = await callers.agency(sweep.world, "involved", "court", "caseworker", "case_handling")
    for record in sweep.seeded.book.records.values():
        for url, method, rest in (
            (f"/v1/records/{record.id}", "PATCH", {"json": {"facts": 1}, "headers": {"If-Match": '"x"'}}),
            (f"/v1/records/{record.id}/attachments", "POST", {"content": b"%PDF-1.4 "}),
            (f"/v1/records/{record.kind}", "POST", {"json": record.values, "headers": {"Idempotency-Key": record.id}}),
        ):
            answer = await who.caller.send(method, url, **rest)
            assert not [t for t in sweep.seeded.book.tokens if t in answer.text], answer.text
            assert answer.status_code < 500


def _fetch_all(*_: object) -> list[str]:
    return [f"r.{column}" for column in SEALED_COLUMNS]


@contextmanager
def planted(sweep: Sweep, bug: str, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A gate that forgets what to log, a mask that shows, or a decision that opens all of a case one may see."""
    draft, decide, policy = Gate._draft, Table.decide, sweep.world.services.policy

    def forgetful(gate: Gate, *rest: object) -> object:
        made = draft(gate, *rest)  # type: ignore[arg-type]
        made.body["what"] = made.body["rows"] = []
        return made

    def lavish(table: Table, bits: int) -> Decision:
        made = decide(table, bits)
        opened = (OPEN if outcome or bug == "everything clear" else outcome for outcome in made.outcomes)
        return _decision(made.facts, tuple(opened), made.rules) if made.visible else made

    with patch.context() as patched:
        if bug == "unlogged":
            patched.setattr(Gate, "_draft", forgetful)
        else:
            patched.setattr(Table, "decide", lavish)
            patched.setattr(query, "_fetched", _fetch_all)
        patched.setattr(policy.judge, "alike", {})
        kept, policy._tables = policy._tables, {}
        yield
    policy._tables = kept


@pytest.mark.parametrize("bug", ["unlogged", "clear for masked", "everything clear"])
async def test_the_sweep_can_fail(sweep: Sweep, bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a lost entry, a mask that shows, and a decision that opens everything are each noticed, by the answers
    of a hub that has the bug."""
    who = await callers.agency(sweep.world, "involved", "civil_affairs", "caseworker", "shelter_relief")
    assert await ask_all(sweep, who) == []
    with planted(sweep, bug, monkeypatch):
        problems = await ask_all(sweep, who)
    wanted = {"unlogged": "not logged", "clear for masked": "(medical)", "everything clear": "(reporter)"}
    assert [p for p in problems if wanted[bug] in p] and not [p for p in problems if p.endswith("failed")]
    assert await ask_all(sweep, who) == []


async def test_every_route_is_tied(sweep: Sweep) -> None:
    """A10, routes: each operation of the OpenAPI document is swept, or says why it needs not be."""
    assert untied(sweep.world.app.openapi()["paths"]) == []


def test_an_unlisted_route_fails() -> None:
    """Control."""
    assert untied({"/v1/everything": {"get": {}}}) == ["GET /v1/everything"]
    assert all(len(reason) > 20 for reason in NO_CASE_DATA.values())


def test_every_job_is_tied() -> None:
    """A10, jobs: whatever runs without being asked is listed with what it touches."""
    assert jobs() == set(JOBS)


def test_an_unlisted_job_fails(tmp_path: Path) -> None:
    """Control: a task and an endless loop that somebody adds."""
    loop = "async def watch():\n    while True:\n        pass\n"
    (tmp_path / "more.py").write_text(loop + "asyncio.create_task(watch())\n")
    assert jobs(tmp_path) == {"more: watch()", "more: watch for ever"} and not jobs(tmp_path) & set(JOBS)


def jobs(folder: Path = HUB) -> set[str]:
    """What is given to `create_task`, and every endless loop, across the sources."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("create_task"):
                found.add(f"{path.stem}: {ast.unparse(node.args[0])}")
            if isinstance(node, ast.AsyncFunctionDef):
                loops = [n for n in ast.walk(node) if isinstance(n, ast.While) and ast.unparse(n.test) == "True"]
                found |= {f"{path.stem}: {node.name} for ever"} if loops else set()
    return found
