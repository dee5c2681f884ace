"""A19: adding a deny, removing allows, shuffling the lines: in any order, never more access than before."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.models.catalogue import KINDS
from hub.models.fields import CATEGORIES
from hub.policies import facts
from hub.policies.decide import Judge, Policy
from hub.policies.rules import ANY, LAYERS, OUTCOMES, Rule
from hub.policies.subject import ROLES, Purpose
from tests.policies import plain
from tests.policies.files import BY_ID, FULL, SHIPPED, changed
from tests.policies.test_enumeration import BITS, Who

BASE = Policy(SHIPPED)
Rows = list[Rule]


def any_or(*words: str) -> st.SearchStrategy[str]:
    return st.sampled_from((ANY, *words))


def denies() -> st.SearchStrategy[Rule]:
    """Any deny at all, also such as a file may not hold; its id says what it is, for answers are kept by id."""
    return st.builds(
        Rule,
        id=st.just("deny"),
        layer=st.sampled_from(LAYERS),
        unit_type=any_or(*plain.UNIT_TYPES),
        role=any_or(*ROLES),
        purpose=any_or(*(p.value for p in Purpose)),
        fact=any_or(*facts.NAMES),
        category=any_or(*(c.value for c in CATEGORIES), *KINDS),
        outcome=any_or(*OUTCOMES),
        effect=st.just("deny"),
    ).map(lambda rule: replace(rule, id=".".join(rule.cells())))


@st.composite
def histories(draw: st.DrawFn) -> list[Rows]:
    """The shipped lines, then up to four tightenings of them, one after the other."""
    found = [list(SHIPPED.rows)]
    for _ in range(draw(st.integers(1, 4))):
        rows, edit = list(found[-1]), draw(st.sampled_from(("deny", "deny", "remove", "remove", "shuffle")))
        if edit == "deny":
            rows.insert(draw(st.integers(0, len(rows))), draw(denies()))
        elif edit == "remove":
            allows = [r for r in rows if r.effect == "allow"]
            layer = draw(st.sampled_from(LAYERS))
            gone = set(draw(st.lists(st.sampled_from(allows), max_size=40)))
            gone |= {r for r in allows if r.layer == layer} if draw(st.booleans()) else set()
            rows = [r for r in rows if r not in gone]
        else:
            draw(st.randoms(use_true_random=False)).shuffle(rows)
        found.append(rows)
    return found


def callers() -> st.SearchStrategy[Who]:
    able = [(u, r, p.value) for u in plain.UNIT_TYPES for r in ROLES for p in Purpose]
    return st.sampled_from([who for who in able if BASE.table(*who).stateable])


def more(before: Policy, after: Policy, whos: list[Who]) -> Iterator[tuple[object, ...]]:
    """What `after` gives beyond `before`: outcomes, purposes, kinds to write, rows in scope."""
    for who in whos:
        old, new = before.table(*who), after.table(*who)
        if new.stateable and not old.stateable:
            yield who, "may be stated"
        for names, bits in BITS.items():
            pairs = zip(old.decide(bits).outcomes, new.decide(bits).outcomes, strict=True)
            yield from ((who, names, CATEGORIES[i]) for i, (a, b) in enumerate(pairs) if b > a)
        yield from ((who, c) for c in CATEGORIES if old.scope(c) == "FALSE" != new.scope(c))
        yield from ((who, k) for k in KINDS if after.may_write(who[0], k) and not before.may_write(who[0], k))


@settings(
    max_examples=1500 if FULL else 60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(histories(), st.lists(callers(), min_size=1, max_size=3))
def test_never_more(history: list[Rows], whos: list[Who]) -> None:
    policies = [BASE, *(changed(rows, BASE) for rows in history[1:])]
    for before, after in pairwise(policies):
        assert not list(more(before, after, whos))


def test_shuffling_changes_nothing() -> None:
    rows = list(SHIPPED.rows)
    random.Random(19).shuffle(rows)
    whos = [(u, r, p.value) for u in plain.UNIT_TYPES for r in ("intake", "reporter_victim") for p in Purpose]
    shuffled = changed(rows)
    assert not list(more(BASE, shuffled, whos)) and not list(more(shuffled, BASE, whos))


POLICE = ("police", "caseworker", "emergency_response")


@pytest.mark.parametrize("fewer", ["hard.sealed", "matrix.involved.police.facts", "write.police.visit"])
def test_more_is_found(fewer: str) -> None:
    """Control: the other direction, a deny taken away or an allow added."""
    rows = [r for r in SHIPPED.rows if r.id != fewer]
    poorer, richer = (BASE, changed(rows, BASE)) if BY_ID[fewer].effect == "deny" else (changed(rows, BASE), BASE)
    assert list(more(poorer, richer, [POLICE]))
    assert not list(more(richer, poorer, [POLICE]))


class FirstLine(Judge):
    """A wrong reading: the first line that fits decides."""

    def allows(
        self, layer: str, unit_type: str, role: str, purpose: str, fact: str, category: str, outcome: str
    ) -> bool:
        fits = (r for r in self.slice(layer, unit_type, role, purpose, fact) if r.category in (category, ANY))
        return next((r.effect == "allow" for r in fits if r.outcome in (outcome, ANY)), False)


def test_order_is_found() -> None:
    """Control: where the order of lines decides, shuffling gives more."""
    deny = replace(BY_ID["matrix.involved.police.facts"], id="deny", effect="deny")
    first, last = changed([deny, *SHIPPED.rows]), changed([*SHIPPED.rows, deny])
    assert not list(more(first, last, [POLICE]))
    first.judge, last.judge = FirstLine(first.rules), FirstLine(last.rules)
    first._tables.clear(), last._tables.clear()
    assert list(more(first, last, [POLICE]))
