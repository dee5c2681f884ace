"""Sealed columns: what a decision opens was fetched, and what no fact of a row opens never leaves the database.

The SELECT of the Gate on PostgreSQL, for every caller and purpose, over records whose columns hold their own names;
what facts open is read from `tests/policies/plain.py`.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from hub.db import Connection
from hub.models.sealed import COMMON_COLUMN, IN_COMMON, SEALED_COLUMNS
from hub.policies import facts, query
from hub.policies.decide import Policy, Table
from hub.policies.query import ALONE, Query, statement
from hub.policies.subject import Purpose, Subject
from tests.policies import plain
from tests.policies.files import SHIPPED
from tests.policies.scattered import facts_of, scattered
from tests.world import World


@pytest.fixture(scope="module")
async def ground(world: World) -> AsyncIterator[tuple[Connection, list[Subject]]]:
    async with scattered(world, seed=29) as found:
        yield found


def tables(policy: Policy, subject: Subject) -> Iterator[Table]:
    found = (policy.table(subject.unit_type, subject.role, purpose.value) for purpose in Purpose)
    return (table for table in found if table.stateable)


async def fetched(
    connection: Connection, subject: Subject, table: Table, *, listed: bool = False, alike: bool = False
) -> list[Any]:
    """The rows of all records, as the Gate gets them."""
    has = f"r.{COMMON_COLUMN} IS NOT NULL AS has_common"
    asked = Query(f"all {listed}", "TRUE", listed=listed, tail="ORDER BY r.id", extra=has, alike=alike)
    told = table.given if alike else ()
    return list(await connection.fetch(statement(table, asked), *subject.parameters(), *told))


def sealed(row: Any) -> set[str]:
    """The sealed columns that came filled; each holds its own name. What came as one came only so."""
    held = query.sealed(row)
    came = {name for name, value in held.items() if name in SEALED_COLUMNS and value is not None}
    assert all(held[name] == name.encode() for name in came)
    if COMMON_COLUMN in came:
        assert not came & IN_COMMON and row[ALONE] is None
        came = came - {COMMON_COLUMN} | IN_COMMON
    return came


def may_come(table: Table, bits: int) -> set[str]:
    """One form of each category that some fact of the row opens, as far as the purpose lets it."""
    true, purpose = facts.true_in(bits), table.who[2]
    opened = [plain.opened(*table.who, fact) for fact in true]
    best = [min(pair) for pair in zip(map(max, zip(*opened, strict=True)), plain.ceiling(purpose), strict=True)]
    return {f"{'.mc'[outcome]}_{c}" for c, outcome in zip(plain.CATEGORIES, best, strict=True) if outcome}


async def strange(connection: Connection, subjects: list[Subject], *, alike: bool) -> tuple[int, list[tuple[Any, ...]]]:
    """How many columns came, and rows with one too many or too few."""
    policy, came, found = Policy(SHIPPED), 0, []
    for subject in subjects:
        known = dict(await facts_of(connection, subject, records=True))
        for table in tables(policy, subject):
            for row in await fetched(connection, subject, table, alike=alike):
                bits, got = row["facts"], sealed(row)
                decision, most = table.decide(bits), may_come(table, bits) if bits else set()
                needed, together = decision.granted - {COMMON_COLUMN}, bool(row.get(COMMON_COLUMN))
                came += len(got)
                right = together == (decision.common and row["has_common"]) or not decision.visible
                if bits != known[row["id"]] or not needed <= got <= most or not right:
                    found.append((table.who, facts.true_in(bits), needed - got, got - most, together))
    return came, found


BOTH = pytest.mark.parametrize("alike", [False, True], ids=["a text a kind of caller", "one for all"])


@BOTH
async def test_what_is_opened_was_fetched_and_nothing_else(
    ground: tuple[Connection, list[Subject]], alike: bool
) -> None:
    came, found = await strange(*ground, alike=alike)
    assert not found, found[:5]
    assert came > 10_000


@BOTH
async def test_lists_never_fetch_refuge(ground: tuple[Connection, list[Subject]], alike: bool) -> None:
    connection, subjects = ground
    policy, opened = Policy(SHIPPED), 0
    for subject in subjects:
        for table in tables(policy, subject):
            whole = await fetched(connection, subject, table, alike=alike)
            rows = await fetched(connection, subject, table, listed=True, alike=alike)
            for row, all_of_it in zip(rows, whole, strict=True):
                assert sealed(row) == sealed(all_of_it) - {"c_refuge", "m_refuge"}
                assert set(table.decide(row["facts"]).listed) <= sealed(row)
                opened += "c_refuge" in sealed(all_of_it)
    assert opened > 0, "the control: opened singly, it is fetched"


@BOTH
@pytest.mark.parametrize("wrong", [-1, facts.BIT["suspended"]], ids=["whatever holds", "never"])
async def test_a_column_too_many_or_too_few_is_found(
    ground: tuple[Connection, list[Subject]], monkeypatch: pytest.MonkeyPatch, wrong: int, alike: bool
) -> None:
    """Control: columns fetched whatever the facts, and never."""
    connection, subjects = ground
    monkeypatch.setattr(Table, "opening", lambda own, category, outcome: wrong)
    assert (await strange(connection, subjects[:6], alike=alike))[1]
