"""Whatever the order in which records are filed and corrected, a case says what their current texts say."""

import asyncio
from typing import Any

import pytest

from hub import admin, clock
from tests.forms import minimal
from tests.test_amend import amended, patch, seen
from tests.test_case_state import row_of, unit
from tests.test_intake import case_of, report
from tests.world import AWAY, HOME, World, call, instant, pair, someone


async def test_an_old_slip_corrected_leaves_a_new_one_open(world: World) -> None:
    """Refused, referred to again; then the old slip turns out to have been meant for somebody else."""
    police = await world.agency("police")
    case = (await police.filed("police_call", call()))["case_id"]
    body = minimal("referral_slip", to_unit=f"{AWAY}-civil_affairs")
    old = await police.filed("referral_slip", body, case=case)
    shelter = await world.agency("civil_affairs", region=AWAY)
    no = minimal("referral_reply", accepted=False, reason="无床位")
    await shelter.filed("referral_reply", no, case=case)
    await police.filed("referral_slip", body, case=case)
    assert (await row_of(world, case))["referred"] == [unit(world, "civil_affairs", AWAY)], "control"
    await amended(police, old["id"], {"to_unit": f"{AWAY}-justice"})
    assert set((await row_of(world, case))["referred"]) == {
        unit(world, "civil_affairs", AWAY),
        unit(world, "justice", AWAY),
    }


async def test_a_second_call_takes_no_report_from_who_has_it(world: World) -> None:
    """A school elsewhere reports on the same people: its police are called in, the first ones keep what is theirs."""
    parties = pair()
    told = {"reporter_phone": "19999123125"} | parties
    case = str((await case_of(world.services, await report(world, region=HOME, what="正在打人", **told)))["id"])
    school = await world.agency("school", region=AWAY)
    again = minimal("mandatory_report", region=AWAY, reporter_phone="19999123126") | parties
    assert (await school.filed("mandatory_report", again))["case_id"] == case
    for region in (HOME, AWAY):
        intake = await world.agency("police", region=region, person="intake", purpose="intake")
        answer = await intake.get(f"/v1/cases/{case}")
        assert "19999123125" in answer.text and "19999123126" in answer.text, region


async def test_a_closed_case_has_no_open_alert(world: World) -> None:
    """Nobody could file under it any more and answer the alert: it would open shelters for ever. Police close and
    answer at once; nobody else closes before, be it by a correction."""
    case = str((await case_of(world.services, await report(world, region=HOME, what="正在打人")))["id"])
    committee, police = await world.agency("residents_committee"), await world.agency("police")
    closing = {"held_at": instant(), "subject": "x", "close_case": True}
    answer = await committee.submit("coordination", closing, case=case)
    assert answer.status_code == 403 and answer.json()["reason"] == "alert"
    made = await committee.filed("coordination", closing | {"close_case": False}, case=case)
    answer = await patch(committee, made["id"], {"close_case": True}, (await seen(committee, made["id"]))[1])
    assert answer.status_code == 403
    row = await row_of(world, case)
    assert row["status"] == "open" and row["alert_open"], "control"
    await police.filed("coordination", closing, case=case)
    row = await row_of(world, case)
    assert row["status"] == "closed" and not row["alert_open"]


@pytest.mark.parametrize("reported", [False, True])
async def test_who_is_not_told_how_it_is_handled_ends_nothing(world: World, reported: bool) -> None:
    """A school is refused in the same words whether an alert waits or not: it may be that somebody just reported by
    duty. Who is told how it is handled (the control) is told of the alert."""
    police, school, hospital = [await world.agency(unit) for unit in ("police", "school", "hospital")]
    parties, form = pair(), minimal("case_form")
    case = (await police.filed("police_call", call(parties)))["case_id"]
    made = await school.filed("case_form", form | parties)
    if reported:
        await hospital.filed("mandatory_report", minimal("mandatory_report", region=AWAY) | parties)
    closing = form | {"close_case": True}
    answers = [await school.submit("case_form", closing, case=case)]
    answers.append(await patch(school, made["id"], {"close_case": True}, (await seen(school, made["id"]))[1]))
    assert {(answer.status_code, answer.json()["reason"]) for answer in answers} == {(403, "routine")}
    federation = await world.agency("womens_federation")
    await federation.filed("federation_complaint", minimal("federation_complaint") | parties)
    own = await federation.submit("case_form", closing, case=case)
    assert own.status_code == (403 if reported else 201) and (not reported or own.json()["reason"] == "alert")


async def test_what_waits_for_the_police_is_not_sealed(world: World) -> None:
    """Sealed, a report would be seen by nobody who could come: a court waits for an answer, be it by a correction."""
    case = str((await case_of(world.services, await report(world, region=HOME, what="正在打人")))["id"])
    court, police = await world.agency("court"), await world.agency("police")
    answer = await court.submit("sealing", minimal("sealing", sealed=True), case=case)
    assert answer.status_code == 403 and answer.json()["reason"] == "alert"
    made = await court.filed("sealing", minimal("sealing", sealed=False), case=case)
    answer = await patch(court, made["id"], {"sealed": True}, (await seen(court, made["id"]))[1])
    assert answer.status_code == 403 and (await row_of(world, case))["sealed_by"] is None
    await police.filed("police_dispatch", minimal("police_dispatch"), case=case)
    await court.filed("sealing", minimal("sealing", sealed=True), case=case)
    assert (await row_of(world, case))["sealed_by"] is not None, "control"


async def test_a_case_that_two_records_close_opens_when_neither_does(world: World) -> None:
    police = await world.agency("police")
    case = (await police.filed("police_call", call()))["case_id"]
    first = await police.filed("coordination", minimal("coordination"), case=case)
    second = await police.filed("coordination", minimal("coordination", close_case=True), case=case)
    await amended(police, first["id"], {"close_case": True})
    for record, status in ((second["id"], "closed"), (first["id"], "open")):
        await amended(police, record, {"close_case": None})
        assert (await row_of(world, case))["status"] == status


async def test_she_stays_confirmed_by_the_officer_who_confirmed_her(world: World) -> None:
    """Two officers have met her; one record turns out to be about somebody else."""
    police = await world.agency("police")
    case = (await police.filed("police_call", call()))["case_id"]
    body = minimal("police_dispatch", reporter_confirmed=True)
    first, _ = [await police.filed("police_dispatch", body, case=case) for _ in range(2)]
    await amended(police, first["id"], {"reporter_confirmed": None})
    assert (await row_of(world, case))["reporter_confirmed"]


async def test_an_old_assessment_corrected_leaves_the_newest_standing(world: World) -> None:
    police = await world.agency("police")
    old = await police.filed("risk_assessment", minimal("risk_assessment", risk_level="high") | pair())
    case = old["case_id"]
    await police.filed("risk_assessment", minimal("risk_assessment", risk_level="high"), case=case)
    await amended(police, old["id"], {"risk_level": "low"})
    assert (await row_of(world, case))["risk_level"] == "high"


async def test_a_risk_that_is_no_longer_said_is_taken_back(world: World) -> None:
    police = await world.agency("police")
    case = (await police.filed("police_call", call()))["case_id"]
    made = await police.filed("visit", minimal("visit", risk_level="high"), case=case)
    assert (await row_of(world, case))["risk_level"] == "high"
    await amended(police, made["id"], {"risk_level": None})
    assert (await row_of(world, case))["risk_level"] == "unknown"


async def test_a_person_named_by_mistake_is_no_party(world: World) -> None:
    """Corrected, a record keeps nobody else's record nor an officer away: what was mistyped finds no case again."""
    police, right, wrong = await world.agency("police"), pair(), someone("female")
    mistyped = right | {f"victim_{k}": v for k, v in wrong.items()}
    made = await police.filed("police_call", call(mistyped))
    await amended(police, made["id"], {k: v for k, v in right.items() if k.startswith("victim_")})
    other = await police.filed("police_call", call(mistyped))
    assert other["case_id"] != made["case_id"], "another woman whom the same man beats has a case of her own"


async def test_an_officer_named_by_mistake_reads_again(world: World) -> None:
    """Naming him closes the case to him at once; the correction opens it."""
    police = await world.agency("police")
    made = await police.filed("police_call", call())
    key = "SELECT id_key FROM account WHERE name = 'caseworker' AND unit_id = $1"
    row = await world.services.database.fetchrow(key, unit(world, "police"))
    assert row is not None
    colleague = await world.agency("police", person="supervisor")
    number = someone("male")
    await world.by_hand(
        "UPDATE account SET phone_key = $2 WHERE name = 'caseworker' AND unit_id = $1",
        unit(world, "police"),
        world.services.vault.lookup("phone", number["phone"]),
    )
    await world.by_hand("UPDATE account SET rev = rev + 1 WHERE unit_id = $1", unit(world, "police"))
    for agency in (police, colleague):
        await until_known(agency, made["id"])
    await amended(colleague, made["id"], {"respondent_phone": number["phone"]})
    assert (await police.get(f"/v1/cases/{made['case_id']}")).status_code == 404
    await amended(colleague, made["id"], {"respondent_phone": None})
    assert (await police.get(f"/v1/cases/{made['case_id']}")).status_code == 200


async def until_known(caller: Any, record: str) -> None:
    """Until the hub has looked the account up anew."""
    async with asyncio.timeout(15):
        while (await caller.get(f"/v1/records/{record}")).status_code != 200:
            await asyncio.sleep(0.5)


async def test_a_second_report_on_a_known_case_reaches_somebody(world: World) -> None:
    police, parties = await world.agency("police"), pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    told = {"reporter_phone": "19999123127"} | parties
    assert str((await case_of(world.services, await report(world, region=HOME, what="又在打", **told)))["id"]) == case
    intake = await world.agency("police", person="intake", purpose="intake")
    assert "19999123127" in (await intake.get(f"/v1/cases/{case}")).text


async def test_a_report_does_not_end_with_the_unit_that_had_it(world: World) -> None:
    """The station on duty is dissolved before it has read the report: whoever is on duty there now reads it."""
    code = f"{HOME}-police-station"
    await admin.add_units(
        world.services, [admin.NewUnit(code, "龙洲湾派出所", "police", f"{HOME}003000", f"{HOME}-police")]
    )
    made = await report(world, region=f"{HOME}003000", what="正在打人", reporter_phone="19999123128")
    case = await case_of(world.services, made)
    assert case["intake"] == [world.services.directory.codes[code].id], "control"
    intake, since = await world.agency("police", person="intake", purpose="intake"), clock.now()
    await admin.disable(world.services, "units", code)
    (entry,) = await world.log(case=str(case["id"]), act="admin")  # how they came to it is among its entries
    assert entry["body"]["command"] == "units hand over" and entry["body"]["about"]["name"] == code
    assert "19999123128" in (await intake.get(f"/v1/cases/{case['id']}")).text
    for moment, there in ((since, True), (clock.now(), False)):  # whoever pulls what changed learns of it
        changed = (await intake.get("/v1/cases", params={"updated_since": clock.text(moment)})).json()["items"]
        assert (str(case["id"]) in [item["id"] for item in changed]) is there


async def test_what_came_before_a_process_knew_is_handed_over(world: World) -> None:
    """Another process, whose directory is a few seconds old, gives a report to a unit that was just disabled."""
    code = f"{HOME}-police-older"
    await admin.add_units(world.services, [admin.NewUnit(code, "旧所", "police", f"{HOME}004000", f"{HOME}-police")])
    directory = world.services.directory
    older = directory.codes[code]
    await admin.disable(world.services, "units", code)
    made = await report(world, region=HOME, what="正在打人")
    case = await case_of(world.services, made)
    await world.by_hand("UPDATE cases SET intake = ARRAY[$2::uuid] WHERE id = $1", case["id"], older.id)
    await admin.hand_over(world.services, code)
    assert (await row_of(world, str(case["id"])))["intake"] == [unit(world, "police")]


async def test_a_unit_that_works_again_keeps_what_it_has(world: World) -> None:
    """Disabled by mistake, and enabled before the command hands over for the second time."""
    code = f"{HOME}-police-again"
    await admin.add_units(world.services, [admin.NewUnit(code, "又开", "police", f"{HOME}005000", f"{HOME}-police")])
    await admin.disable(world.services, "units", code)
    await admin.enable(world.services, "units", code)
    case = await case_of(world.services, await report(world, region=f"{HOME}005000", what="正在打人"))
    assert case["intake"] == [world.services.directory.codes[code].id]
    await admin.hand_over(world.services, code)
    assert (await row_of(world, str(case["id"])))["intake"] == case["intake"]


async def test_a_case_that_is_sealed_no_more_has_changed_for_who_sees_it_again(world: World) -> None:
    """Civil affairs works on it, and missed the judgment that came meanwhile; a correction unseals it."""
    court, civil = await world.agency("court"), await world.agency("civil_affairs")
    case = (await (await world.agency("police")).filed("police_call", call()))["case_id"]
    await civil.filed("shelter_stay", minimal("shelter_stay"), case=case)
    made = await court.filed("sealing", minimal("sealing", sealed=True), case=case)
    since = clock.text(clock.now())

    async def pulled() -> list[str]:
        answer = await civil.get("/v1/cases", params={"updated_since": since})
        return [item["id"] for item in answer.json()["items"]]

    assert await pulled() == []
    await amended(court, made["id"], {"sealed": False})
    assert await pulled() == [case]
