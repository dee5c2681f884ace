"""Police call and dispatch (接警单、派警与处警反馈): Anti-DV Law art. 15."""

from typing import Annotated

from pydantic import Field as Limits

from hub.models.base import RecordFields, kind
from hub.models.codes import CallKind, CallStatus, Channel, FeedbackKind, Satisfaction, Stage, Violence
from hub.models.fields import Category, Pii, Stamp, governed, required
from hub.models.party import PartiesPart, ReporterPart
from hub.models.values import Instant, Phone, RegionCode, Short, Text

C = Category


@kind("police_call", "接警单", stage=Stage.received, order=(("happened_at", "called_at"),))
class PoliceCall(PartiesPart, ReporterPart, RecordFields):
    """The call-taker's form."""

    call_number: Short | None = governed(C.internal, "接警单编号")
    linked_call_number: Short | None = governed(C.internal, "关联接警单")
    region: RegionCode | None = governed(C.routine, "行政区划", sets=Stamp.region)
    call_taker: Short | None = governed(C.internal, "接警员", pii=Pii.name)
    receiving_unit: Short | None = governed(C.internal, "接警单位")
    call_kind: CallKind | None = governed(C.internal, "接警类型")
    channel: Channel | None = governed(C.reporter, "报警方式")
    called_at: Instant = required(C.routine, "报警时间")
    happened_at: Instant | None = governed(C.facts, "发生时间")
    calling_number: Phone | None = governed(C.reporter, "报警电话", pii=Pii.phone)
    scene_address: Short | None = governed(C.whereabouts, "案发地址")
    latitude: Annotated[float, Limits(ge=-90, le=90)] | None = governed(C.whereabouts, "纬度")
    longitude: Annotated[float, Limits(ge=-180, le=180)] | None = governed(C.whereabouts, "经度")
    content: Text = required(C.facts, "报警内容")
    violence: list[Violence] | None = governed(C.facts, "暴力形式", max_length=7)
    category_code: Short | None = governed(C.internal, "警情类别")
    subcategory_code: Short | None = governed(C.internal, "警情细类")
    level: Annotated[int, Limits(ge=1, le=4)] | None = governed(C.internal, "警情级别")
    jurisdiction_unit: Short | None = governed(C.internal, "管辖单位")
    call_status: CallStatus | None = governed(C.internal, "接警单状态")
    confidential: bool | None = governed(C.reporter, "是否保密")
    ongoing: bool | None = governed(C.facts, "是否正在发生")
    weapon: Short | None = governed(C.facts, "器械")
    injured: bool | None = governed(C.medical, "是否受伤")
    children_present: bool | None = governed(C.facts, "是否有未成年人在场")
    order_in_force: bool | None = governed(C.measures, "是否有人身安全保护令")
    alcohol_or_drugs: bool | None = governed(C.facts, "是否饮酒或吸毒")


@kind(
    "police_dispatch",
    "出警与处警反馈",
    stage=Stage.handling,
    order=(("dispatched_at", "accepted_at", "arrived_at", "reported_at"),),
)
class PoliceDispatch(PartiesPart, RecordFields):
    """Order, arrival and feedback of one attendance."""

    dispatching_unit: Short | None = governed(C.internal, "派警单位")
    dispatcher: Short | None = governed(C.internal, "派警人", pii=Pii.name)
    dispatched_at: Instant | None = governed(C.routine, "派警时间")
    dispatch_opinion: Text | None = governed(C.internal, "派警意见")
    attending_unit: Short | None = governed(C.routine, "出动单位")
    officers: list[Short] | None = governed(C.internal, "出动人员", max_length=20)
    accepted_at: Instant | None = governed(C.routine, "接受时间")
    arrived_at: Instant | None = governed(C.routine, "到达时间")
    reported_at: Instant | None = governed(C.routine, "反馈时间")
    reporting_unit: Short | None = governed(C.internal, "反馈单位")
    reporting_officer: Short | None = governed(C.internal, "反馈人", pii=Pii.name)
    feedback_kind: FeedbackKind | None = governed(C.internal, "反馈类别")
    scene: Text | None = governed(C.facts, "现场情况")
    history: Text | None = governed(C.facts, "既往家暴情况")
    injuries: Text | None = governed(C.medical, "伤情")
    victim_wish: Text | None = governed(C.support, "受害人意愿")
    handling: Text = required(C.facts, "出警处置情况")
    result: Short | None = governed(C.measures, "处理结果")
    statements: Text | None = governed(C.evidence, "询问笔录要点")
    victim_moved_out: bool | None = governed(C.internal, "受害人已搬离", sets=Stamp.relocated)
    reporter_confirmed: bool | None = governed(
        C.internal, "已当面核实报案人即受害人本人", sets=Stamp.reporter_confirmed
    )
    satisfaction: Satisfaction | None = governed(C.internal, "回访结果")
