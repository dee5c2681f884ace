"""The decision point (PDP): `decide`, `scope`, `explain`; the only importer of casbin.

`policy.csv` and `model.conf` are the source of truth and casbin answers every elementary question (layer,
unit type, role, purpose, fact, category, outcome). Answers are compiled into a table per (unit type, role,
purpose); a decision is then the least over all layers for the facts that hold, memoised by their integer.
A naive `enforce` per field costs 930 ms a record, the compiled table under a microsecond.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import casbin
import orjson

from hub.audit.entry import canonical
from hub.models.case import Moments, moments_of
from hub.models.fields import CATEGORIES, INDEX
from hub.models.sealed import COMMON, COMMON_COLUMN, IN_ORDER
from hub.policies import facts
from hub.policies.rules import ANY, DIRECTIVES, MODEL, OUTCOMES, Rule, Rules, read
from hub.policies.subject import PURPOSES, REPORTER, REPORTER_ROLES, ROLES

WITHHELD, MASKED, CLEAR = range(3)
N = len(CATEGORIES)
NOTHING = (WITHHELD,) * N
GIVEN = tuple((category, outcome) for category in CATEGORIES for outcome in (CLEAR, MASKED))
Key = tuple[str, str, str]


def refuse_impostor() -> None:
    """PyPI's `casbin` is a dead package that installs over `pycasbin`: refuse to start beside it."""
    if any(metadata.Distribution.discover(name="casbin")):
        raise RuntimeError("卸载 PyPI 包 casbin，只用 pycasbin / uninstall `casbin`; only pycasbin may be present")


@dataclass(frozen=True, slots=True)
class Decision:
    """What one set of facts opens. Made once per set and reused; everything in it is ready to send."""

    facts: tuple[str, ...]
    outcomes: tuple[int, ...]
    rules: tuple[str, ...]
    clear: tuple[str, ...]
    masked: tuple[str, ...]
    withheld: tuple[str, ...]
    columns: tuple[str, ...]
    listed: tuple[str, ...]
    common: bool
    granted: frozenset[str]
    tail: bytes
    told: orjson.Fragment
    size: int
    authored: bool
    visible: bool
    routine: int
    moments: Moments

    def outcome(self, category: str) -> int:
        return self.outcomes[INDEX[category]]


def _decision(names: tuple[str, ...], outcomes: tuple[int, ...], rules: Iterable[str]) -> Decision:
    """Masked `routine` is the case's status in words: of records it opens nothing. Lists never show `refuge`. `told` is
    what a log entry says of it, `size` how many bytes that takes."""
    by = [tuple(c.value for c, o in zip(CATEGORIES, outcomes, strict=True) if o == w) for w in range(3)]
    columns = tuple(
        f"{'c' if outcome == CLEAR else 'm'}_{category}"
        for category, outcome in ((category, outcomes[INDEX[category]]) for category in IN_ORDER)
        if outcome and (category, outcome) != ("routine", MASKED)
    )
    listed = tuple(column for column in columns if not column.endswith("_refuge"))
    common = all(outcomes[INDEX[category]] == CLEAR for category in COMMON)
    granted = frozenset((*columns, COMMON_COLUMN) if common else columns)
    tail = b'"masked":%b,"withheld":%b' % (orjson.dumps(by[MASKED]), orjson.dumps(by[WITHHELD]))
    rules = tuple(rules)
    told = canonical({"clear": by[CLEAR], "masked": by[MASKED], "facts": names, "rules": rules})
    entered = (orjson.Fragment(told), len(told))
    opened = (by[CLEAR], by[MASKED], by[WITHHELD])
    asked: tuple[Any, ...] = ("authored" in names, any(outcomes), outcomes[INDEX["routine"]], moments_of(outcomes))
    return Decision(names, outcomes, rules, *opened, columns, listed, common, granted, tail, *entered, *asked)


class Judge:
    """Casbin over small slices of the rules: one enforcer for the rules that can apply to a question."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._slices: dict[tuple[str, ...], tuple[Rule, ...]] = {}
        self._enforcers: dict[tuple[str, ...], casbin.Enforcer] = {}
        self._answers: dict[tuple[tuple[str, ...], str, str], bool] = {}
        self.alike: dict[tuple[str, str], str] = {}
        """Statements that serve every kind of caller."""

    def slice(self, layer: str, unit_type: str, role: str, purpose: str, fact: str) -> tuple[Rule, ...]:
        key = (layer, unit_type, role, purpose, fact)
        if key not in self._slices:
            self._slices[key] = tuple(
                r
                for r in self.rules.rows
                if r.layer == layer
                and r.unit_type in (unit_type, ANY)
                and r.role in (role, ANY)
                and r.purpose in (purpose, ANY)
                and r.fact in (fact, ANY)
            )
        return self._slices[key]

    def allows(
        self, layer: str, unit_type: str, role: str, purpose: str, fact: str, category: str, outcome: str
    ) -> bool:
        """Casbin's answer; no rule at all is a no, without asking."""
        rows = self.slice(layer, unit_type, role, purpose, fact)
        if not rows:
            return False
        key = tuple(r.id for r in rows)
        known = (key, category, outcome)
        if known not in self._answers:
            if key not in self._enforcers:
                self._enforcers[key] = enforcer(rows)
            self._answers[known] = self._enforcers[key].enforce(
                layer, unit_type, role, purpose, fact, category, outcome
            )
        return self._answers[known]

    def best(self, layer: str, who: Key, fact: str, category: str) -> int:
        """The most open outcome that the layer allows for one fact."""
        for outcome in (CLEAR, MASKED):
            if self.allows(layer, *who, fact, category, OUTCOMES[outcome]):
                return outcome
        return WITHHELD

    def rule_of(self, layer: str, who: Key, fact: str, category: str, outcome: str) -> str:
        """The id of the rule that decided, for explanations and the log."""
        for rule in self.slice(layer, *who, fact):
            if rule.category in (category, ANY) and rule.outcome in (outcome, ANY):
                return rule.id
        return ""


def enforcer(rows: Iterable[Rule]) -> casbin.Enforcer:
    """A casbin enforcer over these rules, its own logging off (it prints requests)."""
    made = casbin.Enforcer(str(MODEL), enable_log=False)
    made.add_policies([rule.cells() for rule in rows])
    return made


class Table:
    """The compiled policy for one (unit type, role, purpose)."""

    def __init__(self, judge: Judge, who: Key) -> None:
        self.judge, self.who = judge, who
        self._memo: dict[int, Decision] = {}
        self.statements: dict[tuple[str, str], str] = {}
        passes = self._exists() and judge.allows("hard", *who, "-", "-", "-")
        self.hard = 0 if passes else ~0
        for name in facts.NAMES:
            if judge.slice("hard", *who, name) and not judge.allows("hard", *who, name, "-", "-"):
                self.hard |= facts.BIT[name]
        self.matrix = {f: self._row("matrix", f) for f in facts.NAMES}
        self.directive = {
            f: tuple(CLEAR if judge.allows("directive", *who, f, c, "-") else WITHHELD for c in CATEGORIES)
            for f in facts.NAMES
            if f in DIRECTIVES or any(r.layer == "directive" and r.fact == f for r in judge.rules.rows)
        }
        self.ceiling = self._row("ceiling", "-")
        self.purpose_any = judge.allows("purpose", *who, "-", "-", "-")
        self.purpose_facts = tuple(f for f in facts.NAMES if judge.allows("purpose", *who, f, "-", "-"))

    def _exists(self) -> bool:
        """Known words only, and a reporter's roles only for reporters; whoever else asks passes nowhere."""
        unit_type, role, purpose = self.who
        known = unit_type in self.judge.rules.unit_types and role in ROLES and purpose in PURPOSES
        return known and (unit_type == REPORTER) == (role in REPORTER_ROLES)

    def _row(self, layer: str, fact: str) -> tuple[int, ...]:
        return tuple(self.judge.best(layer, self.who, fact, c) for c in CATEGORIES)

    @property
    def stateable(self) -> bool:
        """May this caller state this purpose at all?"""
        return self.hard >= 0 and (self.purpose_any or bool(self.purpose_facts))

    def decide(self, bits: int) -> Decision:
        """The decision for the facts that hold. Anything unknown is withheld."""
        if type(bits) is not int or bits < 0 or bits >> len(facts.NAMES):
            return _decision((), NOTHING, ())
        found = self._memo.get(bits)
        if found is None:
            names = facts.true_in(bits)
            outcomes = self._least(bits, names)
            found = self._memo[bits] = _decision(names, outcomes, self._rules(names, outcomes))
        return found

    def _least(self, bits: int, names: tuple[str, ...]) -> tuple[int, ...]:
        if self.hard < 0 or self.hard & bits or not (self.purpose_any or any(f in self.purpose_facts for f in names)):
            return NOTHING
        return tuple(
            min(
                max((self.matrix[f][i] for f in names), default=WITHHELD),
                min((self.directive[f][i] for f in names if f in self.directive), default=CLEAR),
                self.ceiling[i],
            )
            for i in range(N)
        )

    def _rules(self, names: tuple[str, ...], outcomes: tuple[int, ...]) -> list[str]:
        """The ids of the matrix rules that opened something."""
        return sorted(
            {
                self.judge.rule_of("matrix", self.who, f, CATEGORIES[i], OUTCOMES[self.matrix[f][i]])
                for i, outcome in enumerate(outcomes)
                if outcome
                for f in names
                if self.matrix[f][i] >= outcome
            }
        )

    @cached_property
    def reachable_by_others(self) -> tuple[int, ...]:
        """Per category the most that any facts but `authored` could open: what may be asked."""
        if not self.stateable:
            return NOTHING
        names = tuple(f for f in facts.NAMES if f != "authored")
        return tuple(min(max(self.matrix[f][i] for f in names), self.ceiling[i]) for i in range(N))

    @cached_property
    def local(self) -> bool:
        """Can place alone bring a case into scope? Else only cases that the unit has to do with are candidates."""
        near = (*facts.BY_PLACE, "superior") if self.who[0] == "joint_centre" else facts.BY_PLACE
        return any(any(self.matrix[f]) for f in near)

    def opening(self, category: str, outcome: int) -> int:
        """The facts, as bits, any of which gives the category this outcome or more, as far as the ceiling lets it."""
        i = INDEX[category]
        if not self.stateable or self.ceiling[i] < outcome:
            return 0
        return sum(facts.BIT[f] for f in facts.NAMES if self.matrix[f][i] >= outcome)

    @cached_property
    def given(self) -> tuple[str, str, str]:
        """What a text for every kind of caller is told of this one: unit type, role, and as an array the facts that
        open what, in the order of `GIVEN`, then those that close `COMMON`."""
        masks = [*(self.opening(*what) for what in GIVEN), self.closing(COMMON, CLEAR)]
        return *self.who[:2], f"{{{','.join(map(str, masks))}}}"

    def closing(self, categories: Iterable[str], least: int) -> int:
        """The facts, as bits, any of which a directive answers by less than this, for one of these categories."""
        places = [INDEX[category] for category in categories]
        return sum(facts.BIT[f] for f, row in self.directive.items() if any(row[i] < least for i in places))

    def scope(self, category: str, least: int = MASKED, *, barring: bool = True) -> str:
        """The decision about a case as a WHERE clause on `f.facts`: rows that show this category at least as `least`.

        Authorship is left aside, also where a record stands beside its case: what a unit wrote itself opens that
        record, not the case. Without `barring` also rows that a hard deny closes, which `Gate.read` then denies one
        by one, and logs.
        """
        needed = [self.opening(category, least)]
        if not needed[0]:
            return "FALSE"
        if not self.purpose_any:
            needed.append(sum(facts.BIT[f] for f in self.purpose_facts))
        closing = self.closing([category], least) | (self.hard if barring else 0)
        return condition((bits & ~facts.BIT["authored"] for bits in needed), closing)


def condition(needed: Iterable[int], closing: int) -> str:
    """Of each of these sets some fact holds, and none that closes."""
    clauses = [f"f.facts & {bits} <> 0" for bits in needed]
    return " AND ".join(clauses + ([f"f.facts & {closing} = 0"] if closing else []))


class Policy:
    """One loaded policy; it never changes."""

    def __init__(self, rules: Rules) -> None:
        refuse_impostor()
        self.rules, self.version = rules, rules.version
        self.judge = Judge(rules)
        self._tables: dict[Key, Table] = {}

    @classmethod
    def load(cls, path: Path) -> "Policy":
        """Read, check and self-test; raises `PolicyRefused`."""
        return cls(read(path))

    def table(self, unit_type: str, role: str, purpose: str) -> Table:
        who = (unit_type, role, purpose)
        if who not in self._tables:
            self._tables[who] = Table(self.judge, who)
        return self._tables[who]

    def may_write(self, unit_type: str, kind: str) -> bool:
        """May units of this type create and amend records of this kind?"""
        return self.judge.allows("write", unit_type, "-", "-", "-", kind, "-")
