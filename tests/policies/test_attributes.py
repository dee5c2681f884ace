"""A20: every attribute of the subject and every value of facts, absent, None, empty, "true", 0, a list, huge:
0 permits beyond those of the right value, in decisions and on PostgreSQL.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from hub.db import Connection
from hub.models.catalogue import KINDS
from hub.models.fields import CATEGORIES
from hub.policies import facts
from hub.policies.decide import MASKED, NOTHING, Policy, Table
from hub.policies.subject import ROLES, Purpose, Subject
from tests.policies import plain
from tests.policies.files import FULL, SHIPPED
from tests.policies.scattered import facts_of, scattered
from tests.policies.test_enumeration import BITS
from tests.world import World

POLICY = Policy(SHIPPED)
WHO = [(u, r, p.value) for u in plain.UNIT_TYPES for r in ROLES for p in Purpose if POLICY.table(u, r, p).stateable]
NOT_FACTS: list[Any] = [
    None,
    "",
    "1",
    "true",
    "involved",
    True,
    False,
    1.0,
    0.0,
    1 + 0j,
    b"\x01",
    [],
    [1],
    (1,),
    {},
    {1},
]
NOT_FACTS += [float("nan"), float("inf"), -1, -(1 << 80), 1 << len(facts.NAMES), 10**400, object(), lambda: 1]
ODD: list[Any] = [None, "", " ", "true", "*", "-", "any", 0, 1, True, 1.5, b"police", (), [], ["police"], {"a": 1}]
ODD += ["x" * 1_000_000, 2**200, "police\0", "ｐolice", "' OR TRUE --"]
CHECKED = ("unit_type", "role", "unit_id", "area", "path", "account_id", "account_rev", "client_id", "client_rev")
CHECKED += ("person_keys", "own_case")


@pytest.mark.parametrize("odd", NOT_FACTS, ids=[f"{type(v).__name__}-{i}" for i, v in enumerate(NOT_FACTS)])
def test_odd_facts_open_nothing(odd: Any) -> None:
    """Also right after the same caller was decided on for 1, which equals True and 1.0, and without spoiling that."""
    for who in WHO:
        table, fresh = POLICY.table(*who), Table(POLICY.judge, who)
        right = table.decide(1).outcomes
        assert table.decide(odd).outcomes == fresh.decide(odd).outcomes == NOTHING, who
        assert table.decide(1).outcomes == fresh.decide(1).outcomes == right


def test_no_facts_open_nothing() -> None:
    assert all(POLICY.table(*who).decide(0).outcomes == NOTHING for who in WHO)


def spoilt(who: tuple[str, str, str]) -> Iterator[tuple[Any, ...]]:
    for i, word in enumerate(who):
        for odd in (*ODD, word.upper(), word + " ", word[:-1], word + "x"):
            yield (*who[:i], odd, *who[i + 1 :])


def permits(policy: Policy, who: tuple[Any, ...]) -> list[Any]:
    """What somebody described in these words gets; an error is no permit."""
    try:
        table = policy.table(*who)
    except TypeError:  # unhashable words
        return []
    opened = [bits for bits in BITS.values() if table.decide(bits).outcomes != NOTHING]
    scopes = [c for c in CATEGORIES if table.scope(c) != "FALSE" or table.scope(c, barring=False) != "FALSE"]
    fetched = [c for c in CATEGORIES if table.opening(c, MASKED)]
    asked = [c for c in table.reachable_by_others if c]
    return [*opened, *scopes, *fetched, *asked, *(["stateable"] if table.stateable else [])]


def test_unknown_callers_get_nothing() -> None:
    policy, tried = Policy(SHIPPED), 0
    for who in WHO[:: 1 if FULL else 15]:
        for other in spoilt(who):
            assert not permits(policy, other), other
            tried += 1
    assert tried > 1000


def test_a_known_caller_gets_something() -> None:
    """Control: the same look at callers as they are."""
    assert all(permits(POLICY, who) for who in WHO)


def test_odd_writers_write_nothing() -> None:
    for kind in (*KINDS, *ODD):
        for odd in (*ODD, "Police", plain.REPORTER):
            try:
                assert not POLICY.may_write(odd, kind)
            except TypeError:
                continue
    assert POLICY.may_write("police", "visit")


@pytest.fixture(scope="module")
async def ground(world: World) -> AsyncIterator[tuple[Connection, list[Subject]]]:
    async with scattered(world, seed=20) as found:
        yield found


async def opened(connection: Connection, subject: Subject) -> dict[tuple[Any, str], tuple[int, ...]] | None:
    """Outcomes by record and purpose; None where the words are refused before they are compared."""
    inner = connection.transaction()
    await inner.start()
    try:
        rows = await facts_of(connection, subject, records=True)
        tables = [POLICY.table(subject.unit_type, subject.role, p.value) for p in Purpose]
    except Exception:  # whatever the driver says of a value it cannot send
        return None
    finally:
        await inner.rollback()
    return {(row, t.who[2]): t.decide(bits).outcomes for row, bits in rows for t in tables if t.stateable}


async def extra(connection: Connection, subject: Subject, *names: str) -> tuple[int, list[tuple[str, Any]]]:
    """How many odd values were tried, and those that opened more than the right one."""
    right, tried, found = await opened(connection, subject), 0, []
    assert right is not None
    defaults = {f.name: f.default for f in fields(Subject) if f.default is not MISSING}
    for name in names:
        for odd in [*ODD, *([defaults[name]] if name in defaults else [])]:
            tried += 1
            seen = await opened(connection, replace(subject, **{name: odd})) or {}
            if any(b > a for key, row in seen.items() for a, b in zip(right.get(key, NOTHING), row, strict=True)):
                found.append((name, odd))
    return tried, found


ASKING = [
    ("police", "intake"),
    ("womens_federation", "caseworker"),
    ("court", "system"),
    ("reporter", "reporter_victim"),
]


@pytest.mark.parametrize(("unit_type", "role"), ASKING)
async def test_odd_attributes_open_nothing_more(
    ground: tuple[Connection, list[Subject]], unit_type: str, role: str
) -> None:
    connection, subjects = ground
    subject = next(s for s in subjects if (s.unit_type, s.role) == (unit_type, role))
    tried, found = await extra(connection, subject, *CHECKED)
    assert not found
    assert tried >= len(CHECKED) * len(ODD)


@pytest.mark.parametrize(("unit_type", "role"), ASKING[:3])
async def test_odd_attributes_revive_nobody(
    ground: tuple[Connection, list[Subject]], unit_type: str, role: str
) -> None:
    """A stale account or client stays so, whatever else is odd."""
    connection, subjects = ground
    subject = next(s for s in subjects if (s.unit_type, s.role) == (unit_type, role))
    stale = replace(subject, account_rev=99, client_rev=99)
    assert set((await opened(connection, stale) or {}).values()) == {NOTHING}
    assert not (await extra(connection, stale, *(name for name in CHECKED if not name.endswith("_rev"))))[1]


ONCE_TRUSTED = (
    "{unit_type} <> 'reporter' AND NOT ({account} IS NULL OR EXISTS (SELECT FROM account s WHERE s.id = {account}"
)
ONCE_TRUSTED += " AND s.rev = {account_rev})) AND ({client} IS NULL OR {client_rev} > 0)"


@pytest.mark.parametrize(
    ("fact", "wrong", "attribute"),
    [
        ("territorial", "starts_with(c.region_code, trim({area}, '-'))", "area"),
        ("party_conflict", "c.party_keys && {person_keys}", "person_keys"),
        ("suspended", ONCE_TRUSTED, "account_id"),
    ],
)
async def test_a_lax_fact_is_found(
    ground: tuple[Connection, list[Subject]], monkeypatch: pytest.MonkeyPatch, fact: str, wrong: str, attribute: str
) -> None:
    """Control: facts that an empty or absent value satisfies or silences."""
    connection, subjects = ground
    monkeypatch.setitem(facts.FACTS, fact, wrong)
    for subject in (s for s in subjects if s.account_id and s.unit_type in ("police", "joint_centre")):
        asked = replace(subject, account_rev=99) if fact == "suspended" else subject
        if (await extra(connection, asked, attribute))[1]:
            return
    pytest.fail(f"{fact} as {wrong} was not found")
