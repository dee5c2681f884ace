"""Some 300 invented cases with facts at random, and every class of caller, inside a transaction never committed."""

import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from hub import clock
from hub.db import Connection
from hub.models.case import moments_of, packed
from hub.models.fields import CATEGORIES
from hub.models.sealed import CLEAR_COLUMNS, COMMON_COLUMN, FIRST, MASKED_COLUMNS
from hub.people import ACCOUNT, subject_of
from hub.policies import facts
from hub.policies.subject import REPORTER, REPORTER_ROLES, SYSTEM, Subject
from tests.policies.files import FULL
from tests.world import AWAY, HOME, World

CASES = 300
Rows = list[tuple[Any, int]]


def who(subject: Subject) -> facts.Who:
    """The kind of caller that SQL texts are made for."""
    return facts.written(subject.unit_type, subject.role)


async def facts_of(connection: Connection, subject: Subject, *, records: bool) -> Rows:
    """Each record, or each case, with the facts about this subject."""
    one, join = ("r", "JOIN record r ON r.case_id = c.id") if records else ("c", "")
    sql = f"SELECT {one}.id, {facts.mask(who(subject), records=records)} AS facts FROM cases c {join} ORDER BY 1"
    return [(row["id"], row["facts"]) for row in await connection.fetch(sql, *subject.parameters())]


def _case(chance: random.Random, units: list[Any], people: list[bytes]) -> dict[str, Any]:
    """One case; each array, flag and place drawn for itself."""
    handler, now = chance.choice(units), clock.now()

    def some(most: int) -> list[uuid.UUID]:
        return [u.id for u in chance.sample(units, chance.randint(0, most))]

    made = {
        "id": uuid.uuid4(),
        "ref": uuid.uuid4(),
        "number": uuid.uuid4().hex,
        "status": chance.choice(("open", "closed")),
        "stage": "handling",
        "risk_level": chance.choice(("unknown", "low", "high")),
        "region_code": chance.choice((HOME, HOME, AWAY, "370102")) + chance.choice(("000000", "001000", "001002")),
        "opened_at": now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=chance.randint(0, 90)),
        "touched": packed([clock.to_micros(now - timedelta(hours=chance.choice((1, 1, 72)))) for _ in CATEGORIES]),
        "handler_id": handler.id,
        "handler_path": handler.path,
        "handler_area": handler.area,
        "intake": chance.choice(([], *([u.id] for u in units if u.type in ("police", "joint_centre")))),
        "reporting_unit_id": chance.choice((None, chance.choice(units).id)),
        "relocated": chance.random() < 0.3,
        "sealed_by": chance.choice((None, None, None, chance.choice(units).id)),
        "involved": some(8),
        "referred": some(6),
        "named": some(6),
        "party_keys": chance.sample(people, chance.randint(0, 2)),
        "key_wrapped": b"-",
        "key_id": "-",
    }
    ended = made["status"] == "closed" or made["sealed_by"]  # which no open alert outlasts
    return made | {"alert_open": not ended and chance.random() < 0.5}


def _record(chance: random.Random, case: dict[str, Any], units: list[Any]) -> dict[str, Any]:
    unit = chance.choice([*case["involved"], *(u.id for u in units)])
    blank = {"id": uuid.uuid4(), "version": 1, "case_id": case["id"], "kind": "visit", "unit_id": unit}
    blank |= {name: name.encode() for name in (*CLEAR_COLUMNS, *MASKED_COLUMNS)}
    blank |= {"at": case["opened_at"], "made_at": case["opened_at"], "changed": [], "last_changed": FIRST}
    blank |= {COMMON_COLUMN: chance.choice((None, COMMON_COLUMN.encode()))}
    return blank | {"leaf_hash": b"-", "current": True, "lead": False}


def _links(case: dict[str, Any], codes: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of `case_unit` by the rule of `hub/cases.py`: involved, referred to, named, and above the handler.

    In the hub the units that handle, have duty and report are involved as well; here each is drawn for itself.
    """
    above = [codes[code].id for code in case["handler_path"].split("/")]
    units = {*case["involved"], *case["referred"], *case["named"], *above}
    units |= {*case["intake"], case["reporting_unit_id"]} - {None}
    row = {"opened_at": case["opened_at"], "case_id": case["id"]}
    areas = {unit.id: unit.area for unit in codes.values()}
    return [row | {"unit_id": u, "outside": not case["region_code"].startswith(areas[u])} for u in units]


def moments(case: Any) -> tuple[int, ...]:
    """The moments of all categories."""
    return moments_of((1,) * len(CATEGORIES))(case["touched"])


def _change(case: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """A row of the outbox: the last change of the case."""
    at = clock.from_micros(max(moments(case)))
    return {"record_id": record["id"], "version": 1, "case_id": case["id"], "categories": [], "at": at}


async def _insert(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    values = ", ".join(f"${i}" for i in range(1, len(names) + 1))
    sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"
    await connection.executemany(sql, [tuple(row.values()) for row in rows])


@asynccontextmanager
async def scattered(world: World, seed: int = 17) -> AsyncIterator[tuple[Connection, list[Subject]]]:
    """A connection that sees the cases, and the subjects to ask about them. Everything is undone after."""
    chance, connection = random.Random(seed), await world.services.database.dedicated()
    undone = connection.transaction()
    await undone.start()
    try:
        subjects = await _people(connection)
        people = [key for subject in subjects for key in subject.person_keys]
        units = list(world.services.directory.units.values())
        cases = [_case(chance, units, people) for _ in range(CASES)]
        records = [_record(chance, case, units) for case in cases for _ in range(2)]
        await _insert(connection, "cases", cases)
        await _insert(connection, "record", records)
        of = {case["id"]: case for case in cases}
        await _insert(connection, "change", [_change(of[record["case_id"]], record) for record in records])
        codes = world.services.directory.codes
        await _insert(connection, "case_unit", [row for case in cases for row in _links(case, codes)])
        yield connection, [*subjects, *_systems(subjects), *_reporters(records)]
    finally:
        await undone.rollback()
        await connection.close()


async def _people(connection: Connection) -> list[Subject]:
    """A person of each role in each unit of the county and above it; a supervisor sees as a caseworker does."""
    rows = await connection.fetch(
        ACCOUNT + " (u.code LIKE $1 OR u.code LIKE '50-%') AND a.login IS NULL ORDER BY u.code, a.role", f"{HOME}-%"
    )
    return [subject_of(row) for row in rows if FULL or row["role"] != "supervisor"]


def _systems(people: list[Subject]) -> list[Subject]:
    """Each unit's system for itself. The clients are named after their units."""
    units = {s.unit_id: s for s in people}
    return [
        Subject(s.unit_type, SYSTEM, s.unit_id, s.unit_code, s.area, s.path, client_id=s.unit_code, client_rev=1)
        for s in units.values()
    ]


def _reporters(records: list[dict[str, Any]]) -> list[Subject]:
    """Holders of receipts: alone, and with the second secret (their records are under the report's id)."""
    first = records[0]
    return [
        Subject(REPORTER, role, None if role == REPORTER_ROLES[0] else first["unit_id"], own_case=first["case_id"])
        for role in REPORTER_ROLES
    ]
