"""The whole policy, printed: every caller, purpose and set of facts with its outcomes; and one case explained."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hub.models.fields import CATEGORIES, INDEX
from hub.policies import facts
from hub.policies.decide import WITHHELD, Policy, Table
from hub.policies.rules import ANY, OUTCOMES
from hub.policies.subject import ROLES, Purpose

COLUMNS = ("unit_type", "role", "purpose", "facts", "category", "outcome")
_WITH_INVOLVED = ("authored", "emergency", "relocated", "referred_in", "party_conflict", "sealed")
PAIRS = (*(("involved", other) for other in _WITH_INVOLVED), ("territorial", "emergency"))
FACT_SETS: tuple[tuple[str, ...], ...] = ((), *((name,) for name in facts.NAMES), *PAIRS)
_LETTERS = ".MC"
NO_RULE = "（无规则 no rule）"
"""Named where a layer withholds because no line allows."""


def bits_of(names: Iterable[str]) -> int:
    return sum(facts.BIT[name] for name in names)


def _tables(policy: Policy) -> Iterator[tuple[str, str, str, Table]]:
    for unit_type in policy.rules.unit_types:
        for role in ROLES:
            for purpose in Purpose:
                yield unit_type, role, purpose.value, policy.table(unit_type, role, purpose)


def rows(policy: Policy) -> Iterator[tuple[str, str, str, str, str, str]]:
    """`COLUMNS` for every unit type, role, purpose, fact set and category; facts joined by `+`."""
    for unit_type, role, purpose, table in _tables(policy):
        for names in FACT_SETS:
            outcomes = table.decide(bits_of(names)).outcomes
            for category, outcome in zip(CATEGORIES, outcomes, strict=True):
                yield unit_type, role, purpose, "+".join(names), category.value, OUTCOMES[outcome]


def compact(policy: Policy) -> Iterator[tuple[str, str, str, str, str]]:
    """The same without what is wholly withheld, one letter a category: the form that is reviewed."""
    for unit_type, role, purpose, table in _tables(policy):
        for names in FACT_SETS:
            letters = "".join(_LETTERS[o] for o in table.decide(bits_of(names)).outcomes)
            if letters.strip("."):
                yield unit_type, role, purpose, "+".join(names), letters


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a category has its outcome: the layer that limited it, and the rule that spoke there."""

    category: str
    title: str
    outcome: str
    layer: str
    rule: str


def explain(table: Table, bits: int) -> list[Reason]:
    """Outcome, deciding layer and rule for each category."""
    decision = table.decide(bits)
    found = []
    for category, outcome in zip(CATEGORIES, decision.outcomes, strict=True):
        layer, rule = _reason(table, decision.facts, category.value, outcome)
        found.append(Reason(category.value, category.zh, OUTCOMES[outcome], layer, rule))
    return found


def _reason(table: Table, names: tuple[str, ...], category: str, outcome: int) -> tuple[str, str]:
    judge, who, i = table.judge, table.who, INDEX[category]
    denied = next((d for name in ("-", *names) if (d := _deny(table, "hard", name, "-"))), "")
    if denied or table.hard < 0:
        return "hard", denied or NO_RULE
    if not (table.purpose_any or set(names) & set(table.purpose_facts)):
        return "purpose", next((d for name in ("-", *names) if (d := _deny(table, "purpose", name, "-"))), NO_RULE)
    matrix = max((table.matrix[f][i] for f in names), default=WITHHELD)
    open_else = min(matrix, table.ceiling[i])
    barring = next((f for f in names if f in table.directive and table.directive[f][i] < open_else), "")
    if barring:
        return "directive", _deny(table, "directive", barring, category) or NO_RULE
    if table.ceiling[i] == outcome < matrix:
        return "ceiling", judge.rule_of("ceiling", who, "-", category, OUTCOMES[outcome]) or NO_RULE
    spoke = (judge.rule_of("matrix", who, f, category, OUTCOMES[matrix]) for f in names if table.matrix[f][i] == matrix)
    return "matrix", next(filter(None, spoke), NO_RULE)


def _deny(table: Table, layer: str, fact: str, category: str) -> str:
    """The first line of a layer that forbids."""
    rules = table.judge.slice(layer, *table.who, fact)
    return next((r.id for r in rules if r.effect == "deny" and r.category in (category, ANY)), "")
