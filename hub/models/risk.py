"""Risk assessment: the level is `routine`, the answers, score and reasons are `risk`.

A machine score never decides alone (PIPL art. 24): the assessor states the level and the reasons.
"""

from typing import Annotated, Self

from pydantic import Field as Limits
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from hub.models.base import RecordFields, kind
from hub.models.codes import RiskLevel
from hub.models.fields import Category, Pii, Stamp, governed, required
from hub.models.party import PartiesPart
from hub.models.values import Instant, Short, Text

C = Category


@kind("risk_assessment", "风险评估")
class RiskAssessment(PartiesPart, RecordFields):
    """Nine scored questions and two red flags of the Chinese lethality scale; any flag means high."""

    assessed_at: Instant = required(C.risk, "评估时间")
    instrument: Short | None = governed(C.risk, "量表")
    threat_to_kill: bool | None = governed(C.risk, "威胁杀害")
    believes_capable: bool | None = governed(C.risk, "相信其会下手")
    controls_life: bool | None = governed(C.risk, "控制日常生活")
    exclusive_claim: bool | None = governed(C.risk, "扬言得不到就毁掉")
    suicide_threat: bool | None = governed(C.risk, "以自杀相威胁")
    die_together: bool | None = governed(C.risk, "扬言同归于尽")
    threat_to_family: bool | None = governed(C.risk, "威胁亲属")
    harm_expected: bool | None = governed(C.risk, "预计两个月内再受害")
    surveillance: bool | None = governed(C.risk, "跟踪监视")
    suffocation: bool | None = governed(C.risk, "红旗：扼颈或窒息")
    other_lethal_act: bool | None = governed(C.risk, "红旗：其他致命行为")
    score: Annotated[int, Limits(ge=0, le=100)] | None = governed(C.risk, "得分")
    risk_level: RiskLevel = required(C.routine, "风险等级", pii=Pii.code, sets=Stamp.risk_level)
    reasons: Text | None = governed(C.risk, "理由")
    assessor: Short | None = governed(C.internal, "评估人", pii=Pii.name)
    signed: bool | None = governed(C.risk, "受害人签名")

    @model_validator(mode="after")
    def _a_red_flag_is_high(self) -> Self:
        if (self.suffocation or self.other_lethal_act) and self.risk_level not in (None, RiskLevel.high):
            raise PydanticCustomError("red_flag", "有红旗项的，风险等级应为高 / a red flag means high")
        return self
