"""A case with more records than an answer holds shows the newest: what happened last is what a station needs."""

import asyncio
from collections.abc import Iterator

import pytest

from hub import casework
from hub.casework import RECORDS_AT_ONCE
from tests.forms import minimal
from tests.test_amend import amended
from tests.test_intake import case_of, held, report
from tests.world import HOME, World, call, pair


async def test_the_newest_records_are_shown(world: World) -> None:
    """In the order in which they were filed, in the case and in its list; the oldest (the control) give way."""
    police = await world.agency("police")
    first = await police.filed("police_call", call())
    path, filed = f"/v1/cases/{first['case_id']}", [first["id"]]
    for _ in range(RECORDS_AT_ONCE + 2):
        filed.append((await police.filed("visit", minimal("visit"), case=first["case_id"]))["id"])
    for url, name in ((path, "records"), (f"{path}/records", "items")):
        shown = [record["id"] for record in (await police.get(url)).json()[name]]
        assert shown == filed[-RECORDS_AT_ONCE:] and first["id"] not in shown


async def test_who_sends_much_hides_nothing_of_an_agency_s(world: World) -> None:
    """The holder of a receipt adds more than an answer holds: what police filed is shown all the same, in its place
    in time, beside as many of his; of these (the control) the oldest give way."""
    police, parties = await world.agency("police"), pair()
    made = await report(world, region=HOME, **parties)
    case, url = str((await case_of(world.services, made))["id"]), f"/v1/reports/{made['receipt']}/additions"
    filed = await police.filed("police_call", call(parties), case=case)
    sent = {"json": {"text": "x"}, "headers": {"Receipt-Secret": made["secret"]}}
    for _ in range(RECORDS_AT_ONCE // 20):
        answers = await asyncio.gather(*(world.http.post(url, **sent) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {201}
    for path, name in ((f"/v1/cases/{case}", "records"), (f"/v1/cases/{case}/records", "items")):
        shown = (await police.get(path)).json()[name]
        assert [record["id"] for record in shown].index(filed["id"]) == 0 and len(shown) == RECORDS_AT_ONCE + 1
        assert [record["at"] for record in shown] == sorted(record["at"] for record in shown)
        assert {record["kind"] for record in shown[1:]} == {"report_addition"}


@pytest.fixture
def few(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """An answer holds a handful: of one's own records and of others', and of versions likewise."""
    monkeypatch.setattr(casework, "RECORDS", casework._newest(6, " AND n.current"))
    monkeypatch.setattr(casework, "VERSIONS", casework._newest(6, "", ", n.version"))
    texts = world.services.policy.judge.alike
    texts.clear()
    yield 6
    texts.clear()


async def added(world: World, made: dict[str, str], count: int) -> None:
    url, sent = f"/v1/reports/{made['receipt']}/additions", {"headers": {"Receipt-Secret": made["secret"]}}
    for _ in range(count):
        assert (await world.http.post(url, json={"text": "x"}, **sent)).status_code == 201


async def test_nor_from_the_history(world: World, few: int) -> None:
    """The same with what happened: versions are shown in time, whole records give way, those of reports first."""
    police, centre, parties = await world.agency("police"), await world.agency("joint_centre"), pair()
    made = await report(world, region=HOME, **parties)
    case = str((await case_of(world.services, made))["id"])
    await added(world, made, few)
    filed = await police.filed("police_call", call(parties), case=case)
    for text in ("改一", "改二"):
        await amended(police, filed["id"], {"content": text})
    own = (await centre.filed("coordination", minimal("coordination"), case=case))["id"]
    shown = (await centre.get(f"/v1/cases/{case}/history")).json()["items"]
    assert [item["version"] for item in shown if item["record"]["id"] == filed["id"]] == [1, 2, 3]
    assert [item["record"]["kind"] for item in shown[:3]] == ["report_addition"] * 3
    assert len(shown) == few + 1 and shown[-1]["record"]["id"] == own
    assert [item["record"]["at"] for item in shown] == sorted(item["record"]["at"] for item in shown)


async def test_what_is_hidden_takes_no_place_of_what_is_shown(world: World, few: int) -> None:
    """Who reported fills an answer with what he adds: as much of it is shown once police have acted, which he must not
    learn. So for a school, which is not told what others file; that does not shrink in its eyes as its own grows."""
    police, school, parties = await world.agency("police"), await world.agency("school"), pair()
    made = await report(world, region=HOME, what="报案", **parties)
    case = str((await case_of(world.services, made))["id"])
    await added(world, made, few + 2)
    alone = (await held(world, made, made["secret"])).json()["records"]
    slip = minimal("referral_slip", to_unit=f"{HOME}-school")
    for _ in range(2):
        await police.filed("police_dispatch", minimal("police_dispatch"), case=case)
    await police.filed("referral_slip", slip, case=case)
    beside = (await held(world, made, made["secret"])).json()["records"]
    assert len(alone) == len(beside) == few and [r["id"] for r in alone] == [r["id"] for r in beside]
    await school.filed("referral_reply", minimal("referral_reply", accepted=True), case=case)
    told = []
    for _ in range(few + 2):
        await school.filed("coordination", minimal("coordination"), case=case)
        seen = (await school.get(f"/v1/cases/{case}")).json()
        told.append((seen.get("shared"), len(seen["records"])))
    assert {str(shared) for shared, _ in told} == {str(told[0][0])} and told[-1][1] == few
