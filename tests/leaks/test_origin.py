"""A mandatory report is told as an anonymous one (2020 opinion 13): nothing that either lacks may tell them apart.

`told` makes the same story twice, by a school and by nobody; police who do not see `reporter` ask about both.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from hub import admin, casework
from hub.models.legal_codes import ReportCircumstance
from tests import enrol
from tests.forms import minimal
from tests.test_attachments import PNG
from tests.test_intake import case_of, report
from tests.world import HOME, Caller, World, instant, pair, someone


@dataclass(frozen=True, slots=True)
class Story:
    """A case that began with a report about a child."""

    case: str
    child: dict[str, str]
    made: dict[str, str]


async def by_school(world: World) -> Story:
    school, child = await world.agency("school"), someone()
    sent = {f"subject_{name}": child[name] for name in ("name", "id_number", "phone")}
    sent |= {"circumstance": next(iter(ReportCircumstance)).value, "detail": "同一件事", "region": HOME}
    made = await school.filed("mandatory_report", pair() | sent | {"reported_at": instant()})
    return Story(made["case_id"], child, made)


async def by_nobody(world: World) -> Story:
    child = someone()
    named = {name: child[name] for name in ("name", "id_number", "phone")}
    made = await report(world, what="同一件事", region=HOME, children=[named], **pair())
    return Story(str((await case_of(world.services, made))["id"]), child, made)


async def told(world: World) -> tuple[Story, Story]:
    return await by_school(world), await by_nobody(world)


async def found(caller: Caller, **wanted: str) -> list[str]:
    answer = await caller.post("/v1/cases/search", json=wanted)
    assert answer.status_code == 200, answer.text
    return [case["id"] for case in answer.json()["items"]]


async def test_the_child_is_found_in_both(world: World) -> None:
    """By id number, and by name with birth date; a stranger's number (the control) finds nothing."""
    police = await world.agency("police")
    for story in await told(world):
        assert await found(police, id_number=story.child["id_number"]) == [story.case]
        by_name = {name: story.child[name] for name in ("name", "birth_date")}
        assert await found(police, **by_name) == [story.case]
    assert await found(police, id_number=someone()["id_number"]) == []


async def test_the_child_is_a_party_in_both(world: World) -> None:
    """Whoever shares the child's id number or phone is in conflict; a colleague (the control) is not."""
    for story in await told(world):
        path = f"/v1/cases/{story.case}"
        for number, phone in ((story.child["id_number"], ""), (someone()["id_number"], story.child["phone"])):
            name = f"kin-{uuid.uuid4().hex[:8]}"
            new = admin.NewAccount(f"{HOME}-police", name, "caseworker", number, phone=phone)
            await admin.add_accounts(world.services, [new])
            assert (await (await world.agency("police", person=name)).get(path)).status_code == 404
        assert (await (await world.agency("police")).get(path)).status_code == 200


async def amended(school: Caller, record: str, patch: dict[str, Any]) -> None:
    tag = (await school.get(f"/v1/records/{record}")).headers["etag"]
    answer = await school.send("PATCH", f"/v1/records/{record}", json=patch, headers={"If-Match": tag})
    assert answer.status_code == 204, answer.text


async def versions(world: World, story: Story) -> list[tuple[int, bool]]:
    """History numbers as the police see them, and whether each was made when its record was."""
    items = (await (await world.agency("police")).get(f"/v1/cases/{story.case}/history")).json()["items"]
    return [(item["version"], item["made_at"] == item["record"]["at"]) for item in items]


async def test_amending_does_not_tell(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report has one version for ever; so has a mandatory report that its school corrected, but for the school
    itself. The control: once the origin is open, the police see three."""
    school, (theirs, nobodys) = await world.agency("school"), await told(world)
    for detail in ("改一", "改二"):
        await amended(school, theirs.made["id"], {"detail": detail})
    assert await versions(world, theirs) == await versions(world, nobodys) == [(1, True)]
    own = (await school.get(f"/v1/cases/{theirs.case}/history", purpose="case_handling")).json()["items"]
    assert [item["version"] for item in own] == [1, 2, 3]
    monkeypatch.setattr(casework, "origin_known", lambda item: True)
    assert [number for number, _ in await versions(world, theirs)] == [1, 2, 3]


async def test_a_file_does_not_tell(world: World) -> None:
    """What a school attaches is called as a reporter's picture is, but for the school itself (the control)."""
    theirs, nobodys = await told(world)
    school, police = await world.agency("school"), await world.agency("police")
    named = {"File-Name": "%E5%BC%BA%E5%88%B6%E6%8A%A5%E5%91%8A.png"}
    await school.post(f"/v1/records/{theirs.made['id']}/attachments", content=PNG, headers=named)
    secret = {"Receipt-Secret": nobodys.made["secret"]}
    await world.http.post(f"/v1/reports/{nobodys.made['receipt']}/photos", content=PNG, headers=secret)
    seen = []
    for story in (theirs, nobodys):
        (record,) = (await police.get(f"/v1/cases/{story.case}/records")).json()["items"]
        (file,) = (await police.get(f"/v1/records/{record['id']}/attachments")).json()["items"]
        content = await police.get(f"/v1/attachments/{file['id']}")
        seen.append((file | {"id": ""}, content.headers["content-disposition"], content.content))
    assert seen[0] == seen[1]
    (own,) = (await school.get(f"/v1/records/{theirs.made['id']}/attachments")).json()["items"]
    assert own["name"] == "强制报告.png"


async def test_a_place_not_given_is_not_the_reporter_s(world: World) -> None:
    """Two schools of two townships report and name no place: police who may not know who reported see the place of
    the unit on duty, as after a report that gave none; a place that is given (the control) stands."""
    townships = [code for code in world.services.directory.regions if code.startswith(HOME) and code[9:] == "000"][1:3]
    shown = []
    for township in townships:
        school = await enrol.agency(world, "school", region=township)
        body = minimal("mandatory_report") | pair()
        for more in ({}, {"region": township}):
            made = await (await school.caller()).filed("mandatory_report", body | more | pair())
            shown.append((await (await world.agency("police")).get(f"/v1/cases/{made['case_id']}")).json()["region"])
    assert shown[1::2] == townships and shown[0] == shown[2] == HOME.ljust(12, "0")
