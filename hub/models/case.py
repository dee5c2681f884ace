"""The case (个案): one victim, one respondent. `routine` data stand in columns; all else is in records.

Facts about (subject, case) are computed from this row alone, in the SELECT that fetches it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from struct import Struct
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Column, Computed, DateTime, Index, LargeBinary, String, Text, text
from sqlalchemy import UUID as SqlUUID
from sqlmodel import Field, SQLModel

from hub.models.codes import RiskLevel, Stage, Status
from hub.models.fields import CATEGORIES

_MOMENT, _MOMENTS = Struct(">q"), Struct(f">{len(CATEGORIES)}q")


Moments = Callable[[bytes], tuple[int, ...]]


@lru_cache
def moments_of(outcomes: Sequence[int]) -> Moments:
    """Unpacks of `cases.touched` what is not withheld, in microseconds by category."""
    return Struct(">" + "".join("q" if outcome else "8x" for outcome in outcomes)).unpack


def packed(moments: Sequence[int]) -> bytes:
    """What `cases.touched` holds: an array costs both sides a call for each of its items. Big-endian, so that
    PostgreSQL compares parts of it as they are."""
    return _MOMENTS.pack(*moments)


def packed_moment(us: int) -> bytes:
    """One moment as it stands there. What lies before 1970 is before everything, and so it compares."""
    return _MOMENT.pack(max(us, 0))


def moment(category: int, table: str) -> str:
    """SQL of the eight bytes of one category."""
    return f"substr({table}.touched, {8 * category + 1}, 8)"


def _units() -> Column[list[UUID]]:
    return Column(ARRAY(SqlUUID(as_uuid=True)), nullable=False, server_default=text("'{}'"))


def _shown() -> Column[str]:
    """A set kept as it is shown: an array would be made into text at every reading."""
    return Column(Text, nullable=False, server_default=text("''"))


def _keys() -> Column[list[bytes]]:
    return Column(ARRAY(LargeBinary), nullable=False, server_default=text("'{}'"))


class Case(SQLModel, table=True):
    __tablename__ = "cases"
    __table_args__ = (
        Index("cases_township", "township", text("opened_at DESC"), text("id DESC")),
        Index("cases_county", "county", text("opened_at DESC"), text("id DESC")),
        Index("cases_opened", text("opened_at DESC"), text("id DESC")),
        Index("cases_ref", "ref", unique=True),
        CheckConstraint("NOT alert_open OR status = 'open' AND sealed_by IS NULL", "cases_alert_open"),
    )

    id: UUID = Field(primary_key=True)
    ref: UUID = Field(description="keyed pseudonym used by the access log")
    number: str = Field(unique=True)
    status: str = Status.open.value
    stage: str = Stage.received.value
    risk_level: str = RiskLevel.unknown.value
    region_code: str = Field(sa_column=Column(String(collation="C"), nullable=False))
    township: str = Field(sa_column=Column(String(collation="C"), Computed("left(region_code, 9)", persisted=True)))
    county: str = Field(sa_column=Column(String(collation="C"), Computed("left(region_code, 6)", persisted=True)))
    opened_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    touched: bytes = Field(
        sa_column=Column(LargeBinary, nullable=False), description="by category, microseconds since 1970, UTC: `packed`"
    )
    handler_id: UUID
    handler_path: str
    handler_area: str
    reporting_unit_id: UUID | None = None
    alert_open: bool = False
    relocated: bool = False
    reporter_confirmed: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    sealed_by: UUID | None = None
    household_id: UUID | None = None
    intake: list[UUID] = Field(sa_column=_units(), description="units on duty whose intake has a report of it")
    involved: list[UUID] = Field(sa_column=_units())
    referred: list[UUID] = Field(sa_column=_units())
    named: list[UUID] = Field(sa_column=_units())
    acting: str = Field(sa_column=_shown(), description="units that act on it, joined by commas")
    kinds: str = Field(sa_column=_shown(), description="kinds of its records, as members of a JSON array")
    party_keys: list[bytes] = Field(sa_column=_keys())
    victim_ids: list[bytes] = Field(sa_column=_keys(), description="keyed id numbers: they contradict a phone and name")
    respondent_ids: list[bytes] = Field(sa_column=_keys())
    key_wrapped: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    key_id: str


class Mark(SQLModel, table=True):
    """What the current version of a record says about its case (`hub/marks.py`): of a unit by its id, else a word.

    `at` is when the record was filed, `said` when a version first said this.
    """

    case_id: UUID = Field(primary_key=True)
    stamp: str = Field(primary_key=True)
    record_id: UUID = Field(primary_key=True)
    value: str = Field(primary_key=True)
    unit_id: UUID
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    said: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class CaseUnit(SQLModel, table=True):
    """Which cases a unit may have to do with, newest first: an index and nothing more, since facts are computed
    from the case. Holds units involved, referred to, named, and those above the handler; rows are only added.
    `outside` are those that do not lie in the unit's area: neither case nor unit ever moves."""

    __tablename__ = "case_unit"
    __table_args__ = (
        Index("case_unit_outside", "unit_id", "opened_at", "case_id", postgresql_where=text("outside"), unique=True),
    )

    unit_id: UUID = Field(primary_key=True)
    opened_at: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    case_id: UUID = Field(primary_key=True)
    outside: bool
