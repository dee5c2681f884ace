"""Shelter stay (临时庇护): 民发〔2015〕189号; adults generally up to ten days.

`refuge` fields are written here alone, by civil affairs alone, and appear in no list or feed.
"""

from typing import Annotated

from pydantic import Field as Limits

from hub.models.base import RecordFields, kind
from hub.models.codes import LeaveReason, Need, RiskLevel, RoomZone, ShelterSource, Voucher
from hub.models.fields import Category, Pii, Stamp, governed, required
from hub.models.party import PartiesPart
from hub.models.values import Day, Instant, Short, Text

C = Category


@kind("shelter_stay", "庇护入站登记", order=(("admitted_at", "left_at"), ("admitted_at", "planned_leave")))
class ShelterStay(PartiesPart, RecordFields):
    source: ShelterSource | None = governed(C.support, "来源")
    voucher: Voucher | None = governed(C.support, "凭证")
    admitted_at: Instant = required(C.support, "入住时间")
    planned_leave: Day | None = governed(C.support, "预计离开")
    left_at: Instant | None = governed(C.support, "实际离开")
    extension_filing: Short | None = governed(C.support, "超期备案号")
    accompanying_children: Annotated[int, Limits(ge=0, le=20)] | None = governed(C.minor, "携带子女数")
    health: Text | None = governed(C.medical, "健康与伤情")
    danger: RiskLevel | None = governed(C.risk, "危险等级", pii=Pii.code)
    needs: list[Need] | None = governed(C.support, "需求", max_length=10)
    privacy_wishes: Text | None = governed(C.support, "隐私要求")
    belongings: Text | None = governed(C.support, "随身物品")
    shelter_name: Short | None = governed(C.refuge, "庇护场所")
    shelter_address: Short | None = governed(C.refuge, "庇护地址")
    room: Short | None = governed(C.refuge, "房间")
    room_zone: RoomZone | None = governed(C.refuge, "房间分区", pii=Pii.code)
    interviews: Text | None = governed(C.support, "探访与会谈")
    consultations: list[Short] | None = governed(C.internal, "查阅记录", max_length=50)
    leave_application: Text | None = governed(C.support, "离站申请")
    leave_reason: LeaveReason | None = governed(C.support, "离开原因")
    handed_to: Short | None = governed(C.minor, "未成年人移交对象", pii=Pii.name)
    handover_proof: Text | None = governed(C.minor, "移交证明及确认单位")
    handover_confirmed_by: Short | None = governed(C.minor, "移交确认人")
    victim_moved_out: bool | None = governed(C.internal, "受害人已搬离", sets=Stamp.relocated)
