"""Injury appraisal (伤情鉴定): 公通字〔2005〕98号 art. 18-19; two experts at least."""

from hub.models.base import RecordFields, kind
from hub.models.fields import Category, Pii, governed, required
from hub.models.legal_codes import InjuryGrade
from hub.models.party import PartiesPart
from hub.models.values import Instant, PastDay, Short, Text

C = Category


@kind(
    "appraisal",
    "伤情鉴定",
    order=(("injured_at", "commissioned_at", "concluded_on"), ("concluded_on", "parties_told_on")),
)
class Appraisal(PartiesPart, RecordFields):
    commission_number: Short | None = governed(C.medical, "委托书编号")
    commissioned_at: Instant = required(C.medical, "委托时间")
    commissioning_unit: Short | None = governed(C.medical, "委托单位")
    examined_person: Short | None = governed(C.medical, "被鉴定人", pii=Pii.name)
    injured_at: Instant | None = governed(C.medical, "受伤时间")
    injury_course: Text | None = governed(C.medical, "受伤经过")
    materials: Text | None = governed(C.evidence, "送检材料")
    findings: Text | None = governed(C.medical, "检验所见")
    grade: InjuryGrade | None = governed(C.medical, "鉴定意见", pii=Pii.code)
    opinion: Text | None = governed(C.medical, "鉴定说明")
    experts: list[Short] | None = governed(C.internal, "鉴定人（两名以上）", min_length=2, max_length=10)
    concluded_on: PastDay | None = governed(C.medical, "文书日期")
    parties_told_on: PastDay | None = governed(C.medical, "告知双方日期")
