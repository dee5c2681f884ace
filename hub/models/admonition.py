"""Criticism (批评教育), admonition (告诫书) and penalties: Anti-DV Law art. 16-17; 公通字〔2024〕34号 9-12."""

from typing import Annotated

from pydantic import Field as Limits

from hub.models.base import RecordFields, kind
from hub.models.codes import Stage
from hub.models.fields import Category, Pii, Stamp, governed, required
from hub.models.legal_codes import AdmonitionEvidence, Penalty
from hub.models.party import PartiesPart
from hub.models.values import Day, Instant, PastDay, Short, Text, UnitCode

C = Category


@kind("criticism", "批评教育", stage=Stage.handling)
class Criticism(PartiesPart, RecordFields):
    """Recorded with the head fields of an admonition (2024 opinion art. 7)."""

    given_at: Instant = required(C.measures, "批评教育时间")
    facts: Text | None = governed(C.facts, "事实")
    content: Text | None = governed(C.evidence, "批评教育内容")
    officer: Short | None = governed(C.internal, "民警", pii=Pii.name)
    victim_moved_out: bool | None = governed(C.internal, "受害人已搬离", sets=Stamp.relocated)


@kind(
    "admonition",
    "告诫书",
    stage=Stage.following_up,
    order=(
        ("given_on", "delivered_respondent_at"),
        ("given_on", "delivered_victim_at"),
        ("given_on", "notified_committee_at"),
        ("given_on", "notified_federation_at"),
        ("given_on", "notified_centre_at"),
        ("given_on", "first_visit_due"),
    ),
)
class Admonition(PartiesPart, RecordFields):
    """Text goes to respondent, victim and police file only; committee, federation and centre get notice."""

    letter_number: Short | None = governed(C.measures, "文号")
    given_on: PastDay = required(C.measures, "告诫日期")
    facts: Text = required(C.facts, "事实（时间、地点、方式）")
    evidence_basis: list[AdmonitionEvidence] | None = governed(C.evidence, "证据", max_length=10)
    respondent_admits: bool | None = governed(C.evidence, "加害人是否承认")
    legal_basis: Short | None = governed(C.evidence, "法律依据")
    letter_text: Text | None = governed(C.evidence, "告诫书正文")
    prohibited: Text | None = governed(C.evidence, "禁止内容")
    consequence: Text | None = governed(C.evidence, "再犯后果")
    issuing_station: Short | None = governed(C.measures, "公安机关")
    officer: Short | None = governed(C.internal, "民警", pii=Pii.name)
    read_aloud_filmed: bool | None = governed(C.evidence, "宣读录像")
    signed: bool | None = governed(C.evidence, "是否签名捺印")
    refusal_note: Text | None = governed(C.evidence, "拒签说明")
    delivered_respondent_at: Instant | None = governed(C.measures, "送达加害人时间")
    delivered_victim_at: Instant | None = governed(C.measures, "送达受害人时间")
    notified_committee_at: Instant | None = governed(C.measures, "通知居（村）委会时间")
    notified_federation_at: Instant | None = governed(C.measures, "通知妇联时间")
    notified_centre_at: Instant | None = governed(C.measures, "通知综治中心时间")
    notified_units: list[UnitCode] | None = governed(C.routine, "通知单位", sets=Stamp.named, max_length=50)
    first_visit_due: Day | None = governed(C.measures, "首次查访期限")
    visit_plan: Text | None = governed(C.visit, "查访计划")


@kind("penalty", "处罚与强制措施", stage=Stage.handling, order=(("imposed_on", "ends_on"),))
class PenaltyRecord(PartiesPart, RecordFields):
    """Detention, fine, bail, no-contact order: what was imposed, by whom, until when."""

    penalty: Penalty = required(C.measures, "种类")
    imposed_on: PastDay = required(C.measures, "决定日期")
    ends_on: Day | None = governed(C.measures, "届满或释放日期")
    days: Annotated[int, Limits(ge=0, le=36500)] | None = governed(C.measures, "天数")
    fine_yuan: Annotated[int, Limits(ge=0, le=100_000_000)] | None = governed(C.measures, "罚款（元）")
    basis: Short | None = governed(C.measures, "依据")
    facts: Text | None = governed(C.facts, "事实")
    document_number: Short | None = governed(C.measures, "决定书文号")
