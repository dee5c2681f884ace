"""Hospital: treatment record (诊疗记录) and mandatory report (强制报告): Anti-DV Law art. 7, 14."""

from typing import Annotated

from pydantic import Field as Limits

from hub.models.base import Governed, RecordFields, kind
from hub.models.codes import Sex, Stage
from hub.models.fields import Category, Pii, Retention, Stamp, governed, required
from hub.models.legal_codes import ReportCircumstance
from hub.models.party import PartiesPart, ReporterPart
from hub.models.values import IdNumber, Instant, Phone, RegionCode, Short, Text

C = Category
KEEP = Retention.medical


class Injury(Governed):
    """One mark on the body map."""

    site: Short = required(C.medical, "部位", keep=KEEP)
    type: Short | None = governed(C.medical, "类型", keep=KEEP)
    count: Annotated[int, Limits(ge=1, le=999)] | None = governed(C.medical, "数量", keep=KEEP)
    size: Short | None = governed(C.medical, "大小", keep=KEEP)
    degree: Short | None = governed(C.medical, "程度", keep=KEEP)


@kind("treatment", "诊疗记录")
class Treatment(PartiesPart, RecordFields):
    """What the patient said and what was found, in her own words where possible (2022 opinion 9)."""

    arrived_at: Instant = required(C.medical, "就诊时间", keep=KEEP)
    complaint: Text | None = governed(C.medical, "主诉", keep=KEEP)
    stated_cause: Text | None = governed(C.medical, "自述致伤原因", keep=KEEP)
    companion: Short | None = governed(C.medical, "陪同人及关系", keep=KEEP)
    examination: Text | None = governed(C.medical, "体格检查", keep=KEEP)
    injuries: list[Injury] | None = governed(C.medical, "体表伤图", keep=KEEP, max_length=100)
    tests: Text | None = governed(C.medical, "检查", keep=KEEP)
    diagnosis: Text | None = governed(C.medical, "诊断", keep=KEEP)
    treatment: Text | None = governed(C.medical, "处理", keep=KEEP)
    mental_state: Text | None = governed(C.medical, "精神状态", keep=KEEP)
    advice: Text | None = governed(C.support, "建议")
    told_to_keep_evidence: bool | None = governed(C.support, "已告知保存证据")
    safe_contact_note: Text | None = governed(C.contact, "安全联系说明")


@kind(
    "mandatory_report",
    "强制报告",
    origin=C.reporter,
    stage=Stage.received,
    order=(("found_at", "reported_at", "feedback_at"),),
)
class MandatoryReport(PartiesPart, ReporterPart, RecordFields):
    """That it was made, and by whom, is itself secret (2020 opinion 13): its origin needs `reporter`.

    Others see a report: fields under a report's names (`told_as`); what no report has is left out.
    """

    subject_name: Short | None = governed(
        C.minor, "疑似被侵害人姓名", pii=Pii.name, lookup="child.name", told_as="children.name"
    )
    subject_id_number: IdNumber | None = governed(
        C.minor, "疑似被侵害人身份证号", pii=Pii.id_number, lookup="child.id_number", told_as="children.id_number"
    )
    subject_sex: Sex | None = governed(C.minor, "疑似被侵害人性别", pii=Pii.code, told_as="children.sex")
    subject_address: Short | None = governed(C.minor, "疑似被侵害人住址", told_as="children.address")
    subject_phone: Phone | None = governed(
        C.minor, "疑似被侵害人电话", pii=Pii.phone, lookup="child.phone", told_as="children.phone"
    )
    guardian_name: Short | None = governed(C.minor, "法定代理人", pii=Pii.name, told_as="children.guardian")
    guardian_phone: Phone | None = governed(C.minor, "法定代理人电话", pii=Pii.phone, told_as="children.guardian_phone")
    department: Short | None = governed(C.reporter, "报告科室")
    circumstance: ReportCircumstance = required(C.facts, "报告情形")
    detail: Text = required(C.facts, "具体情况", told_as="what")
    found_at: Instant | None = governed(C.facts, "发现时间", told_as="happened_at")
    region: RegionCode | None = governed(C.routine, "区划", sets=Stamp.region)
    police_unit: Short | None = governed(C.reporter, "报告的公安机关")
    reported_at: Instant = required(C.reporter, "报告时间")
    police_receipt: Short | None = governed(C.reporter, "回执号")
    feedback: Text | None = governed(C.reporter, "公安反馈")
    feedback_at: Instant | None = governed(C.reporter, "反馈时间")
    remarks: Text | None = governed(C.reporter, "备注")
