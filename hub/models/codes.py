"""Closed code lists: the wire word on the left, the Chinese label beside it.

A list is closed because the law or a national form closes it; sources stand at each list.
"""

from enum import StrEnum


class Code(StrEnum):
    """A code whose value is the wire word and whose `zh` is what people read."""

    zh: str

    def __new__(cls, value: str, zh: str = "") -> "Code":
        self = str.__new__(cls, value)
        self._value_ = value
        self.zh = zh or value
        return self


class Sex(Code):
    female = "female", "女"
    male = "male", "男"
    unknown = "unknown", "未说明"


class Relation(Code):
    """Respondent to victim; Anti-DV Law art. 2 and 37 (people living together are treated alike)."""

    spouse = "spouse", "配偶"
    former_spouse = "former_spouse", "前配偶"
    partner = "partner", "恋爱或同居关系"
    former_partner = "former_partner", "曾有恋爱或同居关系"
    parent = "parent", "父母（含继、养父母）"
    child = "child", "子女（含继、养子女）"
    sibling = "sibling", "兄弟姐妹"
    grandparent = "grandparent", "祖父母、外祖父母"
    in_law = "in_law", "姻亲"
    guardian = "guardian", "监护人"
    cohabitant = "cohabitant", "其他共同生活人员"
    other = "other", "其他"


class Status(Code):
    open = "open", "处理中"
    closed = "closed", "已结案"


class Stage(Code):
    received = "received", "已接收"
    handling = "handling", "处置中"
    protected = "protected", "保护令期内"
    following_up = "following_up", "跟踪回访"
    closed = "closed", "已结案"


class RiskLevel(Code):
    unknown = "unknown", "未评估"
    low = "low", "低"
    middle = "middle", "中"
    high = "high", "高"


class PartyRole(Code):
    victim = "victim", "受害人"
    respondent = "respondent", "加害人"
    child = "child", "未成年人"
    reporter = "reporter", "报案人"


class Violence(Code):
    """SPC provisions 2022 (法释〔2022〕17号) art. 3."""

    physical = "physical", "身体暴力"
    sexual = "sexual", "性暴力"
    psychological = "psychological", "精神暴力"
    economic = "economic", "经济控制"
    neglect = "neglect", "冻饿或遗弃"
    threat = "threat", "恐吓威胁"
    stalking = "stalking", "跟踪骚扰"


class Evidence(Code):
    """The eleven evidence types of SPC provisions 2022 art. 6."""

    party_statement = "party_statement", "当事人陈述"
    police_paper = "police_paper", "公安机关出具的告诫书、行政处罚决定书等"
    call_record = "call_record", "接警记录、出警记录、报警回执"
    respondent_pledge = "respondent_pledge", "悔过书、保证书"
    recording = "recording", "音视频资料"
    messages = "messages", "电话录音、短信、即时通信、邮件"
    medical_record = "medical_record", "诊疗记录"
    complaint_record = "complaint_record", "向单位、居（村）委会、妇联、民政的投诉求助记录"
    child_testimony = "child_testimony", "未成年子女陈述或证言"
    appraisal = "appraisal", "伤情鉴定意见"
    other = "other", "其他证据"


class Measure(Code):
    """Anti-DV Law art. 29; SPC provisions 2022 art. 10."""

    no_violence = "no_violence", "禁止实施家庭暴力"
    no_contact = "no_contact", "禁止骚扰、跟踪、接触"
    no_harassing_calls = "no_harassing_calls", "禁止以电话、短信等方式骚扰"
    stay_away = "stay_away", "禁止进入指定场所一定范围"
    move_out = "move_out", "责令迁出住所"
    no_lookup = "no_lookup", "禁止查询受害人及子女户籍、学校、住址、收入信息"
    other = "other", "其他必要措施"


class OrderResult(Code):
    issued = "issued", "签发"
    partly = "partly", "部分支持"
    rejected = "rejected", "驳回"
    withdrawn = "withdrawn", "撤回"


class OrderChange(Code):
    none = "none", "无"
    extended = "extended", "延长"
    varied = "varied", "变更"
    revoked = "revoked", "撤销"
    reconsidered = "reconsidered", "复议"


class Urgency(Code):
    """Referral slip of the multi-agency handbook."""

    hours = "hours", "非常紧急：数小时内"
    one_day = "one_day", "紧急：一天内"
    days = "days", "轻微：数天内"
    none = "none", "不紧急"


class Need(Code):
    police = "police", "警察介入"
    medical = "medical", "医疗"
    legal_aid = "legal_aid", "法律援助"
    appraisal = "appraisal", "伤情鉴定"
    shelter = "shelter", "庇护"
    legal_advice = "legal_advice", "法律帮助"
    counselling = "counselling", "心理辅导"
    family_care = "family_care", "老幼照顾"
    economic = "economic", "经济救助"
    other = "other", "其他"


class InjuryGrade(Code):
    none = "none", "未达轻微伤"
    slight = "slight", "轻微伤"
    minor_2 = "minor_2", "轻伤二级"
    minor_1 = "minor_1", "轻伤一级"
    serious_2 = "serious_2", "重伤二级"
    serious_1 = "serious_1", "重伤一级"


class ReportCircumstance(Code):
    """The nine circumstances of the 2020 mandatory-report opinion (高检发〔2020〕9号) art. 4, in brief."""

    sexual_injury = "sexual_injury", "隐私部位损伤"
    sexual_abuse_signs = "sexual_abuse_signs", "疑似性侵、怀孕或流产"
    multiple_injuries = "multiple_injuries", "多处损伤、营养不良或意识不清"
    abnormal_death = "abnormal_death", "非正常死亡或重伤"
    lost_abandoned = "lost_abandoned", "失踪、被遗弃或监护缺失"
    trafficked = "trafficked", "来源不明、疑似被拐卖"
    organised_begging = "organised_begging", "被组织乞讨"
    organised_crime = "organised_crime", "被组织从事违法活动"
    other_harm = "other_harm", "其他严重侵害"


class Channel(Code):
    phone = "phone", "电话"
    visit = "visit", "来访"
    letter = "letter", "来信"
    online = "online", "网络"
    referral = "referral", "转介"
    assigned = "assigned", "交办"
    patrol = "patrol", "巡查发现"


class CallKind(Code):
    """Reception type of the police call form."""

    alarm = "110", "110 报警"
    traffic = "122", "122 交通"
    hotline = "12345", "12345 转办"


class Satisfaction(Code):
    satisfied = "satisfied", "满意"
    fair = "fair", "基本满意"
    dissatisfied = "dissatisfied", "不满意"


class VisitWay(Code):
    home = "home", "上门"
    phone = "phone", "电话"
    office = "office", "约谈"
    other = "other", "其他"


class ShelterSource(Code):
    police = "police", "公安机关"
    womens_federation = "womens_federation", "妇联"
    self_ = "self", "本人求助"
    committee = "committee", "居（村）委会"
    court = "court", "法院"


class Voucher(Code):
    admonition = "admonition", "告诫书"
    order = "order", "人身安全保护令"
    call_receipt = "call_receipt", "报警回执"
    none = "none", "无"


class LeaveReason(Code):
    home = "home", "回家"
    relatives = "relatives", "亲友接走"
    escorted = "escorted", "护送返乡"
    referred = "referred", "转介"
    other = "other", "其他"


class Service(Code):
    counselling = "counselling", "心理辅导"
    mediation = "mediation", "调解"
    legal_aid = "legal_aid", "法律援助"
    relief = "relief", "救助"
    schooling = "schooling", "就学帮扶"
    employment = "employment", "就业帮扶"
    guidance = "guidance", "家庭教育指导"
    other = "other", "其他"


class Penalty(Code):
    admonished = "admonished", "训诫"
    fine = "fine", "罚款"
    judicial_detention = "judicial_detention", "司法拘留"
    administrative_detention = "administrative_detention", "行政拘留"
    criminal_detention = "criminal_detention", "刑事拘留"
    arrest = "arrest", "逮捕"
    bail = "bail", "取保候审"
    no_contact_order = "no_contact_order", "禁止接触令"
    other = "other", "其他"


class ProsecutionStep(Code):
    supervise_filing = "supervise_filing", "立案监督"
    review_arrest = "review_arrest", "审查逮捕"
    prosecute = "prosecute", "提起公诉"
    not_prosecute = "not_prosecute", "不起诉"
    suggestion = "suggestion", "检察建议"
    protest = "protest", "抗诉"


class CaseOutcome(Code):
    closed = "closed", "结案"
    referred = "referred", "转介"
    other = "other", "其他"
