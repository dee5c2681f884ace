"""The smallest acceptable body of every kind, made from its class; and the write rules as `policy.csv` has them."""

import csv
from datetime import date
from enum import Enum
from typing import Any

from pydantic import AwareDatetime

from hub.models.catalogue import KINDS
from hub.settings import ROOT
from tests.world import HOME, instant

PUBLIC = sorted(kind for kind, model in KINDS.items() if model.public)


def _least(annotation: Any, name: str) -> Any:
    if annotation is AwareDatetime:
        return instant()
    if "unit" in name:
        return f"{HOME}-school"
    if isinstance(annotation, type):
        if issubclass(annotation, Enum):
            return next(iter(annotation)).value
        for kind, value in ((bool, True), (date, "2024-01-05"), (str, "无"), (int, 1)):
            if issubclass(annotation, kind):
                return value
    raise TypeError(annotation)


def minimal(kind: str, **more: Any) -> dict[str, Any]:
    """Required fields only."""
    fields = KINDS[kind].model_fields
    return {n: _least(f.annotation, n) for n, f in fields.items() if f.is_required()} | more


def write_rules() -> set[tuple[str, str]]:
    """(unit type, kind) of every write rule, read without the hub's own reader."""
    rows = csv.reader((ROOT / "policy.csv").read_text(encoding="utf-8").splitlines(), skipinitialspace=True)
    return {(row[3], row[7]) for row in rows if len(row) == 10 and row[2] == "write" and row[9] == "allow"}
