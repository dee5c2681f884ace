"""Procuratorate and criminal trial: filing supervision, support of suit, prosecution, judgment, sealing."""

from hub.models.base import RecordFields, kind
from hub.models.fields import Category, Stamp, governed, required
from hub.models.legal_codes import ProsecutionStep
from hub.models.party import PartiesPart
from hub.models.values import Day, PastDay, Short, Text

C = Category


@kind("supervision", "检察监督")
class Supervision(PartiesPart, RecordFields):
    """Supervision of non-filing, suggestions, follow-through (法发〔2015〕4号 art. 10)."""

    step: ProsecutionStep = required(C.judicial, "事项")
    decided_on: PastDay = required(C.judicial, "日期")
    addressed_to: Short | None = governed(C.judicial, "对象")
    content: Text | None = governed(C.judicial, "内容")
    reply: Text | None = governed(C.judicial, "回复")
    facts: Text | None = governed(C.facts, "案情")
    note: Text | None = governed(C.internal, "协调说明")


@kind("suit_support", "支持起诉")
class SuitSupport(PartiesPart, RecordFields):
    applied_on: PastDay = required(C.judicial, "日期")
    matter: Short | None = governed(C.judicial, "事由")
    opinion: Text | None = governed(C.judicial, "支持起诉意见")
    evidence_help: Text | None = governed(C.evidence, "协助取证")
    result: Text | None = governed(C.judicial, "结果")
    facts: Text | None = governed(C.facts, "案情")


@kind("prosecution", "审查逮捕与公诉")
class Prosecution(PartiesPart, RecordFields):
    step: ProsecutionStep = required(C.judicial, "环节")
    decided_on: PastDay = required(C.judicial, "日期")
    charge: Short | None = governed(C.judicial, "罪名")
    content: Text | None = governed(C.judicial, "内容")
    facts: Text | None = governed(C.facts, "事实")
    child_care: Text | None = governed(C.minor, "涉未成年人安排")


@kind("judgment", "裁判", order=(("decided_on", "ends_on"),))
class Judgment(PartiesPart, RecordFields):
    """Criminal, divorce, custody or guardianship judgment."""

    decided_on: PastDay = required(C.judicial, "日期")
    case_number: Short | None = governed(C.judicial, "案号")
    cause: Short | None = governed(C.judicial, "案由")
    result: Text = required(C.judicial, "结果")
    sentence: Text | None = governed(C.measures, "刑罚或处理")
    ends_on: Day | None = governed(C.measures, "刑期届满")
    found_facts: Text | None = governed(C.facts, "认定事实")
    custody: Text | None = governed(C.minor, "抚养与监护")


@kind("sealing", "封存")
class Sealing(RecordFields):
    """Seals the case for everyone but the sealing unit (court or a minor's record)."""

    sealed: bool = required(C.judicial, "封存", sets=Stamp.sealed)
    decided_on: PastDay = required(C.judicial, "日期")
    basis: Short | None = governed(C.judicial, "依据")
