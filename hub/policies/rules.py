"""Reading `policy.csv`: strict, so that a slip of the pen stops a start instead of opening something.

A line is `p, id, layer, unit_type, role, purpose, fact, category, outcome, effect`; `*` means any.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hub.models.catalogue import KINDS
from hub.models.fields import CATEGORIES
from hub.policies import facts
from hub.policies.subject import REPORTER, ROLES, Purpose

ANY = "*"
LAYERS = ("hard", "directive", "matrix", "purpose", "ceiling", "write")
OUTCOMES = ("withheld", "masked", "clear")
HARD_FACTS = ("party_conflict", "suspended", "sealed")
DIRECTIVES = ("relocated",)
"""Facts that withhold, whatever the policy says, all categories that no line allows."""
ADMINS = ("auditor", "policy_admin", "sysadmin")
MODEL = Path(__file__).with_name("model.conf")
_WORD = re.compile(r"[a-z][a-z0-9_.]*\Z")
_UNREAD = {
    "hard": ("category",),
    "purpose": ("category",),
    "ceiling": ("fact",),
    "write": ("role", "purpose", "fact"),
}
"""Columns that a layer does not look at: a word there would narrow nothing, so it is refused."""
_CATEGORY_NAMES = tuple(c.value for c in CATEGORIES)


class PolicyRefused(ValueError):
    """The file is not a policy; `problems` lists every reason with its line number."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Rule:
    """One line. For layer `write` the category column holds the kind."""

    id: str
    layer: str
    unit_type: str
    role: str
    purpose: str
    fact: str
    category: str
    outcome: str
    effect: str

    def cells(self) -> list[str]:
        """As casbin takes it: the columns after `p`."""
        return [
            self.id,
            self.layer,
            self.unit_type,
            self.role,
            self.purpose,
            self.fact,
            self.category,
            self.outcome,
            self.effect,
        ]

    def condition(self) -> tuple[str, ...]:
        return (self.layer, self.unit_type, self.role, self.purpose, self.fact, self.category)


@dataclass(frozen=True, slots=True)
class Rules:
    """A checked policy. `version` is the SHA-256 of model and policy, in every decision and entry."""

    rows: tuple[Rule, ...]
    version: str

    @property
    def agency_types(self) -> tuple[str, ...]:
        """Types of unit are data: those that the matrix has rows for."""
        return tuple(dict.fromkeys(r.unit_type for r in self.rows if r.layer == "matrix" and r.fact == "involved"))

    @property
    def unit_types(self) -> tuple[str, ...]:
        """The same, and last whoever reports: no unit is of this type."""
        return (*self.agency_types, REPORTER)


def read(path: Path) -> Rules:
    """Parse and check; raises `PolicyRefused` with every problem found."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyRefused(
            [f"{path.name} 不是 UTF-8，请另存为“CSV UTF-8” / is not UTF-8: save it as CSV UTF-8"]
        ) from None
    except OSError as error:
        raise PolicyRefused([f"{path.name} 打不开 / cannot be read: {error.strerror}"]) from None
    rows, problems = parse(text)
    if not problems:  # of an empty file each missing rule would be told, and nobody would see why
        problems = check(rows) if rows else [f"{path.name} 没有规则 / has no rules"]
    if problems:
        raise PolicyRefused(problems)
    digest = hashlib.sha256(MODEL.read_bytes() + b"\x00" + raw).hexdigest()
    return Rules(tuple(rows), digest)


def parse(text: str) -> tuple[list[Rule], list[str]]:
    """Lines to rules; a line that is neither comment, blank nor a well-formed rule is a problem."""
    rows: list[Rule] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [cell.strip(" \t\r") for cell in line.split(",")]
        if len(cells) != 10 or cells[0] != "p":
            problems.append(
                f"第{number}行应有10列并以p开头，用半角逗号分隔、不加引号 / line {number}: 10 columns beginning with p,"
                " parted by ASCII commas, without quotes"
            )
            continue
        rule = Rule(*cells[1:])
        problems += [f"第{number}行 / line {number}: {problem}" for problem in _words(rule)]
        rows.append(rule)
    return rows, problems


def _words(rule: Rule) -> Iterable[str]:
    """Every cell is a known word; `*` only where any is meant."""
    if not _WORD.match(rule.id):
        zh = "标识不合规：须以小写字母开头，只含小写字母、数字、_ 和 ."
        yield f"{zh} / bad id {rule.id!r}: a lower-case letter, then lower-case letters, digits, _ and ."
    if rule.layer not in LAYERS:
        yield f"未知层 / unknown layer {rule.layer!r}"
        return
    known = {
        "role": (rule.role, (*ROLES, ANY)),
        "purpose": (rule.purpose, (*Purpose, ANY)),
        "fact": (rule.fact, (*facts.NAMES, ANY)),
        "category": (rule.category, tuple(KINDS) if rule.layer == "write" else (*_CATEGORY_NAMES, ANY)),
        "outcome": (rule.outcome, OUTCOMES if rule.layer in ("matrix", "ceiling") else (ANY,)),
        "effect": (rule.effect, ("allow", "deny")),
    }
    for column, (word, words) in known.items():
        if word not in words:
            yield f"{column} 列未知 / unknown {column} {word!r}"
    if rule.unit_type != ANY and not _WORD.match(rule.unit_type):
        yield f"unit_type 列不合规 / bad unit_type {rule.unit_type!r}"
    for column in _UNREAD.get(rule.layer, ()):
        if getattr(rule, column) != ANY:
            yield f"{rule.layer} 不看 {column} 列，须为 * / {rule.layer} does not read {column}: it must be *"
    if rule.layer in ("matrix", "directive") and ANY in (rule.fact, rule.category):
        yield f"{rule.layer} 须写明事实与类别 / {rule.layer} must name fact and category"
    if rule.layer in ("ceiling", "purpose") and rule.purpose == ANY:
        yield "须写明目的 / the purpose must be named"
    if rule.layer == "write" and rule.unit_type == ANY:
        yield "须写明单位类型 / the unit type must be named"
    if rule.layer == "hard" and rule.effect == "allow" and rule.role == ANY:
        yield "硬性放行须写明角色 / a hard allow must name a role"


def check(rows: list[Rule]) -> list[str]:
    """What no single line shows: duplicates, contradictions, gaps, unit types nobody described."""
    problems = [f"重复标识 / duplicate id {i}" for i, n in Counter(r.id for r in rows).items() if n > 1]
    problems += [
        f"重复条件 / same condition twice: {', '.join(c)}"
        for c, n in Counter(r.condition() for r in rows).items()
        if n > 1
    ]
    return problems + list(_missing(rows))


def _missing(rows: list[Rule]) -> Iterable[str]:
    hard = {r.fact for r in rows if r.layer == "hard" and r.effect == "deny" and _only(r, "fact")}
    for fact in HARD_FACTS:
        if fact not in hard:
            yield f"缺少硬性禁止 / missing hard deny for {fact}"
    admins = {r.role for r in rows if r.layer == "hard" and r.effect == "deny" and _only(r, "role")}
    for role in ADMINS:
        if role not in admins:
            yield f"缺少管理员禁止 / missing hard deny for role {role}"
    have = {r.condition() for r in rows}
    types = {r.unit_type for r in rows if r.layer == "matrix" and r.fact == "involved"}
    if not types or ANY in types:
        yield "involved 须逐类单位列出 / involved must be listed by unit type"
    for unit_type in sorted(types):
        for category in _CATEGORY_NAMES:
            if ("matrix", unit_type, ANY, ANY, "involved", category) not in have:
                yield f"缺少矩阵格 / missing cell involved x {unit_type} x {category}"
    for purpose in Purpose:
        for category in _CATEGORY_NAMES:
            if ("ceiling", ANY, ANY, purpose, ANY, category) not in have:
                yield f"缺少目的上限 / missing ceiling {purpose} x {category}"
        if not any(r.layer == "purpose" and r.purpose == purpose for r in rows):
            yield f"无人可陈述目的 / nobody may state {purpose}"
    directed = {(r.fact, r.category) for r in rows if r.layer == "directive"}
    for fact in sorted({f for f, _ in directed} | set(DIRECTIVES)):
        for category in _CATEGORY_NAMES:
            if (fact, category) not in directed:
                yield f"缺少指令 / missing directive {fact} x {category}"
    for category in _CATEGORY_NAMES:
        if ("matrix", ANY, ANY, ANY, "authored", category) not in have:
            yield f"缺少自报格 / missing cell authored x {category}"
    for unit_type in sorted({r.unit_type for r in rows} - types - {ANY, REPORTER}):
        yield f"单位类型没有矩阵列 / unit type without a matrix column: {unit_type}"


def _only(rule: Rule, column: str) -> bool:
    """The rule names this column and nothing else."""
    named = [c for c in ("unit_type", "role", "purpose", "fact", "category") if getattr(rule, c) != ANY]
    return named == [column]
