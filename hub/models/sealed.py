"""How a record is sealed: one envelope per category, clear and masked form apart.

A category is the unit of policy, so it is the unit of sealing: what a caller may not see is neither fetched
nor opened, and showing a mask never opens the value behind it. An envelope holds the members of a JSON
object without its braces, ready to be joined into an answer.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from struct import Struct
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel
from sqlalchemy import ARRAY, Column, DateTime, Index, LargeBinary, SmallInteger, text
from sqlmodel import Field, SQLModel

from hub import keys
from hub.models.base import RecordFields
from hub.models.catalogue import FieldInfo, fields_of
from hub.models.fields import CATEGORIES, masking

CLEAR_COLUMNS = tuple(f"c_{category}" for category in CATEGORIES)
MASKED_COLUMNS = tuple(f"m_{category}" for category in CATEGORIES)
COMMON = ("routine", "victim", "contact", "respondent", "minor", "measures")
"""Categories that whoever works on a case sees in clear for nearly every purpose. A record holds them once more, in one
envelope: opening many small ones is half the work of a list. It is opened only where each of them is granted in clear;
where somebody lives or hides is never in it. A version that changed one of them has none."""
IN_ORDER = (*COMMON, *(category.value for category in CATEGORIES if category not in COMMON))
"""Categories as answers hold their fields: in this order however they were sealed, since the order would tell how."""
COMMON_COLUMN, _COMMON_CLEAR = "c_common", tuple(f"c_{category}" for category in COMMON)
IN_COMMON = frozenset(_COMMON_CLEAR)
APART = tuple(f"{form}_{category}" for category in COMMON for form in "cm")
SEALED_COLUMNS = (*CLEAR_COLUMNS, *MASKED_COLUMNS, COMMON_COLUMN)
CATEGORY_OF = {name: i for columns in (CLEAR_COLUMNS, MASKED_COLUMNS) for i, name in enumerate(columns)}
"""Category index by sealed column."""


_VERSIONS = Struct(f">{len(CATEGORIES)}H")
versions = _VERSIONS.unpack
"""`record.last_changed` by category."""
FIRST = _VERSIONS.pack(*(1 for _ in CATEGORIES))
LAST = 0xFFFF
"""The highest version that it can name."""


@lru_cache(maxsize=4096)
def places(columns: tuple[str, ...], last_changed: bytes, common: bool) -> tuple[tuple[str, bytes], ...]:
    """What to open for these columns of a record, and how each binding ends: nearly all have the same few histories.

    `common` puts the one envelope in the place of those that it holds.
    """
    known = versions(last_changed)
    if common:
        columns = (COMMON_COLUMN, *(column for column in columns if column not in IN_COMMON))
    ends = (keys.ending(column, known[CATEGORY_OF[column]] if column in CATEGORY_OF else 1) for column in columns)
    return tuple(zip(columns, ends, strict=True))


def advanced(last_changed: bytes, changed: list[int], version: int) -> bytes:
    """What a version that changed these categories makes of it."""
    return _VERSIONS.pack(*(version if i in changed else v for i, v in enumerate(versions(last_changed))))


class Record(SQLModel, table=True):
    """One version of one record. Versions are added, never changed; `current` moves to the newest.

    `changed` lists the categories (by index) that this version changed. `last_changed` packs for each the version that
    last did, at which its envelopes were sealed; from these the caller's ETag is made without opening anything.
    """

    __table_args__ = (
        Index("record_case", "case_id", "at", "id"),
        Index("record_lead", "at", "case_id", postgresql_where=text("current AND lead"), unique=True),
    )

    id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    case_id: UUID
    kind: str
    unit_id: UUID
    account_id: UUID | None = None
    client_id: str | None = None
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    made_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    current: bool = True
    lead: bool = False
    changed: list[int] = Field(sa_column=Column(ARRAY(SmallInteger), nullable=False))
    last_changed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    leaf_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    digest: bytes | None = Field(
        default=None, sa_column=Column(LargeBinary), description="of the request, by which its repetition is known"
    )


for _name in SEALED_COLUMNS:
    Record.__table__.append_column(Column(_name, LargeBinary, nullable=True))  # type: ignore[attr-defined]


def _mask(info: FieldInfo) -> Callable[[Any], Any]:
    """What makes the masked form of a field's JSON value."""
    if info.item is None:
        return masking(info.pii)
    inner, whole = {i.name: _mask(i) for i in fields_of(info.item)}, masking(info.pii)

    def each(value: Any) -> Any:
        if not isinstance(value, list):
            return whole(value)
        return [
            {name: mask(item[name]) for name, mask in inner.items() if item.get(name) is not None} for item in value
        ]

    return each


@cache
def _sealed_as(model: type[BaseModel]) -> dict[str, tuple[str, str, Callable[[Any], Any]]]:
    """By field: the columns of its clear and its masked form, and what makes that. Of `routine` there is no masked
    form: masked, it is the status of the case in words, and no record's business."""
    return {
        info.name: (f"c_{info.category}", f"m_{info.category}" if info.category != "routine" else "", _mask(info))
        for info in fields_of(model)
    }


def members(values: dict[str, Any]) -> bytes:
    """A JSON object without its braces."""
    return orjson.dumps(values)[1:-1]


def split(model: type[BaseModel], values: dict[str, Any], *, whole: bool = True) -> dict[str, bytes]:
    """The members of a record's JSON values by sealed column; what is common only of a `whole` record."""
    parts: dict[str, dict[str, Any]] = defaultdict(dict)
    known = _sealed_as(model)
    for name, value in values.items():
        if value is not None:
            clear, hidden, mask = known[name]
            parts[clear][name] = value
            if hidden:
                parts[hidden][name] = mask(value)
    made = {column: members(part) for column, part in parts.items()}
    common = [made[column] for column in _COMMON_CLEAR if column in made]
    if whole and len(common) > 1:
        made[COMMON_COLUMN] = b",".join(common)
    return made


def plain(fields: RecordFields) -> dict[str, Any]:
    """A record's values as JSON types, absent ones left out."""
    return fields.model_dump(mode="json", exclude_none=True)
