"""Common case form and referral slip (个案登记表、转介接收单) of the multi-agency handbook."""

from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from hub.models.base import RecordFields, kind
from hub.models.codes import CaseOutcome, Need, Stage, Urgency, Violence
from hub.models.fields import Category, Pii, Stamp, governed, required
from hub.models.party import PartiesPart
from hub.models.values import Instant, Phone, RegionCode, Short, Text, UnitCode

C = Category


@kind("case_form", "家庭暴力个案登记表", stage=Stage.handling, order=(("happened_at", "received_at", "filled_at"),))
class CaseForm(PartiesPart, RecordFields):
    received_at: Instant = required(C.routine, "收案时间")
    filled_by: Short | None = governed(C.internal, "填表人", pii=Pii.name)
    filled_at: Instant | None = governed(C.internal, "填表时间")
    receiving_department: Short | None = governed(C.internal, "收案部门")
    contact_person: Short | None = governed(C.internal, "联系人", pii=Pii.name)
    contact_phone: Phone | None = governed(C.internal, "联系电话", pii=Pii.phone)
    nature: Short | None = governed(C.facts, "案件性质")
    region: RegionCode | None = governed(C.routine, "地区", sets=Stamp.region)
    history: Text | None = governed(C.facts, "以前是否有家暴")
    violence: list[Violence] | None = governed(C.facts, "类型", max_length=7)
    happened_at: Instant | None = governed(C.facts, "案件时间")
    detail: Text = required(C.facts, "细节")
    injured: bool | None = governed(C.medical, "是否受伤")
    respondent_detained: bool | None = governed(C.measures, "报案时加害人是否被拘捕")
    needs: list[Need] | None = governed(C.support, "需求", max_length=10)
    outcome: CaseOutcome | None = governed(C.internal, "处理")
    close_case: bool | None = governed(C.internal, "结案", sets=Stamp.closed)


@kind("referral_slip", "转介单", stage=Stage.handling)
class ReferralSlip(PartiesPart, RecordFields):
    """Original stays, copy travels: the unit addressed sees the case partly until it accepts."""

    to_unit: UnitCode = required(C.internal, "转往单位", sets=Stamp.referred)
    sent_at: Instant = required(C.internal, "转介时间")
    from_department: Short | None = governed(C.internal, "转出部门")
    contact_person: Short | None = governed(C.internal, "联系人", pii=Pii.name)
    file_number: Short | None = governed(C.internal, "档案编号")
    state: Text | None = governed(C.support, "身心状况")
    companions: Text | None = governed(C.minor, "同行者")
    needs: list[Need] | None = governed(C.support, "需求", max_length=10)
    urgency: Urgency | None = governed(C.internal, "紧急性")
    facts: Text | None = governed(C.facts, "案情摘要")
    signed: bool | None = governed(C.internal, "转出单位签章")
    note: Text | None = governed(C.internal, "说明")


@kind("referral_reply", "转介回执", stage=Stage.handling)
class ReferralReply(RecordFields):
    """Accepting makes the unit involved; a refusal needs a written reason."""

    accepted: bool = required(C.internal, "是否接收", sets=Stamp.accepted)
    replied_at: Instant = required(C.internal, "回复时间")
    reason: Text | None = governed(C.internal, "不接收理由")
    signed: bool | None = governed(C.internal, "接收单位签章")
    result: Text | None = governed(C.internal, "处理结果")

    @model_validator(mode="after")
    def _refusal_says_why(self) -> Self:
        if self.accepted is False and self.reason is None:
            raise PydanticCustomError("reason", "不接收须书面说明理由 / a refusal needs a written reason")
        return self
