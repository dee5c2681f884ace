"""How a field is declared: once, in its noun's class body, with `governed(...)`.

From that one line follow validation, the category that policy speaks of, the masked form, sealing,
lookup hashes, the OpenAPI schema (vendor extensions `x-category`, `x-pii`) and the catalogue page.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from sqlmodel import Field


class Category(StrEnum):
    """Data categories (数据类别): every stored field belongs to exactly one; rules name only these."""

    zh: str

    def __new__(cls, value: str, zh: str) -> "Category":
        self = str.__new__(cls, value)
        self._value_ = value
        self.zh = zh
        return self

    routine = "routine", "常规"
    facts = "facts", "案情"
    victim = "victim", "受害人身份"
    contact = "contact", "联系方式"
    whereabouts = "whereabouts", "行踪"
    refuge = "refuge", "庇护地点"
    respondent = "respondent", "加害人"
    minor = "minor", "未成年人"
    reporter = "reporter", "报案人"
    medical = "medical", "伤情"
    evidence = "evidence", "证据"
    measures = "measures", "处置"
    judicial = "judicial", "司法"
    risk = "risk", "风险"
    support = "support", "帮扶"
    visit = "visit", "走访"
    internal = "internal", "协调"


CATEGORIES: tuple[Category, ...] = tuple(Category)
INDEX: dict[str, int] = {category.value: i for i, category in enumerate(CATEGORIES)}


class Pii(StrEnum):
    """What a value is, hence how it is masked."""

    name = "name"
    phone = "phone"
    id_number = "id_number"
    date = "date"
    text = "text"
    code = "code"


class Retention(StrEnum):
    """How long a record's fields are kept after closing; hospital figures are those of medical records."""

    case = "case"
    medical = "medical_15y"
    transient = "transient"


class Stamp(StrEnum):
    """Columns of the case that a field may set beside being stored (see `hub/marks.py` and `hub/cases.py`)."""

    risk_level = "risk_level"
    region = "region_code"
    named = "named"
    referred = "referred"
    accepted = "accepted"
    relocated = "relocated"
    sealed = "sealed"
    closed = "closed"
    reporter_confirmed = "reporter_confirmed"


def governed(
    category: Category,
    title: str,
    default: Any = None,
    *,
    pii: Pii | None = None,
    keep: Retention = Retention.case,
    lookup: str = "",
    sets: Stamp | None = None,
    told_as: str = "",
    **limits: Any,
) -> Any:
    """Declare a stored field: its category, Chinese title, and what follows from them.

    `lookup` is `role.attribute`: the value's keyed hash finds the party again. `sets` names the case
    column that the value also sets. `told_as` is the field of an anonymous report as which the value is
    shown to those who may not learn the record's origin. `limits` are pydantic constraints (ge, le...).
    """
    extra = {"x-category": category.value, "x-keep": keep.value}
    extra |= {"x-pii": pii.value} if pii else {}
    extra |= {"x-lookup": lookup} if lookup else {}
    extra |= {"x-sets": sets.value} if sets else {}
    extra |= {"x-told-as": told_as} if told_as else {}
    return Field(default, title=title, schema_extra={"json_schema_extra": extra}, **limits)


def required(category: Category, title: str, **rest: Any) -> Any:
    """A governed field that a submission must carry."""
    return governed(category, title, ..., **rest)


# Masks: what a caller with outcome `masked` sees. Made when a record is written, sealed beside the clear
# form, so that showing a mask never decrypts the value behind it.

HIDDEN = "***"


def mask_name(value: str) -> str:
    """张三 -> 张*; only the first character stays, and the length does not show."""
    return value[:1] + "*"


def mask_phone(value: str) -> str:
    return "*" * 9 + value[-2:]


def mask_id_number(value: str) -> str:
    """First 6 (area) and last 1, GB 11643 positions."""
    return value[:6] + "*" * 11 + value[-1:]


def mask_date(value: str) -> str:
    """ISO date or date-time to the month: 2026-03-09 -> 2026-03."""
    return value[:7]


def mask_text(value: str) -> str:
    return f"（{len(value)}字，未开放 withheld）"


_MASKS: dict[Pii, Callable[[str], str]] = {
    Pii.name: mask_name,
    Pii.phone: mask_phone,
    Pii.id_number: mask_id_number,
    Pii.date: mask_date,
    Pii.text: mask_text,
    Pii.code: lambda value: HIDDEN,
}


def masking(pii: Pii) -> Callable[[Any], Any]:
    """What makes the masked form of a JSON value; whatever has no mask of its own is replaced by `***`."""
    mask = _MASKS[pii]
    return lambda value: mask(value) if isinstance(value, str) else HIDDEN


def kind_of_value(annotation: Any, pii: str | None) -> Pii:
    """The mask for a field: as declared, else by type (dates to the month, text to its length)."""
    if pii:
        return Pii(pii)
    name = str(annotation).lower()
    if "date" in name:
        return Pii.date
    return Pii.text if "str" in name else Pii.code
