"""Forms as the law and practice have them: times in order on every kind, rules across fields, closed lists."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from hub.models.catalogue import KINDS, fields_of
from hub.models.legal_codes import AdmonitionEvidence, Evidence, ReportCircumstance
from tests.forms import minimal
from tests.leaks import canaries
from tests.world import World, call, instant, pair

CHAINS = [(kind, a, b) for kind, model in KINDS.items() for chain in model.order for a, b in pairwise(chain)]


def refused(kind: str, body: dict[str, Any]) -> list[str]:
    """The types of the findings; none when the body is good."""
    try:
        KINDS[kind].model_validate_json(orjson.dumps(body))
    except ValidationError as error:
        return [found["type"] for found in error.errors()]
    return []


@pytest.mark.parametrize(("kind", "earlier", "later"), CHAINS)
def test_times_run_forwards(kind: str, earlier: str, later: str) -> None:
    """Every listed pair, on the full form: as written it is good, the later one a year before it is not."""
    body = canaries.body(kind)
    assert refused(kind, body) == []
    assert refused(kind, body | {later: "2001" + body[later][4:]}) == ["time_order"]


def test_every_pair_of_times_that_has_an_order_is_listed() -> None:
    """Ends, deadlines and next dates follow what they end: a new form must say so too."""
    listed = {(kind, name) for kind, model in KINDS.items() for chain in model.order for name in chain}
    following = ("ends_on", "left_at", "valid_until", "next_due", "planned_leave", "first_visit_due", "feedback_at")
    for kind, model in KINDS.items():
        for name in following:
            assert name not in model.model_fields or (kind, name) in listed, (kind, name)


def test_rules_across_fields() -> None:
    reply = minimal("referral_reply")
    assert refused("referral_reply", reply | {"accepted": True}) == []
    assert refused("referral_reply", reply | {"accepted": False}) == ["reason"]
    assert refused("referral_reply", reply | {"accepted": False, "reason": "无床位"}) == []
    risk = minimal("risk_assessment")
    for flag in ("suffocation", "other_lethal_act"):
        assert refused("risk_assessment", risk | {flag: True, "risk_level": "low"}) == ["red_flag"]
        assert refused("risk_assessment", risk | {flag: True, "risk_level": "high"}) == []
        assert refused("risk_assessment", risk | {flag: False, "risk_level": "low"}) == []
    appraisal = minimal("appraisal")
    assert refused("appraisal", appraisal | {"experts": ["甲"]}) == ["too_short"]
    assert refused("appraisal", appraisal | {"experts": ["甲", "乙"]}) == []


async def test_the_reason_reaches_the_caller_in_both_languages(world: World) -> None:
    police = await world.agency("police")
    for language, words in (("zh", "有红旗项的，风险等级应为高"), ("en", "a red flag means high")):
        body = minimal("risk_assessment", suffocation=True, risk_level="low") | pair()
        answer = await police.post(
            "/v1/records/risk_assessment", json=body, headers={"Idempotency-Key": "flag", "Accept-Language": language}
        )
        assert answer.status_code == 422 and answer.json()["errors"][0]["detail"] == words


def test_closed_lists_have_the_length_the_law_gives_them() -> None:
    """SPC provisions 2022 art. 6: eleven; 2020 opinion art. 4: nine; 2024 opinion art. 3-4: two and eight."""
    assert (len(Evidence), len(ReportCircumstance), len(AdmonitionEvidence)) == (11, 9, 10)


def test_persons_without_a_citizen_id_number() -> None:
    """A passport is told apart, kept whole and masked to its length: its digits have no harmless part."""
    body = call({"victim_name": "某", "victim_document": "passport", "victim_document_number": "E12345678"})
    assert refused("police_call", body) == []
    assert refused("police_call", body | {"victim_document": "library card"}) == ["enum"]
    info = next(i for i in fields_of(KINDS["police_call"]) if i.name == "victim_document_number")
    assert (info.category, info.pii) == ("victim", "text")


async def test_what_a_complainant_leaves_is_the_reporter_s(world: World) -> None:
    """Phone and address of somebody who complains for another are `reporter`, closed to other units."""
    federation, police = await world.agency("womens_federation"), await world.agency("police")
    body = minimal("federation_complaint", complainant="邻居", complainant_phone="19999123456") | pair()
    made = await federation.filed("federation_complaint", body)
    await police.filed("police_call", call({k: v for k, v in body.items() if k.startswith(("victim", "resp"))}))
    seen = await police.get(f"/v1/cases/{made['case_id']}")
    assert seen.status_code == 200 and "19999123456" not in seen.text and instant()[:4] in seen.text
