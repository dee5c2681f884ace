"""A17: every unit type x role x purpose x {no fact, each fact, all pairs} x category agrees with the plain
reading; every line of policy.csv matters: without it, or turned over, something comes out otherwise.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations, islice

import pytest

from hub.models.catalogue import KINDS, fields_of
from hub.models.fields import CATEGORIES
from hub.policies import facts
from hub.policies.decide import CLEAR, WITHHELD, Policy, Table
from hub.policies.matrix import bits_of
from hub.policies.rules import ANY, Rule, check
from hub.policies.subject import ROLES, Purpose
from tests.policies import plain
from tests.policies.files import BY_ID, FULL, SHIPPED, changed, instead, without

HIS_OWN = ("authored", "own_report", "relocated")
"""What a reporter wrote himself of a place, once she has moved out: no two facts decide that."""
FACT_SETS = [(), *((f,) for f in facts.NAMES), *combinations(facts.NAMES, 2), HIS_OWN]
BITS = {names: bits_of(names) for names in FACT_SETS}
Who = tuple[str, str, str]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy(SHIPPED)


def letters(table: Table, names: tuple[str, ...]) -> str:
    return "".join(plain.LETTERS[o] for o in table.decide(BITS[names]).outcomes)


def callers() -> Iterator[Who]:
    return ((u, r, p.value) for u in plain.UNIT_TYPES for r in ROLES for p in Purpose)


def comparisons(policy: Policy, whos: Iterable[Who]) -> Iterator[tuple[Who, tuple[str, ...], str, str]]:
    """Callers and facts with both readings, ours and the plain one."""
    for who in whos:
        table = policy.table(*who)
        for names in FACT_SETS:
            yield who, names, letters(table, names), plain.outcomes(*who, names)


def test_words_agree(policy: Policy) -> None:
    assert tuple(c.value for c in CATEGORIES) == plain.CATEGORIES
    assert set(facts.NAMES) == set(plain.FACTS)
    assert set(ROLES) == set(plain.ROLES)
    assert policy.rules.unit_types == plain.UNIT_TYPES
    assert {p.value for p in Purpose} == set(plain.CEILINGS)


def test_enumeration(policy: Policy) -> None:
    compared, found = 0, []
    for who, names, ours, theirs in comparisons(policy, callers()):
        compared += len(ours)
        if ours != theirs:
            found.append((who, names, ours, theirs))
    assert not found, (len(found), found[:5])
    assert compared == 12 * 10 * 13 * 93 * 17


@pytest.mark.parametrize(
    ("line", "column", "word"),
    [
        ("matrix.involved.social_work.minor", "outcome", "clear"),
        ("ceiling.supervision.victim", "outcome", "masked"),
        ("matrix.territorial.police.victim", "fact", "superior"),
        ("purpose.medical_care.hospital", "unit_type", "school"),
        ("hard.sealed", "effect", "allow"),
        ("directive.relocated.whereabouts.police", "unit_type", "court"),
    ],
)
def test_a_slip_is_found(policy: Policy, line: str, column: str, word: str) -> None:
    """Control: one cell changed differs from the plain reading."""
    slip = replace(BY_ID[line], id="slip", **{column: word})
    slipped = changed(instead(BY_ID[line], slip), policy)
    assert any(ours != theirs for *_, ours, theirs in comparisons(slipped, callers_of(slip)))


def callers_of(line: Rule) -> Iterator[Who]:
    """Callers a line speaks of, those likely to notice its absence first."""
    early = ("police", "civil_affairs", plain.REPORTER)
    for unit_type in sorted(plain.UNIT_TYPES, key=lambda u: u not in early):
        for role in sorted(ROLES, key=lambda r: r != "intake"):
            for purpose in Purpose:
                named = ((line.unit_type, unit_type), (line.role, role), (line.purpose, purpose))
                if plain.exists(unit_type, role) and all(cell in (word, ANY) for cell, word in named):
                    yield unit_type, role, purpose.value


def loss(line: Rule, base: Policy, left: Policy) -> str:
    """What goes with a line: a kind that was written, an outcome, a purpose that was stated; or the whole file."""
    if line.layer == "write":
        lost = base.may_write(line.unit_type, line.category) and not left.may_write(line.unit_type, line.category)
        return "written" if lost else ""
    sets = [names for names in FACT_SETS if line.fact in (ANY, *names)]
    stated = False
    for who in islice(callers_of(line), None if FULL or line.outcome != "withheld" else 5):
        before = base.table(*who)
        if not before.stateable and line.layer != "hard":
            continue
        after = left.table(*who)
        stated |= before.stateable != after.stateable
        if any(letters(before, names) != letters(after, names) for names in sets):
            return "outcome"
    return "stated" if stated else "file" if check(list(left.rules.rows)) else ""


def test_no_line_is_idle(policy: Policy) -> None:
    """Every line that opens or forbids shows when it is gone; what is written down as closed may not go."""
    lost = {line.id: loss(line, policy, changed(without(line), policy)) for line in SHIPPED.rows}
    assert not [i for i, what in lost.items() if not what]
    counts = Counter(lost.values())
    closed = {r.id for r in SHIPPED.rows if r.outcome == "withheld"}
    doubly = {f"hard.admin.{role}" for role in plain.ADMINISTRATORS} | {"purpose.audit.auditor"}
    assert {i for i, what in lost.items() if what == "file"} == closed | doubly
    assert {i for i, what in lost.items() if what == "stated"} == {f"purpose.statistics.{u}" for u in plain.AGENCIES}
    assert counts["written"] == sum(r.layer == "write" for r in SHIPPED.rows)
    assert counts["outcome"] + counts["written"] + counts["file"] + counts["stated"] == len(SHIPPED.rows)


def test_an_idle_line_is_found(policy: Policy) -> None:
    """Control: a line that another makes superfluous."""
    idle = replace(BY_ID["matrix.involved.police.facts"], id="idle", role="supervisor")
    with_idle = changed([*SHIPPED.rows, idle], policy)
    assert loss(idle, with_idle, policy) == ""


def test_every_closed_cell_opens_when_turned(policy: Policy) -> None:
    """The other way round: a line that closes, turned to clear, opens its cell; an administrator's, its door."""
    turned = 0
    for line in SHIPPED.rows:
        if line.outcome == "withheld":
            other = replace(line, id=line.id + ".turned", outcome="clear")
            judge, who = changed(instead(line, other), policy).judge, next(callers_of(line))
            fact = "-" if line.fact == ANY else line.fact
            assert policy.judge.best(line.layer, who, fact, line.category) == WITHHELD, line
            assert judge.best(line.layer, who, fact, line.category) == CLEAR, line
            turned += 1
    assert turned == sum(r.outcome == "withheld" for r in SHIPPED.rows) > 150
    for role in plain.ADMINISTRATORS:
        line = BY_ID[f"hard.admin.{role}"]
        other = replace(line, id=line.id + ".turned", effect="allow")
        who = ("police", role, "protection_order")
        assert letters(policy.table(*who), ("involved",)) == plain.NOTHING
        assert letters(changed(instead(line, other), policy).table(*who), ("involved",)) != plain.NOTHING
        assert letters(changed([*SHIPPED.rows, other], policy).table(*who), ("involved",)) == plain.NOTHING


def test_writes(policy: Policy) -> None:
    """Each public kind has owners and others may not write it; shelter places are written by civil affairs alone."""
    owners = {kind: {u for u in plain.UNIT_TYPES if policy.may_write(u, kind)} for kind in KINDS}
    for kind, model in KINDS.items():
        assert bool(owners[kind]) == model.public, kind
        assert plain.REPORTER not in owners[kind]
        categories = {info.category for info in fields_of(model)}
        if "refuge" in categories:
            assert owners[kind] == {"civil_affairs"}, kind
    assert sum(map(len, owners.values())) == sum(r.layer == "write" for r in SHIPPED.rows)
    assert len(owners) > 20
