"""A22: a predicate on a category that the caller can never read is refused by its shape, before any SQL on cases."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hub.db import Connection, Database, Lease
from hub.demo.province import TYPES
from hub.policies.subject import SYSTEM
from tests.leaks import callers, oracle
from tests.leaks.callers import EVERY_FACT, PURPOSES
from tests.leaks.oracle import CLEAR, Who
from tests.world import World, call, pair, someone

ON_CASES = (" cases", " record", " party", "party_key", "attachment")
PERSON = someone()
PREDICATES: list[tuple[tuple[str, ...], str, dict[str, Any]]] = [
    (("routine",), "GET", {"params": {"region": "500113"}}),
    (("routine",), "GET", {"params": {"risk": "high"}}),
    (("routine",), "GET", {"params": {"kind": "police_call"}}),
    (("routine",), "GET", {"params": {"updated_since": "2020-01-01T00:00:00Z"}}),
    (("routine",), "POST", {"json": {"case_number": "500113-2026-AAAAAAAA"}}),
    (("victim",), "POST", {"json": {"id_number": PERSON["id_number"]}}),
    (("victim",), "POST", {"json": {"name": PERSON["name"], "birth_date": PERSON["birth_date"]}}),
    (("contact",), "POST", {"json": {"phone": PERSON["phone"]}}),
    (("contact", "victim"), "POST", {"json": {"name": PERSON["name"], "phone": PERSON["phone"]}}),
]
"""Categories that a predicate speaks of, and the request; there is no operator beside these."""


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Every statement that the pools run meanwhile."""
    found: list[str] = []
    heard: set[Connection] = set()
    enter = Lease.__aenter__

    def hear(logged: Any) -> None:
        found.append(logged.query)

    async def listened(lease: Lease) -> Connection:
        connection = await enter(lease)
        if lease._pool in (database.main, database.audit):
            connection.add_query_logger(hear)
            heard.add(connection)
        return connection

    Lease.__aenter__ = listened  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Lease.__aenter__ = enter  # type: ignore[method-assign]
        for connection in heard:
            connection.remove_query_logger(hear)


def on_cases(found: list[str]) -> list[str]:
    return [sql for sql in found if any(word in sql for word in ON_CASES)]


def readable(world: World, who: Who) -> dict[str, int]:
    """The most that the caller can read of a category in somebody else's records, whatever the case."""
    true = (EVERY_FACT - {"authored"}) | {"intake_duty", "emergency"}
    return oracle.outcomes(world.services.policy.rules.rows, who, true)


async def send(who: Who, method: str, rest: dict[str, Any]) -> Any:
    return await who.caller.send(method, "/v1/cases" + ("/search" if method == "POST" else ""), **rest)


async def probe(world: World, who: Who) -> tuple[int, int, list[str]]:
    """All predicates; returns how many were refused, how many allowed, and what was wrong."""
    open_to, refused, allowed, problems = readable(world, who), 0, 0, []
    for categories, method, rest in PREDICATES:
        with statements(world.services.database) as found:
            answer = await send(who, method, rest)
        hidden = [c for c in categories if open_to[c] < CLEAR]
        if not hidden:
            allowed += 1
            problems += [] if answer.status_code == 200 else [f"{who.name} {who.purpose} {rest}: {answer.status_code}"]
            continue
        refused += 1
        if answer.status_code != 403 or on_cases(found):
            problems.append(f"{who.name} {who.purpose} {hidden} {rest}: {answer.status_code} {on_cases(found)}")
    return refused, allowed, problems


async def everybody(world: World) -> AsyncIterator[Who]:
    for unit_type in TYPES:
        for purpose in PURPOSES:
            yield await callers.agency(world, "involved", unit_type, "caseworker", purpose)
        yield await callers.agency(world, "involved", unit_type, SYSTEM, "sync")
        yield await callers.agency(world, "involved", unit_type, "intake", "intake")
    async for who in callers.people(world):
        yield who


async def test_hidden_categories_cannot_be_asked_about(world: World) -> None:
    refused = allowed = 0
    async for who in everybody(world):
        no, yes, problems = await probe(world, who)
        assert problems == []
        refused, allowed = refused + no, allowed + yes
    assert refused > 1000 and allowed > 100


async def test_unknown_operators_do_nothing(world: World) -> None:
    """Sorting, grouping, counting, free filters: whatever is asked beside the known operators is refused by the
    request's shape, and nothing runs on cases."""
    police = await world.agency("police")
    await police.filed("police_call", call())
    with statements(world.services.database) as found:
        assert (await police.get("/v1/cases?limit=5")).status_code == 200
    assert on_cases(found), "the control: what is asked well does run"
    for extra in ("sort=victim_name", "order_by=whereabouts", "filter=reporter_name:like:张", "q=张", "count=true"):
        with statements(world.services.database) as found:
            answer = await police.get(f"/v1/cases?limit=5&{extra}")
        assert (answer.status_code, on_cases(found), "items" in answer.json()) == (422, [], False), extra
    for body in ({"reporter_name": "张"}, {"id_number": PERSON["id_number"], "whereabouts": "x"}, {"name": "张"}, {}):
        assert (await police.post("/v1/cases/search", json=body)).status_code == 422


async def test_cursors_cannot_be_bent(world: World) -> None:
    """A cursor opens for its caller and its list alone, altered it opens for nobody, and nothing runs on cases."""
    police, court = await world.agency("police"), await world.agency("court")
    for _ in range(2):
        await police.filed("police_call", call(pair()))
    cursor = (await police.get("/v1/cases?limit=1")).json()["next"]
    assert (await police.get("/v1/cases", params={"cursor": cursor})).status_code == 200
    raw = bytearray(base64.urlsafe_b64decode(cursor))
    bent = []
    for place in range(0, len(raw), 7):
        altered = bytes(b ^ (place == i) for i, b in enumerate(raw))
        bent.append((police, base64.urlsafe_b64encode(altered).decode()))
    plain = base64.urlsafe_b64encode(b'[0,"00000000000000000000000000000000"]').decode()
    colleague = await world.agency("police", person="supervisor")
    bent += [(court, cursor), (colleague, cursor), (police, plain), (police, "x"), (police, cursor[:-8])]
    auditor = await world.person("auditor")
    log = (await auditor.get("/v1/audit/entries?limit=1")).json()["next"]
    bent.append((police, log))
    for caller, value in bent:
        with statements(world.services.database) as found:
            answer = await caller.get("/v1/cases", params={"cursor": value})
        assert (answer.status_code, on_cases(found)) == (400, []), value
    again = (await police.get("/v1/cases?limit=1")).json()["next"]
    assert (again != cursor, len(again)) == (True, len(cursor)), "the same place, and nothing to compare by"


async def test_the_probe_can_fail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: when nothing is required of a predicate, hidden categories select rows and the probe tells."""
    who = await callers.agency(world, "involved", "school", "caseworker", "case_handling")
    assert (await probe(world, who))[2] == []

    async def lenient(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr("hub.policies.gate.Gate.require", lenient)
    assert (await probe(world, who))[2]
