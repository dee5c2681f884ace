"""What stands on a case is what the current texts of its records say, in whatever order they were corrected."""

import uuid
from typing import Any

import pytest

from tests import enrol, logbook
from tests.forms import minimal
from tests.test_amend import amended, patch, seen
from tests.test_intake import case_of, held, report
from tests.world import AWAY, HOME, World, call, pair


async def row_of(world: World, case: str) -> Any:
    return await world.services.database.fetchrow("SELECT * FROM cases WHERE id = $1", uuid.UUID(case))


def unit(world: World, unit_type: str, region: str = HOME) -> uuid.UUID:
    return world.services.directory.codes[f"{region}-{unit_type}"].id


async def refused_by_a_shelter(world: World) -> tuple[str, str]:
    """A case that was referred to a civil affairs bureau elsewhere, which refused: the case and the refusal."""
    police = await world.agency("police")
    case = (await police.filed("police_call", call()))["case_id"]
    await police.filed("referral_slip", minimal("referral_slip", to_unit=f"{AWAY}-civil_affairs"), case=case)
    shelter = await world.agency("civil_affairs", region=AWAY)
    no = minimal("referral_reply", accepted=False, reason="无床位")
    return case, (await shelter.filed("referral_reply", no, case=case))["id"]


async def test_a_word_corrected_in_a_refusal_involves_nobody(world: World) -> None:
    case, reply = await refused_by_a_shelter(world)
    shelter = await world.agency("civil_affairs", region=AWAY)
    before = (await row_of(world, case))["involved"]
    assert unit(world, "civil_affairs", AWAY) not in before, "control"
    await amended(shelter, reply, {"reason": "无空余床位"})
    assert (await row_of(world, case))["involved"] == before
    seen = (await shelter.get(f"/v1/cases/{case}")).json()
    assert [record["kind"] for record in seen["records"]] == ["referral_reply"]
    police = await world.agency("police")

    async def at_work() -> set[str]:
        return {one["code"] for one in (await police.get(f"/v1/cases/{case}")).json()["units"]}

    assert await at_work() == {f"{HOME}-police"}, "nor is it shown as one that works on it"
    await police.filed("referral_slip", minimal("referral_slip", to_unit=f"{AWAY}-civil_affairs"), case=case)
    await shelter.filed("referral_reply", minimal("referral_reply", accepted=True), case=case)
    assert await at_work() == {f"{HOME}-police", f"{AWAY}-civil_affairs"}, "control"


async def test_nobody_refers_to_a_unit_that_has_left(world: World) -> None:
    """Nobody would read it. A slip from before is still amended."""
    police, school = await world.agency("police"), await enrol.agency(world, "school")
    case = (await police.filed("police_call", call()))["case_id"]
    slip = await police.filed("referral_slip", minimal("referral_slip", to_unit=school.code), case=case)
    await world.by_hand("UPDATE unit SET disabled_at = now() WHERE code = $1", school.code)
    await world.services.directory.refresh()
    refused = await police.submit("referral_slip", minimal("referral_slip", to_unit=school.code), case=case)
    assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/to_unit"
    await amended(police, slip["id"], {"note": "补充说明"})


async def test_a_refusal_turned_into_acceptance_needs_an_open_referral(world: World) -> None:
    """The slip has gone to somebody else meanwhile."""
    police, parties = await world.agency("police"), pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    slip = await police.filed("referral_slip", minimal("referral_slip", to_unit=f"{AWAY}-civil_affairs"), case=case)
    shelter = await world.agency("civil_affairs", region=AWAY)
    no = minimal("referral_reply", accepted=False, reason="无床位")
    reply = await shelter.filed("referral_reply", no, case=case)
    await amended(police, slip["id"], {"to_unit": f"{AWAY}-justice"})
    _, tag = await seen(shelter, reply["id"])
    assert (await patch(shelter, reply["id"], {"accepted": True}, tag)).status_code == 403
    assert unit(world, "civil_affairs", AWAY) not in (await row_of(world, case))["involved"]
    await police.filed("referral_slip", minimal("referral_slip", to_unit=f"{AWAY}-civil_affairs"), case=case)
    await amended(shelter, reply["id"], {"accepted": True})
    assert unit(world, "civil_affairs", AWAY) in (await row_of(world, case))["involved"], "control"


ANSWERS = [(AWAY, "caseworker", False), (HOME, "", False), (HOME, "intake", True), (HOME, "caseworker", True)]


@pytest.mark.parametrize(("region", "person", "answers"), ANSWERS)
async def test_an_alert_is_answered_by_who_must_answer_it(
    world: World, region: str, person: str, answers: bool
) -> None:
    """By somebody of the unit on duty; not by police of another county, nor by old records that a system brings."""
    parties = pair()
    case = str((await case_of(world.services, await report(world, region=HOME, what="正在打人", **parties)))["id"])
    purpose = "case_handling" if person else "sync"
    police = await world.agency("police", region=region, person=person, purpose=purpose)
    body = {"penalty": "fine", "imposed_on": "2019-01-05"} | parties
    assert (await police.filed("penalty", body))["case_id"] == case
    row = await row_of(world, case)
    assert row["alert_open"] != answers
    assert bool(row["intake"]) == (person != "caseworker" or region == AWAY)


@pytest.mark.parametrize("author", ["hospital", "court", "womens_federation"])
async def test_only_the_unit_on_duty_hands_over(world: World, author: str) -> None:
    """A report stays with intake until their own unit has taken it up, whoever else writes about these people."""
    parties = pair()
    told = {"reporter_phone": "19999123123"} | parties
    case = str((await case_of(world.services, await report(world, region=HOME, what="正在打人", **told)))["id"])
    intake = await world.agency("police", person="intake", purpose="intake")
    assert "19999123123" in (await intake.get(f"/v1/cases/{case}")).text, "control"
    other = await world.agency(author, region=AWAY)
    assert (await other.filed("case_form", minimal("case_form") | parties))["case_id"] == case
    assert "19999123123" in (await intake.get(f"/v1/cases/{case}")).text


async def test_a_hospital_s_treatment_does_not_hide_who_reported(world: World) -> None:
    """Report and treatment come one after the other, as a hospital's system sends them."""
    hospital, parties = await world.agency("hospital"), pair()
    told = minimal("mandatory_report", region=HOME, reporter_phone="19999123124") | parties
    case = (await hospital.filed("mandatory_report", told))["case_id"]
    system = await world.agency("hospital", person="", purpose="sync")
    assert (await system.filed("treatment", minimal("treatment") | parties))["case_id"] == case
    intake = await world.agency("police", person="intake", purpose="intake")
    assert "19999123124" in (await intake.get(f"/v1/cases/{case}")).text


async def test_what_a_reporter_adds_to_a_sealed_case_is_not_swallowed(world: World) -> None:
    made = await report(world, region=HOME, what="正在打人")
    case = str((await case_of(world.services, made))["id"])
    police, court = await world.agency("police"), await world.agency("court")
    await police.filed("police_dispatch", minimal("police_dispatch"), case=case)
    await court.filed("sealing", minimal("sealing", sealed=True), case=case)
    secret = {"Receipt-Secret": made["secret"]}
    assert (await held(world, made, made["secret"])).status_code == 404, "control"
    added = await world.http.post(f"/v1/reports/{made['receipt']}/additions", json={"text": "他又来了"}, headers=secret)
    intake = await world.agency("police", person="intake", purpose="intake")
    assert added.status_code == 404 or "他又来了" in (await intake.get(f"/v1/cases/{case}")).text


async def test_what_a_unit_may_not_submit_any_more_it_does_not_amend(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule for submitting is the rule for amending (the control), also once it has been withdrawn."""
    police = await world.agency("police")
    made = await police.filed("visit", minimal("visit") | pair())
    await amended(police, made["id"], {"advice": "改"})
    monkeypatch.setattr(type(world.services.policy), "may_write", lambda *_: False)
    _, tag = await seen(police, made["id"])
    answer = await patch(police, made["id"], {"advice": "再改"}, tag)
    assert (answer.status_code, answer.json()["kind"]) == (403, "visit")


async def test_a_sealing_that_opens_a_case_seals_it(world: World) -> None:
    court = await world.agency("court")
    made = await court.filed("sealing", minimal("sealing", sealed=True))
    assert (await row_of(world, made["case_id"]))["sealed_by"] == unit(world, "court")
    assert await logbook.about(world.services, made["case_id"], "create")


async def test_a_report_whose_place_is_corrected_reaches_the_police_there(world: World) -> None:
    """A school names the wrong county; once corrected, those on duty for the right one are called in."""
    school = await world.agency("school")
    told = minimal("mandatory_report", region=AWAY, reporter_phone="19999123129") | pair()
    made = await school.filed("mandatory_report", told)
    intake = await world.agency("police", person="intake", purpose="intake")
    assert (await intake.get(f"/v1/cases/{made['case_id']}")).status_code == 404, "control"
    await amended(school, made["id"], {"detail": "补充"})
    assert (await intake.get(f"/v1/cases/{made['case_id']}")).status_code == 404, "the place stays the same"
    await amended(school, made["id"], {"region": HOME})
    assert "19999123129" in (await intake.get(f"/v1/cases/{made['case_id']}")).text
    assert (await row_of(world, made["case_id"]))["alert_open"]


async def test_a_confirmation_never_reaches_another_s_receipt(world: World) -> None:
    """He reports first, in her name. She reports herself; an officer meets her and says so, by the names of both."""
    police, parties = await world.agency("police"), pair()
    his = await report(world, region=HOME, what="他报的", reporter_is_victim=True, **parties)
    hers = await report(world, region=HOME, what="她报的", reporter_is_victim=True, **parties)
    assert (await case_of(world.services, his))["id"] != (await case_of(world.services, hers))["id"], "control"
    body = minimal("police_dispatch", result="已带离加害人", reporter_confirmed=True) | parties
    assert (await police.submit("police_dispatch", body)).status_code == 422
    case = str((await case_of(world.services, hers))["id"])
    await police.filed("police_dispatch", body, case=case)
    assert "已带离加害人" in (await held(world, hers, hers["secret"])).text
    answer = await held(world, his, his["secret"])
    assert answer.status_code == 200 and "已带离加害人" not in answer.text


async def test_a_report_does_not_take_a_case_back_to_its_beginning(world: World) -> None:
    """Neither one who reports again nor a call that comes in; what is done about it moves the case (the control)."""
    parties, police = pair(), await world.agency("police")
    case = (await police.filed("police_call", call(parties)))["case_id"]
    assert (await row_of(world, case))["stage"] == "received", "control: where it begins"
    visit = await police.filed("visit", minimal("visit"), case=case)
    assert (await row_of(world, case))["stage"] == "following_up"
    again = await case_of(world.services, await report(world, region=HOME, what="又来了", **parties))
    assert str(again["id"]) == case == (await police.filed("police_call", call(parties)))["case_id"]
    assert visit["case_id"] == case and (await row_of(world, case))["stage"] == "following_up"
    await police.filed("penalty", minimal("penalty"), case=case)
    assert (await row_of(world, case))["stage"] == "handling", "control"
