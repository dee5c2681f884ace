"""What a caller may see, worked out a second time: the rules read line by line, the facts in plain Python."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hub.models.directory import UnitInfo
from hub.models.fields import CATEGORIES
from hub.policies.rules import ANY, OUTCOMES, Rule
from tests.world import Caller

WITHHELD, MASKED, CLEAR = range(3)
NOTHING = {c.value: WITHHELD for c in CATEGORIES}


@dataclass(frozen=True, slots=True)
class Who:
    """A caller of the sweep: how it calls, and what is true about it."""

    name: str
    caller: Caller
    role: str
    purpose: str
    unit: UnitInfo | None = None
    unit_type: str = "reporter"
    account: str = ""
    own_case: UUID | None = None
    record: UUID | None = None
    keys: tuple[bytes, ...] = ()

    @property
    def author(self) -> UUID | None:
        """The id by which records count as this caller's own."""
        return self.unit.id if self.unit else self.record


def facts(who: Who, case: Any, author: UUID | None = None) -> set[str]:
    """The facts that hold about a caller and a case row; `author` is the unit of the record asked about."""
    me, unit = who.author, who.unit
    in_area = unit is not None and case["region_code"].startswith(unit.area)
    involved, referred, named = (me is not None and me in case[n] for n in ("involved", "referred", "named"))
    above = unit is not None and case["handler_path"].startswith(unit.path + "/")
    if unit is not None and unit.type == "joint_centre":
        above = in_area and len(unit.area) < len(case["handler_area"])
    urgent = case["risk_level"] == "high" or case["alert_open"]
    true = {
        "involved": involved,
        "authored": author is not None and author == me,
        "territorial": in_area and not involved,
        "referred_in": referred,
        "named_in_order": named,
        "superior": above,
        "intake_duty": who.role == "intake" and me in case["intake"],
        "emergency": urgent and (in_area or involved or referred or named),
        "own_report": case["id"] == who.own_case or (me is not None and case["reporting_unit_id"] == me),
        "relocated": case["relocated"],
        "sealed": case["sealed_by"] not in (None, me),
        "party_conflict": bool(set(who.keys) & {bytes(k) for k in case["party_keys"]}),
    }
    return {name for name, holds in true.items() if holds}


def outcomes(rules: Iterable[Rule], who: Who, true: set[str]) -> dict[str, int]:
    """The least over all layers, for each category."""
    mine = [
        r
        for r in rules
        if r.unit_type in (who.unit_type, ANY) and r.role in (who.role, ANY) and r.purpose in (who.purpose, ANY)
    ]
    hard = [r for r in mine if r.layer == "hard" and (r.fact == ANY or r.fact in true)]
    stated = any(r.layer == "purpose" and (r.fact == ANY or r.fact in true) for r in mine)
    if not stated or not hard or any(r.effect == "deny" for r in hard):
        return dict(NOTHING)
    directives = {r.fact for r in rules if r.layer == "directive"}
    found = {}
    for category in NOTHING:
        about = [r for r in mine if r.category == category]
        matrix = max((OUTCOMES.index(r.outcome) for r in about if r.layer == "matrix" and r.fact in true), default=0)
        ceiling = max((OUTCOMES.index(r.outcome) for r in about if r.layer == "ceiling"), default=0)
        told = {r.fact for r in about if r.layer == "directive"}
        found[category] = 0 if (directives & true) - told else min(matrix, ceiling)
    return found
