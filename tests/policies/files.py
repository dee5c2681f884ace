"""The shipped policy for tests: its text, its lines, and copies of it with lines changed."""

import os
from collections.abc import Iterable

from hub.policies.decide import Policy
from hub.policies.rules import Rule, Rules, read
from hub.settings import ROOT

FULL = bool(os.environ.get("HUB_TEST_FULL"))
PATH = ROOT / "policy.csv"
TEXT = PATH.read_text(encoding="utf-8")
SHIPPED = read(PATH)
BY_ID = {rule.id: rule for rule in SHIPPED.rows}


def line_of(rule: Rule) -> str:
    """A rule as the file has it."""
    return ", ".join(["p", *rule.cells()])


def changed(rows: Iterable[Rule], base: Policy | None = None) -> Policy:
    """A policy of these lines. It shares casbin's answers with `base`: they depend on the lines alone, by id."""
    made = Policy(Rules(tuple(rows), "changed"))
    if base is not None:
        made.judge._answers, made.judge._enforcers = base.judge._answers, base.judge._enforcers
    return made


def without(line: Rule) -> list[Rule]:
    return [rule for rule in SHIPPED.rows if rule is not line]


def instead(line: Rule, other: Rule) -> list[Rule]:
    return [other if rule is line else rule for rule in SHIPPED.rows]
