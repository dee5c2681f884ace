"""Screening (排查) and visits (查访、回访): 公通字〔2024〕34号 art. 12; 法发〔2022〕10号 art. 18."""

from typing import Annotated

from pydantic import Field as Limits

from hub.models.base import RecordFields, kind
from hub.models.codes import RiskLevel, Satisfaction, Stage, VisitWay
from hub.models.fields import Category, Pii, Stamp, governed, required
from hub.models.party import PartiesPart
from hub.models.values import Day, Instant, RegionCode, Short, Text

C = Category


@kind("screening", "排查走访", stage=Stage.received)
class Screening(PartiesPart, RecordFields):
    """A committee's or grid worker's screening of a household."""

    screened_at: Instant = required(C.visit, "排查时间")
    household_number: Short | None = governed(C.internal, "家庭编号")
    region: RegionCode | None = governed(C.routine, "区划", sets=Stamp.region)
    address: Short | None = governed(C.whereabouts, "住址")
    clue_source: Short | None = governed(C.reporter, "线索来源")
    contradiction: Short | None = governed(C.facts, "矛盾类型")
    hints: Text | None = governed(C.facts, "迹象")
    children_or_elderly: bool | None = governed(C.minor, "有未成年人或老人")
    measure: Text | None = governed(C.visit, "措施")
    escalated_to: Short | None = governed(C.internal, "上报单位")


@kind("visit", "查访回访", stage=Stage.following_up, order=(("visited_at", "next_due"),))
class Visit(PartiesPart, RecordFields):
    """First within 7 days of delivery, then every 3 months; separately and safely."""

    document_number: Short | None = governed(C.measures, "告诫书或保护令文号")
    sequence: Annotated[int, Limits(ge=1, le=999)] | None = governed(C.visit, "次序")
    due_on: Day | None = governed(C.visit, "应访日期")
    visited_at: Instant = required(C.visit, "走访时间")
    visitors: list[Short] | None = governed(C.visit, "走访人", max_length=20)
    joint: bool | None = governed(C.visit, "是否联合走访")
    way: VisitWay | None = governed(C.visit, "方式")
    separately_and_safely: bool | None = governed(C.visit, "是否分别、安全会见")
    victim_seen: bool | None = governed(C.visit, "见到受害人")
    respondent_seen: bool | None = governed(C.visit, "见到加害人")
    repeated: bool | None = governed(C.visit, "是否再次施暴")
    repeat_detail: Text | None = governed(C.facts, "再次施暴情况")
    respondent_attitude: Text | None = governed(C.visit, "加害人态度")
    victim_state: Text | None = governed(C.visit, "受害人状况")
    victim_needs: Text | None = governed(C.support, "受害人需求")
    children_state: Text | None = governed(C.minor, "未成年人状况")
    risk_level: RiskLevel | None = governed(C.routine, "风险重评", pii=Pii.code, sets=Stamp.risk_level)
    risk_reasons: Text | None = governed(C.risk, "重评理由")
    advice: Text | None = governed(C.visit, "告知与建议")
    satisfaction: Satisfaction | None = governed(C.visit, "满意度")
    breach_reported_to: Short | None = governed(C.visit, "违反情况已报")
    signed: bool | None = governed(C.visit, "签名")
    next_due: Day | None = governed(C.visit, "下次走访")
    victim_moved_out: bool | None = governed(C.internal, "受害人已搬离", sets=Stamp.relocated)
