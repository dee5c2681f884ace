"""Coordination between units (协调、联席会议): notes, tasks, joint decisions."""

from hub.models.base import RecordFields, kind
from hub.models.fields import Category, Stamp, governed, required
from hub.models.values import Instant, Short, Text, UnitCode

C = Category


@kind("coordination", "协调与会商")
class Coordination(RecordFields):
    held_at: Instant = required(C.internal, "时间")
    subject: Short = required(C.internal, "事项")
    participants: list[Short] | None = governed(C.internal, "参加单位", max_length=50)
    decision: Text | None = governed(C.internal, "决定")
    tasks: Text | None = governed(C.internal, "分工")
    named_units: list[UnitCode] | None = governed(C.routine, "知会单位", sets=Stamp.named, max_length=50)
    child_matters: Text | None = governed(C.minor, "涉未成年人事项")
    risk_finding: Text | None = governed(C.risk, "风险研判")
    close_case: bool | None = governed(C.internal, "结案", sets=Stamp.closed)
