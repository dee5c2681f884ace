"""The report or alert (报案、一键报警): made without an account; only the place is required."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field as Limits
from pydantic import model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Column, DateTime, LargeBinary
from sqlmodel import Field, SQLModel

from hub.models.base import RecordFields, kind
from hub.models.codes import Stage, Violence
from hub.models.fields import Category, Stamp, governed
from hub.models.party import PartiesPart, ReporterPart
from hub.models.values import Instant, RegionCode, Short, Text

C = Category


@kind("report", "报案", stage=Stage.received, public=False)
class Report(ReporterPart, PartiesPart, RecordFields):
    """A one-click report. `place` or both coordinates; the rest may stay empty (Anti-DV Law art. 13)."""

    place: Short | None = governed(C.whereabouts, "地点")
    latitude: Annotated[float, Limits(ge=-90, le=90)] | None = governed(C.whereabouts, "纬度")
    longitude: Annotated[float, Limits(ge=-180, le=180)] | None = governed(C.whereabouts, "经度")
    region: RegionCode | None = governed(C.whereabouts, "区划", sets=Stamp.region)
    happening_now: bool | None = governed(C.facts, "是否正在发生")
    happened_at: Instant | None = governed(C.facts, "发生时间")
    what: Text | None = governed(C.facts, "情况")
    violence: list[Violence] | None = governed(C.facts, "暴力形式", max_length=7)
    weapon: Short | None = governed(C.facts, "器械")
    injured: bool | None = governed(C.facts, "是否受伤")
    children_present: bool | None = governed(C.facts, "是否有未成年人在场")
    reporter_is_victim: bool | None = governed(C.reporter, "报案人是否受害人本人")
    safe_to_call: bool | None = governed(C.contact, "可否回电")

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.place is None and (self.latitude is None or self.longitude is None):
            raise PydanticCustomError("where", "请说明地点或坐标 / say where: a place or both coordinates")
        return self


@kind("report_addition", "报案补充", public=False)
class ReportAddition(RecordFields):
    """What the reporter adds later under the receipt and its second secret."""

    text: Text = governed(C.facts, "补充说明", ...)


class Receipt(SQLModel, table=True):
    """Keyed hashes of a report's receipt code and second secret; neither is stored."""

    code_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    secret_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    record_id: UUID = Field(index=True)
    case_id: UUID
    reporter_is_victim: bool = False
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
