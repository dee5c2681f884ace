"""Closed code lists of the law: evidence, proxies, measures, penalties, mandatory reports. See `codes.py`."""

from hub.models.codes import Code


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


class AdmonitionEvidence(Code):
    """What an admonition rests on: 公通字〔2024〕34号 art. 3 (admission, statement) and the eight kinds of art. 4."""

    admission = "admission", "加害人陈述（无异议）"
    statement = "statement", "受害人陈述或证人证言"
    recording = "recording", "视听资料"
    messages = "messages", "电话录音、短信、即时通信、邮件"
    witness = "witness", "亲友、邻居等证人证言"
    child_testimony = "child_testimony", "未成年子女证言"
    respondent_pledge = "respondent_pledge", "悔过书、保证书"
    appraisal = "appraisal", "伤情鉴定意见"
    medical_record = "medical_record", "诊疗记录"
    complaint_record = "complaint_record", "投诉、反映或求助记录"


class Consent(Code):
    """On what basis evidence was taken."""

    consent = "consent", "本人同意或提交"
    guardian = "guardian", "监护人或代理人同意或提交"
    duty = "duty", "依职权"
    request = "request", "依调取函"
    other = "other", "其他"


class Proxy(Code):
    """Who may apply for the victim: Anti-DV Law art. 23; SPC provisions 2022 art. 2."""

    near_relative = "near_relative", "近亲属"
    police = "police", "公安机关"
    womens_federation = "womens_federation", "妇联"
    committee = "committee", "居（村）委会"
    rescue_station = "rescue_station", "救助管理机构"
    civil_affairs = "civil_affairs", "民政部门"
    disabled_federation = "disabled_federation", "残联"
    elderly_body = "elderly_body", "依法设立的老年人组织"
    other = "other", "其他"


class ProxyGround(Code):
    """Why somebody applies for her: the same articles."""

    no_capacity = "no_capacity", "无民事行为能力"
    limited_capacity = "limited_capacity", "限制民事行为能力"
    coerced = "coerced", "受强制、威吓"
    elderly = "elderly", "年老"
    disabled = "disabled", "残疾"
    ill = "ill", "重病"
    other = "other", "其他原因"


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


class InjuryGrade(Code):
    none = "none", "未达轻微伤"
    slight = "slight", "轻微伤"
    minor_2 = "minor_2", "轻伤二级"
    minor_1 = "minor_1", "轻伤一级"
    serious_2 = "serious_2", "重伤二级"
    serious_1 = "serious_1", "重伤一级"


class ReportCircumstance(Code):
    """The nine circumstances of the 2020 mandatory-report opinion (高检发〔2020〕9号) art. 4, in brief."""

    sexual_injury = "sexual_injury", "隐私部位非正常损伤"
    sexual_abuse_under_14 = "sexual_abuse_under_14", "不满14周岁女性疑似遭性侵、怀孕、流产"
    pregnancy_from_14 = "pregnancy_from_14", "14周岁以上女性疑似因性侵怀孕、流产"
    multiple_injuries = "multiple_injuries", "多处损伤、严重营养不良或意识不清"
    abnormal_harm = "abnormal_harm", "自杀、自残、中毒、殴打等致伤残或死亡"
    abandoned = "abandoned", "被遗弃或长期无人照料"
    missing_or_trafficked = "missing_or_trafficked", "来源不明、失踪或被拐卖、收买"
    organised_begging = "organised_begging", "被组织乞讨"
    other_harm = "other_harm", "其他严重侵害或正面临危险"


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
