"""How a record is sealed: one envelope per category, clear and masked form apart.

A category is the unit of policy, so it is the unit of sealing: what a caller may not see is neither fetched
nor opened, and showing a mask never opens the value behind it. An envelope holds the members of a JSON
object without its braces, ready to be joined into an answer.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel
from sqlalchemy import ARRAY, Column, DateTime, Index, LargeBinary, SmallInteger, text
from sqlmodel import Field, SQLModel

from hub.models.base import RecordFields
from hub.models.catalogue import FieldInfo, fields_of
from hub.models.fields import CATEGORIES, INDEX, masked

CLEAR_COLUMNS = tuple(f"c_{category}" for category in CATEGORIES)
MASKED_COLUMNS = tuple(f"m_{category}" for category in CATEGORIES)
CATEGORY_OF = {name: i for columns in (CLEAR_COLUMNS, MASKED_COLUMNS) for i, name in enumerate(columns)}
"""Category index by sealed column."""


class Record(SQLModel, table=True):
    """One version of one record. Versions are added, never changed; `current` moves to the newest.

    `changed` lists the categories (by index) that this version changed; `last_changed[i]` is the version
    that last changed category i, from which the caller's ETag is made without opening anything.
    """

    __table_args__ = (
        Index("record_case", "case_id", "at", "id"),
        Index("record_lead", "case_id", postgresql_where=text("current AND lead"), unique=True),
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
    last_changed: list[int] = Field(sa_column=Column(ARRAY(SmallInteger), nullable=False))
    leaf_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    digest: bytes | None = Field(
        default=None, sa_column=Column(LargeBinary), description="of the request, by which its repetition is known"
    )


for _name in (*CLEAR_COLUMNS, *MASKED_COLUMNS):
    Record.__table__.append_column(Column(_name, LargeBinary, nullable=True))  # type: ignore[attr-defined]


def _mask(info: FieldInfo, value: Any) -> Any:
    if info.item is not None and isinstance(value, list):
        inner = fields_of(info.item)
        return [{i.name: _mask(i, item[i.name]) for i in inner if item.get(i.name) is not None} for item in value]
    return masked(info.pii, value)


def members(values: dict[str, Any]) -> bytes:
    """A JSON object without its braces."""
    return orjson.dumps(values)[1:-1]


def split(model: type[BaseModel], values: dict[str, Any]) -> dict[int, tuple[bytes, bytes]]:
    """Category index -> (clear members, masked members) of a record's JSON values."""
    clear: dict[int, dict[str, Any]] = {}
    hidden: dict[int, dict[str, Any]] = {}
    for info in fields_of(model):
        value = values.get(info.name)
        if value is not None:
            index = INDEX[info.category]
            clear.setdefault(index, {})[info.name] = value
            hidden.setdefault(index, {})[info.name] = _mask(info, value)
    return {index: (members(clear[index]), members(hidden[index])) for index in clear}


def plain(fields: RecordFields) -> dict[str, Any]:
    """A record's values as JSON types, absent ones left out."""
    return fields.model_dump(mode="json", exclude_none=True)
