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


class Document(Code):
    """Proof of identity other than the citizen id number, which has its own field."""

    passport = "passport", "护照"
    mainland_permit = "mainland_permit", "港澳台居民来往内地（大陆）通行证"
    residence_permit = "residence_permit", "港澳台居民居住证或外国人永久居留证"
    birth_certificate = "birth_certificate", "出生医学证明"
    other = "other", "其他"


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


class Violence(Code):
    """SPC provisions 2022 (法释〔2022〕17号) art. 3."""

    physical = "physical", "身体暴力"
    sexual = "sexual", "性暴力"
    psychological = "psychological", "精神暴力"
    economic = "economic", "经济控制"
    neglect = "neglect", "冻饿或遗弃"
    threat = "threat", "恐吓威胁"
    stalking = "stalking", "跟踪骚扰"


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


class CallStatus(Code):
    """Where a call stands."""

    received = "received", "已接警"
    dispatched = "dispatched", "已派警"
    arrived = "arrived", "已到达"
    reported = "reported", "已反馈"
    closed = "closed", "已办结"


class FeedbackKind(Code):
    """Reason of a feedback slip (反馈单)."""

    feedback = "feedback", "反馈"
    returned = "returned", "退回"
    follow_up = "follow_up", "回访"


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


class RoomZone(Code):
    """Separation by sex and age: 民发〔2015〕189号."""

    women = "women", "女性区"
    men = "men", "男性区"
    mother_child = "mother_child", "母子区"
    minors = "minors", "未成年人区"
    elderly = "elderly", "老年区"


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


class CaseOutcome(Code):
    closed = "closed", "结案"
    referred = "referred", "转介"
    other = "other", "其他"
