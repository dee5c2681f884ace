"""The whole policy, printed: every caller, purpose and set of facts with its outcomes; and one case explained."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hub.models.fields import CATEGORIES
from hub.policies import facts
from hub.policies.decide import CLEAR, WITHHELD, Policy, Table
from hub.policies.rules import OUTCOMES
from hub.policies.subject import ROLES, Purpose

COLUMNS = ("unit_type", "role", "purpose", "facts", "category", "outcome")
_WITH_INVOLVED = ("authored", "emergency", "relocated", "referred_in", "party_conflict", "sealed")
PAIRS = (*(("involved", other) for other in _WITH_INVOLVED), ("territorial", "emergency"))
FACT_SETS: tuple[tuple[str, ...], ...] = ((), *((name,) for name in facts.NAMES), *PAIRS)
_LETTERS = ".MC"


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
    judge, who = table.judge, table.who
    i = [c.value for c in CATEGORIES].index(category)
    for name in ("-", *names):
        denies = [r.id for r in judge.slice("hard", *who, name) if r.effect == "deny"]
        if denies:
            return "hard", denies[0]
    if table.hard < 0:
        return "hard", "hard.role"
    matrix = max((table.matrix[f][i] for f in names), default=WITHHELD)
    directive = min((table.directive[f][i] for f in names if f in table.directive), default=CLEAR)
    if not (table.purpose_any or set(names) & set(table.purpose_facts)):
        return "purpose", f"purpose.{who[2]}"
    if directive == outcome < min(matrix, table.ceiling[i]):
        return "directive", next(f"directive.{f}.{category}" for f in names if f in table.directive)
    if table.ceiling[i] == outcome < matrix:
        return "ceiling", judge.rule_of("ceiling", who, "-", category, OUTCOMES[outcome])
    best = next((f for f in names if table.matrix[f][i] == matrix), "-")
    return "matrix", judge.rule_of("matrix", who, best, category, OUTCOMES[matrix]) or "（无规则 no rule）"
