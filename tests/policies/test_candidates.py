"""A list walks candidates, not all cases: none that its caller may see is missing, each comes once, newest first.

For every agency's caller, purpose and filter, the statement of a list is compared on PostgreSQL with the decision
made about every case; the controls are candidate sources that forget superiors, forget the area, or repeat.
"""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from hub import clock, finding
from hub.db import Connection
from hub.finding import Filters
from hub.models.fields import INDEX
from hub.policies import facts
from hub.policies.decide import CLEAR, MASKED, Policy, Table
from hub.policies.gate import Gate
from hub.policies.query import Query, statement
from hub.policies.subject import REPORTER, Purpose, Subject
from tests.policies.files import SHIPPED
from tests.policies.scattered import moments, scattered, who
from tests.world import AWAY, HOME, World

ROUTINE = INDEX["routine"]
NONE, INSIDE, OUTSIDE = ("",), (HOME, HOME + "001", HOME + "001002"), (AWAY, "37", HOME[:4], HOME[:2])
HOURS = (None, 12, 48, 2000)
"""How long ago, for `updated_since`: within a day the outbox is walked; the cases were touched 1 or 72 hours ago."""
Ids = list[Any]
Source = tuple[str, str, str]


@pytest.fixture(scope="module")
async def ground(world: World) -> AsyncIterator[tuple[Connection, list[Subject]]]:
    async with scattered(world, seed=23) as (connection, subjects):
        yield connection, [subject for subject in subjects if subject.unit_type != REPORTER]


def gates(world: World, policy: Policy, subject: Subject) -> list[Gate]:
    """The subject with each purpose it may state, under a policy whose compiled texts are its own."""
    found = []
    for purpose in Purpose:
        table = policy.table(subject.unit_type, subject.role, purpose.value)
        if table.stateable:
            gate = Gate(world.services, subject, purpose)
            gate._table = table
            found.append(gate)
    return found


def filters(region: str, hours: int | None) -> Filters:
    since = clock.now() - timedelta(hours=hours) if hours else None
    return Filters(region=region or None, updated_since=since)


async def listed(connection: Connection, gate: Gate, asked: Filters, source: Source) -> Ids:
    """The cases that a list shows, in its order, with these candidates: composed as `finding.list_cases` does."""
    text, walked, key = source
    clauses, args, name = await finding._narrow(gate, asked, key)
    order = f"ORDER BY {key}.opened_at DESC, {key}.id DESC"
    query = Query(f"{name}:{walked}", " AND ".join(clauses), records=False, source=text, tail=order)
    rows = await connection.fetch(statement(gate.table, query), *gate.subject.parameters(), *args)
    return [row["case_id"] for row in rows]


def shown(table: Table, case: Any, asked: Filters) -> bool:
    """Does the decision show this case to whoever asks so? Filters need `routine` in clear."""
    outcomes = table.decide(case["facts"]).outcomes
    since = clock.to_micros(asked.updated_since) if asked.updated_since else 0
    touched = any(outcome and at >= since for outcome, at in zip(outcomes, moments(case), strict=True))
    strict = asked.region or asked.updated_since
    place = str(case["region_code"]).startswith(asked.region or "")
    return outcomes[ROUTINE] >= (CLEAR if strict else MASKED) and place and touched


async def expected(connection: Connection, subject: Subject) -> list[Any]:
    """Every case with the facts about this subject, newest first."""
    sql = f"SELECT c.*, {facts.mask(who(subject))} AS facts FROM cases c ORDER BY c.opened_at DESC, c.id DESC"
    return list(await connection.fetch(sql, *subject.parameters()))


def asked_by(gate: Gate) -> list[Filters]:
    """The unfiltered list; and, of callers who may read `routine` in clear, each region and time."""
    found = [filters("", None)]
    if gate.table.reachable_by_others[ROUTINE] == CLEAR:
        found += [filters(region, None) for region in (*INSIDE, *OUTSIDE, gate.subject.area)]
        found += [filters(region, hours) for region in (*NONE, HOME, AWAY) for hours in HOURS[1:]]
    return found


async def test_every_case_in_scope_is_a_candidate_once_and_in_order(
    world: World, ground: tuple[Connection, list[Subject]]
) -> None:
    connection, subjects = ground
    policy, walks, compared, found = Policy(SHIPPED), set(), 0, 0
    for subject in subjects:
        cases = await expected(connection, subject)
        for gate in gates(world, policy, subject):
            for asked in asked_by(gate):
                source = finding._candidates(gate, asked)
                ids = await listed(connection, gate, asked, source)
                assert ids == [c["id"] for c in cases if shown(gate.table, c, asked)], (subject, asked, source)
                walks.add(source[1].rstrip("0123456789"))
                compared, found = compared + 1, found + len(ids)
    assert walks == {"", "linked", "around", "changed"}, "each way to walk was taken"
    assert compared > 1000 and found > 10_000


LED = "l.unit_id = $1::uuid"
UNLED = (
    f"{LED} AND (SELECT (u.involved || u.referred || u.named) @> ARRAY[$1::uuid] FROM cases u WHERE u.id = l.case_id)"
)
WRONG: dict[str, Callable[[Source], Source]] = {
    "forgets superiors": lambda s: (s[0].replace(LED, UNLED), "unled", s[2]),
    "forgets the area": lambda s: (finding.LINKED, "placeless", "k"),
    "forgets what lies beyond": lambda s: (s[0].replace("l.outside", "FALSE"), "near", s[2]),
    "repeats": lambda s: (s[0].replace("l.outside AND NOT starts_with(n.region_code, $2)", "TRUE"), "repeated", s[2]),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_wrong_candidates_are_found(world: World, ground: tuple[Connection, list[Subject]], wrong: str) -> None:
    """Control: the unfiltered lists, with the right candidates and with the wrong ones."""
    connection, subjects = ground
    policy, asked, differ, right = Policy(SHIPPED), filters("", None), [], []
    for subject in subjects:
        cases = await expected(connection, subject)
        for gate in gates(world, policy, subject):
            source = finding._candidates(gate, asked)
            told = [c["id"] for c in cases if shown(gate.table, c, asked)]
            right.append(await listed(connection, gate, asked, source) == told)
            if await listed(connection, gate, asked, WRONG[wrong](source)) != told:
                differ.append((subject.unit_code, subject.role))
    assert all(right) and differ
