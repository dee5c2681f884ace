"""Rows in scope are the rows whose decision gives the category: every caller x purpose x category x outcome,
on PostgreSQL, over cases with facts at random (NULLs among them), for records and for cases alone.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from hub.db import Connection
from hub.models.fields import CATEGORIES
from hub.policies import facts
from hub.policies.decide import CLEAR, MASKED, Policy, Table
from hub.policies.subject import Purpose, Subject
from tests.policies.files import BY_ID, FULL, SHIPPED, changed
from tests.policies.scattered import Rows, facts_of, scattered, who
from tests.world import World

AUTHORED = facts.BIT["authored"]
"""What a unit wrote itself opens that record to it, not the case: scope leaves it aside."""
ASKED = [(c.value, least) for c in CATEGORIES for least in (MASKED, CLEAR)]


@pytest.fixture(scope="module")
async def ground(world: World) -> AsyncIterator[tuple[Connection, list[Subject]]]:
    async with scattered(world) as found:
        yield found


async def in_scope(connection: Connection, subject: Subject, clauses: list[str], *, records: bool) -> list[set[Any]]:
    """The rows that each clause selects. FILTER selects as WHERE does: what is NULL is out."""
    one = "r.id" if records else "c.id"
    columns = ", ".join(f"array_agg({one}) FILTER (WHERE {clause}) AS s{i}" for i, clause in enumerate(clauses))
    source = "cases c JOIN record r ON r.case_id = c.id" if records else "cases c"
    known = facts.mask(who(subject), records=records)
    sql = f"SELECT {columns} FROM {source} CROSS JOIN LATERAL (SELECT {known} AS facts OFFSET 0) f"
    row = await connection.fetchrow(sql, *subject.parameters())
    return [set(row[f"s{i}"] or ()) for i in range(len(clauses))]


async def differences(
    connection: Connection, subject: Subject, table: Table, rows: Rows, *, records: bool
) -> list[tuple[Any, ...]]:
    """Categories whose scope selects other rows than decisions show."""
    texts = [table.scope(category, least) for category, least in ASKED]
    clauses = sorted(set(texts))
    selected = dict(zip(clauses, await in_scope(connection, subject, clauses, records=records), strict=True))
    return [
        (table.who, category, least)
        for (category, least), text in zip(ASKED, texts, strict=True)
        if selected[text] != {row for row, bits in rows if table.decide(bits & ~AUTHORED).outcome(category) >= least}
    ]


@pytest.mark.parametrize("records", [True, False], ids=["records", "cases"])
async def test_scope_is_the_decision(ground: tuple[Connection, list[Subject]], records: bool) -> None:
    connection, subjects = ground
    policy, seen, asked, shown = Policy(SHIPPED), 0, 0, 0
    for subject in subjects:
        rows = await facts_of(connection, subject, records=records)
        for table in tables(policy, subject):
            assert not await differences(connection, subject, table, rows, records=records)
            asked += len(ASKED)
            shown += sum(any(table.decide(bits).outcomes) for _, bits in rows)
        for _, bits in rows:
            seen |= bits
    absent = set() if records else {"authored"}
    assert set(facts.true_in(seen)) == set(facts.NAMES) - absent - {"suspended"}
    assert asked > 10_000 and shown > 10_000


def tables(policy: Policy, subject: Subject) -> Iterator[Table]:
    """The caller's purposes; one that it may not state selects nothing, and two of those are asked as well."""
    found = [policy.table(subject.unit_type, subject.role, purpose.value) for purpose in Purpose]
    barred = [table for table in found if not table.stateable]
    return iter([*(table for table in found if table.stateable), *barred[:2]])


async def test_a_suspended_caller_selects_nothing(ground: tuple[Connection, list[Subject]]) -> None:
    connection, subjects = ground
    policy = Policy(SHIPPED)
    await connection.execute("SAVEPOINT before")
    await connection.execute("UPDATE account SET rev = rev + 1")
    await connection.execute("UPDATE client SET disabled_at = now()")
    for subject in subjects[:: 1 if FULL else 5]:
        if subject.unit_type != "reporter":
            rows = await facts_of(connection, subject, records=True)
            assert all("suspended" in facts.true_in(bits) for _, bits in rows)
            for table in tables(policy, subject):
                assert not await differences(connection, subject, table, rows, records=True)
    await connection.execute("ROLLBACK TO SAVEPOINT before")


class Negligent(Table):
    """A wrong scope: NOT over a fact that may be NULL, as it is easily written."""

    def scope(self, category: str, least: int = MASKED, *, barring: bool = True) -> str:
        denied = [facts.raw(name, facts.written(*self.who)) for name in facts.NAMES if self.hard & facts.BIT[name]]
        return super().scope(category, least, barring=False) + "".join(f" AND NOT ({fact})" for fact in denied)


class Forgetful(Table):
    """Another: hard denies left out."""

    def scope(self, category: str, least: int = MASKED, *, barring: bool = True) -> str:
        return super().scope(category, least, barring=False)


@pytest.mark.parametrize("wrong", [Negligent, Forgetful])
async def test_a_wrong_scope_is_found(ground: tuple[Connection, list[Subject]], wrong: type[Table]) -> None:
    """Control: with a hard deny on a fact that is NULL in most rows, only the right scope agrees."""
    connection, subjects = ground
    bar = replace(BY_ID["hard.sealed"], id="hard.own_report", fact="own_report")
    judge, right, found = changed([*SHIPPED.rows, bar]).judge, [], []
    for subject in subjects[::3]:
        asking = (subject.unit_type, subject.role, "sync" if subject.role == "system" else "case_handling")
        rows = await facts_of(connection, subject, records=False)
        right += await differences(connection, subject, Table(judge, asking), rows, records=False)
        found += await differences(connection, subject, wrong(judge, asking), rows, records=False)
    assert found and not right
