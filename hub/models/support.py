"""Women's federation complaint (妇联信访、12338) and services given: 2018 federation procedure art. 6-14."""

from typing import Annotated

from pydantic import Field as Limits

from hub.models.base import RecordFields, kind
from hub.models.codes import Channel, Service, Stage, Violence
from hub.models.fields import Category, Pii, Stamp, governed, required
from hub.models.party import PartiesPart
from hub.models.values import Instant, PastDay, Phone, RegionCode, Short, Text

C = Category


@kind("federation_complaint", "妇联投诉登记", stage=Stage.received)
class FederationComplaint(PartiesPart, RecordFields):
    received_at: Instant = required(C.routine, "受理时间")
    channel: Channel | None = governed(C.reporter, "来源")
    region: RegionCode | None = governed(C.routine, "发生地", sets=Stamp.region)
    complainant: Short | None = governed(C.reporter, "信访人", pii=Pii.name)
    complainant_relation: Short | None = governed(C.reporter, "信访人与受害人关系")
    complainant_phone: Phone | None = governed(C.reporter, "信访人电话", pii=Pii.phone, lookup="reporter.phone")
    complainant_address: Short | None = governed(C.reporter, "信访人住址")
    handled_administratively: bool | None = governed(C.facts, "是否经行政处理")
    litigated: bool | None = governed(C.facts, "是否诉讼")
    violence: list[Violence] | None = governed(C.facts, "暴力形式", max_length=7)
    violence_at: Short | None = governed(C.facts, "暴力时间与地点")
    cause: Text | None = governed(C.facts, "起因")
    consequence: Text | None = governed(C.facts, "后果")
    narrative: Text = required(C.facts, "情况")
    earlier_help: Text | None = governed(C.support, "以前的求助")
    wish: Text | None = governed(C.support, "求助意愿")
    companion: Short | None = governed(C.support, "随访人及关系")
    observed: Text | None = governed(C.support, "观察到的情况")
    handling: Text | None = governed(C.support, "办理过程")
    result: Text | None = governed(C.support, "办理结果")


@kind("support_service", "帮扶服务")
class SupportService(PartiesPart, RecordFields):
    """Counselling, mediation, legal aid, relief: what was given, by whom, with what result."""

    service: Service = required(C.support, "服务")
    given_on: PastDay = required(C.support, "日期")
    provider: Short | None = governed(C.support, "提供者")
    content: Text | None = governed(C.support, "内容")
    result: Text | None = governed(C.support, "结果")
    child_content: Text | None = governed(C.minor, "涉未成年人内容")
    amount_yuan: Annotated[int, Limits(ge=0, le=10_000_000)] | None = governed(C.support, "金额（元）")
    note: Text | None = governed(C.internal, "备注")
