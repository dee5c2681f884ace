"""What a caller does by its own hand opens nothing more to it, closes nothing to others, and shows nothing hidden."""

from hub import admin
from tests.forms import minimal
from tests.test_amend import amended
from tests.test_intake import case_of, report
from tests.world import HOME, World, call, pair, someone


async def test_nobody_opens_more_to_itself(world: World) -> None:
    """A school is not told what others file; it names itself, or refers the case to itself, and is not told either.
    Named by police (the control) it is."""
    police, school = await world.agency("police"), await world.agency("school")
    case = (await police.filed("police_call", call()))["case_id"]
    await police.filed("referral_slip", minimal("referral_slip", to_unit=f"{HOME}-school"), case=case)
    await school.filed("referral_reply", minimal("referral_reply", accepted=True), case=case)

    async def open_to_it() -> tuple[list[str], list[str]]:
        seen = (await school.get(f"/v1/cases/{case}")).json()
        return seen["masked"], seen["withheld"]

    before, own = await open_to_it(), {"named_units": [f"{HOME}-school"]}
    made = await school.filed("coordination", minimal("coordination"), case=case)
    await school.filed("coordination", minimal("coordination", **own), case=case)
    await school.filed("referral_slip", minimal("referral_slip", to_unit=f"{HOME}-school"), case=case)
    await amended(school, made["id"], own)
    assert await open_to_it() == before and "routine" in before[0]
    await police.filed("coordination", minimal("coordination", **own), case=case)
    assert "routine" not in (await open_to_it())[0]


async def test_what_nobody_sees_changes_nothing_that_is_seen(world: World) -> None:
    """A second record closes a closed case, in a category that a named school may not see; the first to close it (the
    control) changes what it sees."""
    police, school = await world.agency("police"), await world.agency("school")
    case = (await police.filed("police_call", call()))["case_id"]
    await police.filed("coordination", minimal("coordination", named_units=[f"{HOME}-school"]), case=case)
    both = [await police.filed("coordination", minimal("coordination"), case=case) for _ in range(2)]

    async def seen_by_it() -> tuple[str, str]:
        answer = await school.get(f"/v1/cases/{case}")
        return answer.headers["etag"], answer.json()["updated_at"]

    seen = [await seen_by_it()]
    for record in both:
        await amended(police, record["id"], {"close_case": True})
        seen.append(await seen_by_it())
    assert seen[0][0] != seen[1][0] and seen[0][1] < seen[1][1], "control"
    assert seen[1] == seen[2]


async def test_a_report_takes_no_officer_for_a_party(world: World) -> None:
    """Somebody who knows an officer's number names it as a child's, or as another of the respondent's: the officer goes
    on reading the case. So with his id number as a child's. Named by an agency (the control), he does not."""
    parties, centre = pair(), await world.agency("joint_centre")
    me = someone()
    new = admin.NewAccount(f"{HOME}-police", f"ding-{me['phone']}", "caseworker", me["id_number"], me["phone"])
    await admin.add_accounts(world.services, [new])
    officer, police = await world.agency("police", person=new.name), await world.agency("police")
    case = (await police.filed("police_call", call(parties)))["case_id"]

    async def reads(child: dict[str, str], **told: str) -> int:
        more = {"children": [{"name": "某"} | child]} if child else {}
        again = await case_of(world.services, await report(world, region=HOME, what="又", **parties | told, **more))
        assert str(again["id"]) == case
        return (await officer.get(f"/v1/cases/{case}")).status_code

    assert await reads({}) == 200, "control"
    assert await reads({"id_number": me["id_number"]}) == 200
    assert await reads({"phone": me["phone"]}) == await reads({}, respondent_phone=me["phone"]) == 200
    school = await world.agency("school")
    duty = minimal("mandatory_report", region=HOME) | parties | {"respondent_phone": me["phone"]}
    assert (await school.filed("mandatory_report", duty))["case_id"] == case
    assert (await officer.get(f"/v1/cases/{case}")).status_code == 200, "else he knew which it was"
    await centre.filed("support_service", minimal("support_service") | parties | {"respondent_phone": me["phone"]})
    assert (await officer.get(f"/v1/cases/{case}")).status_code == 404
