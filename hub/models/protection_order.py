"""Protection orders (人身安全保护令): Anti-DV Law art. 23-34; 法释〔2022〕17号; 法发〔2022〕10号."""

from typing import Annotated

from pydantic import Field as Limits

from hub.models.base import RecordFields, kind
from hub.models.codes import Channel, Stage
from hub.models.fields import Category, Pii, Stamp, governed, required
from hub.models.legal_codes import Evidence, Measure, OrderChange, OrderResult, Penalty, Proxy, ProxyGround
from hub.models.party import PartiesPart
from hub.models.values import Day, Due, Instant, PastDay, Short, Text, UnitCode

C = Category


@kind("order_application", "人身安全保护令申请", stage=Stage.handling)
class OrderApplication(PartiesPart, RecordFields):
    """By the victim, or for her by those named in art. 23 and the 2022 provisions art. 2."""

    applied_at: Instant = required(C.judicial, "申请时间")
    proxy_name: Short | None = governed(C.judicial, "代为申请人", pii=Pii.name)
    proxy: Proxy | None = governed(C.judicial, "代为申请主体", pii=Pii.code)
    proxy_capacity: Short | None = governed(C.judicial, "代为申请人身份")
    proxy_ground: ProxyGround | None = governed(C.judicial, "代为申请情形", pii=Pii.code)
    proxy_reason: Text | None = governed(C.judicial, "代为申请原因")
    channel: Channel | None = governed(C.judicial, "申请方式")
    court: Short | None = governed(C.judicial, "申请法院")
    requested: list[Measure] | None = governed(C.judicial, "请求措施", max_length=7)
    facts_and_reasons: Text = required(C.facts, "事实与理由")
    evidence_list: list[Evidence] | None = governed(C.evidence, "证据清单", max_length=11)
    evidence_note: Text | None = governed(C.evidence, "证据说明")


@kind(
    "order_ruling",
    "人身安全保护令裁定",
    stage=Stage.protected,
    order=(("accepted_at", "ruled_at", "valid_until"), ("valid_from", "valid_until"), ("ruled_at", "reconsidered_on")),
)
class OrderRuling(PartiesPart, RecordFields):
    """72 hours from acceptance, 24 when urgent (art. 28); at most six months (art. 30)."""

    ruling_number: Short | None = governed(C.measures, "案号（民保令）")
    accepted_at: Instant | None = governed(C.judicial, "受理时间")
    urgent: bool | None = governed(C.judicial, "是否紧急")
    ruled_at: Instant = required(C.measures, "裁定时间")
    result: OrderResult = required(C.measures, "结果")
    measures: list[Measure] | None = governed(C.measures, "措施", max_length=7)
    protected_places: list[Short] | None = governed(C.whereabouts, "保护场所", max_length=20)
    distance_metres: Annotated[int, Limits(ge=0, le=100_000)] | None = governed(C.measures, "禁止距离（米）")
    valid_from: Day | None = governed(C.measures, "有效期起")
    valid_until: Day | None = governed(C.measures, "有效期止")
    change: OrderChange | None = governed(C.measures, "变更、延长、撤销")
    reconsideration: Text | None = governed(C.judicial, "复议")
    reconsideration_by: Short | None = governed(C.judicial, "复议申请人")
    reconsidered_on: PastDay | None = governed(C.judicial, "复议日期")
    reconsideration_result: Short | None = governed(C.judicial, "复议结果")
    reasons: Text | None = governed(C.judicial, "裁定理由")
    found_facts: Text | None = governed(C.facts, "认定事实")


@kind("order_service", "送达与协助执行通知", stage=Stage.protected)
class OrderService(PartiesPart, RecordFields):
    """Within 24 hours to the parties, station and committee; to others as the court decides (2022 op. 14)."""

    ruling_number: Short | None = governed(C.measures, "案号")
    served_on: Short | None = governed(C.judicial, "送达对象")
    served_at: Instant = required(C.measures, "送达时间")
    served_how: Short | None = governed(C.judicial, "送达方式")
    assist_units: list[UnitCode] | None = governed(C.routine, "协助执行单位", sets=Stamp.named, max_length=50)
    tasks: Text | None = governed(C.measures, "协助事项")
    child_tasks: Text | None = governed(C.minor, "涉未成年人协助事项")


@kind(
    "order_breach",
    "违反保护令",
    stage=Stage.protected,
    order=(("breached_at", "found_at", "next_check_at"), ("breached_at", "sanctioned_on")),
)
class OrderBreach(PartiesPart, RecordFields):
    """A finding sent to the court, or the court's sanction (art. 34)."""

    ruling_number: Short | None = governed(C.measures, "案号")
    breached_at: Instant | None = governed(C.facts, "违反时间")
    found_at: Instant | None = governed(C.facts, "发现时间")
    source: Short | None = governed(C.facts, "发现来源")
    act: Text = required(C.facts, "违反行为")
    sanction: list[Penalty] | None = governed(C.measures, "处理", max_length=9)
    sanctioned_on: PastDay | None = governed(C.measures, "处理日期")
    fine_yuan: Annotated[int, Limits(ge=0, le=1_000_000)] | None = governed(C.measures, "罚款（元）")
    detention_days: Annotated[int, Limits(ge=0, le=15)] | None = governed(C.measures, "拘留天数")
    next_check_at: Due | None = governed(C.visit, "下次核查时间")
