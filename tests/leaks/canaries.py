"""Bodies with every field of a kind filled by values that occur nowhere else, and whose category is known."""

import itertools
import re
import secrets
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

import orjson

from hub.demo.province import demo_id_number, demo_phone
from hub.models.catalogue import KINDS, fields_of
from hub.models.sealed import plain
from tests.world import HOME

MARK = "".join(chr(0x4E00 + secrets.randbelow(0x4000)) for _ in range(4))
"""Four random ideographs that begin every text canary of this run."""
_serial = itertools.count(1)
FOUND = re.compile(f"{MARK}[0-9]{{6}}|990000[0-9]{{11}}[0-9X]|19999[0-9]{{6}}")
STAMPED: dict[str, Any] = {
    "region_code": HOME,
    "named": [],
    "referred": f"{HOME}-justice",
    "accepted": True,
    "relocated": False,
    "sealed": False,
    "closed": False,
    "risk_level": "high",
    "reporter_confirmed": True,
}
"""What fields that move the case itself are given, unless a test says otherwise."""


def text() -> str:
    return f"{MARK}{next(_serial):06d}"


def _string(prop: dict[str, Any], day: date) -> str:
    n = next(_serial)
    if prop.get("format") == "date-time":
        return f"{day}T01:02:03.{n:06d}Z"
    if prop.get("format") == "date":
        return str(day)
    if prop.get("x-pii") == "id_number":
        return demo_id_number(date(1930, 1, 1) + timedelta(days=n % 30_000), n, "female")
    return demo_phone(500_000 + n) if prop.get("x-pii") == "phone" else text()


def _resolved(prop: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """A property without null and references, its own vendor extensions kept."""
    inner = next((p for p in prop.get("anyOf", ()) if p.get("type") != "null"), prop)
    while "$ref" in inner:
        inner = defs[inner["$ref"].rpartition("/")[2]]
    return inner | {k: v for k, v in prop.items() if k.startswith("x-")}


def _value(prop: dict[str, Any], defs: dict[str, Any], day: date) -> Any:
    prop = _resolved(prop, defs)
    if "enum" in prop:
        return prop["enum"][0]
    kind = prop["type"]
    if kind == "object":
        return {name: _value(inner, defs, day) for name, inner in prop["properties"].items()}
    if kind == "array":
        return [_value(prop["items"], defs, day) for _ in range(prop.get("minItems", 1))]
    if kind in ("integer", "number"):
        return max(prop.get("minimum", 0), min(prop.get("maximum", 7), 7))
    return True if kind == "boolean" else _string(prop, day)


def _day(kind: str, name: str) -> date:
    """A day that keeps the kind's times in order."""
    rank: dict[str, int] = {}
    for chain in KINDS[kind].order * 2:
        for earlier, later in itertools.pairwise(chain):
            rank[later] = max(rank.get(later, 0), rank.get(earlier, 0) + 1)
    return date(2015, 1, 1) + timedelta(days=100 * list(KINDS).index(kind) + 9 * rank.get(name, 0))


@cache
def _schema(kind: str) -> dict[str, Any]:
    return KINDS[kind].model_json_schema()


def body(kind: str, **given: Any) -> dict[str, Any]:
    """Every field of the kind filled; `given` by field name, or by what the field sets on its case."""
    schema = _schema(kind)
    made: dict[str, Any] = {}
    for name, prop in schema["properties"].items():
        sets = prop.get("x-sets", "")
        if name in given:
            made[name] = given[name]
        elif sets:
            made[name] = given.get(sets, STAMPED[sets])
        else:
            made[name] = _value(prop, schema.get("$defs", {}), _day(kind, name))
    return {k: v for k, v in made.items() if v not in (None, [])}


def stored(kind: str, sent: dict[str, Any]) -> dict[str, Any]:
    """What the hub keeps of a body."""
    return plain(KINDS[kind].model_validate_json(orjson.dumps(sent)))


@dataclass(slots=True)
class Filed:
    """One record as it was sent: its author and the values by name."""

    id: str
    kind: str
    author: str
    values: dict[str, Any]

    def category(self, name: str) -> str:
        return next(i.category for i in fields_of(KINDS[self.kind]) if i.name == name)


@dataclass(slots=True)
class Book:
    """What was filed on one case, and which canary belongs to which record and category."""

    case_id: str = ""
    records: dict[str, Filed] = field(default_factory=dict)
    tokens: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def add(self, record_id: str, kind: str, author: str, sent: dict[str, Any]) -> Filed:
        filed = self.records[record_id] = Filed(record_id, kind, author, stored(kind, sent))
        for name, value in filed.values.items():
            self.note(record_id, filed.category(name), str(value))
        return filed

    def note(self, record_id: str, category: str, content: str) -> None:
        for token in FOUND.findall(content):
            self.tokens.setdefault(token, set()).add((record_id, category))
