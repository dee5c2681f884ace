"""What is asked every day is found by an index: no table of cases, records or entries is gone through end to end.

The statements are those that the hub ran for real requests. They are planned once a connection, whatever their
parameters (`hub.db.PLANS`), so what is looked at here, among 5,000 invented cases, is the plan that runs.
"""

import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from hub import clock
from hub.db import Connection, Pool
from hub.embedded import Embedded
from hub.settings import Settings
from hub.together import for_many
from tests.forms import minimal
from tests.leaks.test_hidden_predicates import statements
from tests.leaks.twins import Twin, twin
from tests.world import HOME, World, call, pair

TABLES = ("cases", "record", "access_log", "case_unit", "party_key", "change")
NEWEST_FIRST = {"list of the province", "old pull of the province"}
"""What lies in an area wider than a county is met by going through all cases, newest first, until a page is full."""
LEADING = """
SELECT i.relname AS index, t.relname AS of, pg_get_indexdef(i.oid, 1, FALSE) AS first
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
"""

FILL = [
    """
INSERT INTO cases (id, ref, number, status, stage, risk_level, region_code, opened_at, touched, handler_id,
  handler_path, handler_area, alert_open, relocated, involved, key_wrapped, key_id)
SELECT gen_random_uuid(), gen_random_uuid(), 'invented-' || n, 'open', 'handling', 'unknown',
  (ARRAY['500113', '500112', '370102'])[1 + n % 3] || lpad((n % 30)::text, 3, '0') || '000', at,
  decode(repeat(encode(int8send((extract(epoch FROM at) * 1000000)::bigint), 'hex'), 17), 'hex'),
  u.id, u.path, u.area, FALSE, FALSE, ARRAY[u.id], '-', '-'
FROM generate_series(1, 5000) n, LATERAL (SELECT now() - n * interval '1 hour' AS at) t,
  (SELECT *, row_number() OVER (ORDER BY code) - 1 AS place, count(*) OVER () AS many FROM unit) u
WHERE u.place = n % u.many
""",
    "INSERT INTO case_unit SELECT u.id, c.opened_at, c.id, NOT starts_with(c.region_code, u.area) FROM cases c"
    " JOIN unit u ON starts_with(c.handler_path || '/', u.path || '/') ON CONFLICT DO NOTHING",
    "INSERT INTO record (id, version, case_id, kind, unit_id, at, made_at, current, lead, changed, last_changed,"
    " leaf_hash) SELECT gen_random_uuid(), 1, c.id, 'visit', c.handler_id, c.opened_at, c.opened_at, TRUE, i = 1,"
    " '{}', '-', '-' FROM cases c, generate_series(1, 3) i WHERE c.key_id = '-'",
    "INSERT INTO change (record_id, version, case_id, categories, at) SELECT id, version, case_id, '{}', at FROM record"
    " ON CONFLICT DO NOTHING",
    "INSERT INTO party_key (key, case_id, role, kind, record_id, person_id)"
    " SELECT decode(md5(c.id::text || i), 'hex'), c.id, 'victim', 'id', gen_random_uuid(), gen_random_uuid()"
    " FROM cases c, generate_series(1, 3) i ON CONFLICT DO NOTHING",
    "INSERT INTO access_log (w, n, at, act, purpose, outcome, status, actor, case_refs, leaf, body)"
    " SELECT gen_random_uuid(), n, now() - n * interval '1 minute', 'read', 'case_handling', 'permit', 200,"
    " md5((n % 200)::text)::uuid, ARRAY[gen_random_uuid()], '-', '-' FROM generate_series(1, 20000) n",
    "ANALYZE",
]
Asking = Callable[[], Awaitable[Any]]


@dataclass
class Ground:
    """A hub on a database with many cases, and what it ran for each kind of request before they were there."""

    hub: Twin
    ran: dict[str, list[str]]


async def _asked(world: World) -> AsyncIterator[tuple[str, Asking]]:
    """Every kind of request by its name, each about a case that is there."""
    callers = {
        "a unit": await world.agency("court"),
        "the area": await world.agency("police"),
        "the province": await world.agency("police", region="50", purpose="supervision"),
    }
    police, auditor = callers["the area"], await world.person("auditor")
    for _ in range(2):
        parties = pair()
        made = await police.filed("police_call", call(parties, region=HOME))
        await callers["a unit"].filed("coordination", minimal("coordination"), case=made["case_id"])
    url = f"/v1/cases/{made['case_id']}"
    number = (await police.get(url)).json()["number"]
    yield "submit", lambda: police.submit("police_call", call(parties, region=HOME))
    yield "submit under a number", lambda: police.submit("police_call", call(parties, region=HOME), case=number)
    yield "open case", lambda: police.get(url)
    yield "records", lambda: police.get(f"{url}/records")
    yield "history", lambda: police.get(f"{url}/history")
    yield "record", lambda: police.get(f"/v1/records/{made['id']}")
    for where, caller in callers.items():
        for name, asked in _lists():
            yield f"{name} of {where}", lambda c=caller, a=asked: c.get("/v1/cases", params=a)
        page = (await caller.get("/v1/cases?limit=1")).json()["next"]
        yield f"next page of {where}", lambda c=caller, p=page: c.get("/v1/cases", params={"limit": 1, "cursor": p})
    for name, region in (("street", f"{HOME}001"), ("community", f"{HOME}001002"), ("county", HOME)):
        yield f"list by {name}", lambda r=region: police.get("/v1/cases", params={"region": r})
    for name, wanted in _wanted(parties, number):
        yield f"search by {name}", lambda w=wanted: police.post("/v1/cases/search", json=w)
    days = {"since": clock.text(clock.now() - timedelta(days=60)), "until": clock.text(clock.now())}
    account = {"who": str(uuid.uuid4())} | days
    for name, asked in (
        ("actor", {"who": f"{HOME}-police"}),
        ("account, sixty days", account),
        ("case", {"case": made["case_id"]}),
    ):
        yield f"entries by {name}", lambda a=asked: auditor.get("/v1/audit/entries", params=a)


def _lists() -> Iterator[tuple[str, dict[str, str]]]:
    yield "list", {}
    for name, ago in (("old pull", timedelta(days=9)), ("recent pull", timedelta(hours=1))):
        yield name, {"updated_since": clock.text(clock.now() - ago)}


def _wanted(parties: dict[str, str], number: str) -> Iterator[tuple[str, dict[str, str]]]:
    yield "number", {"case_number": number}
    yield "id number", {"id_number": parties["victim_id_number"]}
    yield "phone", {"phone": parties["victim_phone"]}


@pytest.fixture(scope="module")
async def ground(embedded: Embedded, config: Settings) -> AsyncIterator[Ground]:
    async with twin(embedded, config, "plans", other=False) as hub:
        ran: dict[str, list[str]] = {}
        async for name, ask in _asked(hub.world):
            with statements(hub.world.services.database) as found:
                answer = await ask()
            assert answer.status_code in (200, 201), (name, answer.text)
            ran[name] = [sql for sql in found if any(table in sql for table in TABLES)]
        for sql in FILL:
            await hub.owner.execute(sql)
        yield Ground(hub, ran)


async def through(connection: Connection, sql: str) -> list[str]:
    """Where the plan of a statement goes through a whole table: by a sequential scan, or by an index of which the
    first column is not bound."""
    found = []
    first = {r["index"]: (r["of"], r["first"]) for r in await connection.fetch(LEADING)}
    for node in nodes(await plan(connection, sql)):
        kind, index = node["Node Type"], node.get("Index Name", "")
        table, column = first.get(index, (node.get("Relation Name"), ""))
        bound = index and re.search(rf"\b{column}\b", node.get("Index Cond", ""))
        if table in TABLES and kind.endswith("Scan") and kind != "Bitmap Heap Scan" and not bound:
            found.append(f"{kind} {table} {index}".strip())
    return found


async def plan(connection: Connection, sql: str) -> dict[str, Any]:
    """The generic plan: made without looking at parameters, so none are needed."""
    count = max((int(n) for n in re.findall(r"\$(\d+)", sql)), default=0)
    nothing = f"({', '.join(['NULL'] * count)})" if count else ""
    await connection.execute(f"PREPARE asked AS {sql}")
    try:
        (row,) = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE asked{nothing}")
    finally:
        await connection.execute("DEALLOCATE asked")
    found: dict[str, Any] = json.loads(row[0])[0]["Plan"]
    return found


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def pool_of(ground: Ground, sql: str) -> Pool:
    """The log is read under a role of its own."""
    database = ground.hub.world.services.database
    return database.audit if "FROM access_log" in sql else database.main


def as_it_goes(name: str, sql: str, together: bool) -> str:
    """What is read through the Gate or from the log goes with others of its kind; look-ups of the writer do not."""
    return for_many(sql)[0] if together and not name.startswith("submit") else sql


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
async def test_nothing_is_gone_through(ground: Ground, together: bool) -> None:
    whole = {}
    for name, texts in ground.ran.items():
        assert texts, f"{name} ran nothing on cases"
        for sql in (as_it_goes(name, text, together) for text in texts):
            async with pool_of(ground, sql).lease() as connection:
                if walked := await through(connection, sql):
                    whole[name] = walked
    assert whole.keys() == NEWEST_FIRST, whole
    assert all(walk.endswith("cases cases_opened") for walks in whole.values() for walk in walks)


async def test_what_lies_inside_is_not_walked_twice(ground: Ground) -> None:
    """A list of the area takes from the unit's links only those beyond it, by an index of their own."""
    for name in ("list of the area", "next page of the area", "old pull of the area"):
        async with ground.hub.world.services.database.main.lease() as connection:
            walked = [node for sql in ground.ran[name] for node in nodes(await plan(connection, sql))]
        assert {n["Index Name"] for n in walked if n.get("Relation Name") == "case_unit"} == {"case_unit_outside"}, name
        assert not any(n["Node Type"] == "Sort" for n in walked), name


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
async def test_a_review_of_one_follows_its_index(ground: Ground, together: bool) -> None:
    """The newest of one actor come in order: looking for two at once brought all of theirs and sorted them."""
    for name in ("entries by actor", "entries by account, sixty days"):
        (sql,) = [as_it_goes(name, text, together) for text in ground.ran[name] if "FROM access_log" in text]
        async with pool_of(ground, sql).lease() as connection:
            walked = [n for n in nodes(await plan(connection, sql)) if n["Node Type"] != "Function Scan"]
        assert {n.get("Index Name") for n in walked if n.get("Relation Name") == "access_log"} == {"access_log_actor"}
        assert not any(n["Node Type"] == "Sort" for n in walked), name


DROPPED = [
    ("open case", "DROP INDEX record_case", "record"),
    ("open case", "ALTER TABLE cases DROP CONSTRAINT cases_pkey CASCADE", "cases"),
    ("list of a unit", "ALTER TABLE case_unit DROP CONSTRAINT case_unit_pkey", "case_unit"),
    ("list of the area", "DROP INDEX cases_county", "cases"),
    ("list by street", "DROP INDEX cases_township", "cases"),
    ("recent pull of the area", "ALTER TABLE change DROP CONSTRAINT change_pkey", "change"),
    ("search by number", "ALTER TABLE cases DROP CONSTRAINT cases_number_key", "cases"),
    ("search by id number", "ALTER TABLE party_key DROP CONSTRAINT party_key_pkey", "party_key"),
    ("submit", "ALTER TABLE party_key DROP CONSTRAINT party_key_pkey", "party_key"),
    ("entries by actor", "DROP INDEX access_log_actor", "access_log"),
    ("entries by case", "DROP INDEX access_log_cases", "access_log"),
]


@pytest.mark.parametrize(("name", "drop", "table"), DROPPED, ids=[f"{n}: {d.split()[-1]}" for n, d, _ in DROPPED])
async def test_a_missing_index_is_found(ground: Ground, name: str, drop: str, table: str) -> None:
    """Control: the same look, the index gone in a transaction that is undone."""
    async with ground.hub.owner.main.lease() as connection:
        undone = connection.transaction()
        await undone.start()
        try:
            await connection.execute(drop)
            found = [w for sql in ground.ran[name] for w in await through(connection, sql)]
        finally:
            await undone.rollback()
    assert any(f" {table} " in f"{walk} " for walk in found), found


async def test_an_order_that_misleads_is_found(ground: Ground) -> None:
    """Control: a planner that may not sort takes one case's number from all cases, in order, and is caught."""
    sql = "SELECT c.id FROM cases c WHERE c.number = $1 ORDER BY c.opened_at DESC, c.id DESC LIMIT 50"
    async with ground.hub.owner.main.lease() as connection:
        assert await through(connection, sql) == []
        await connection.execute("SET enable_sort = off")
        assert await through(connection, sql) == ["Index Scan cases cases_opened"]
        await connection.execute("RESET enable_sort")
