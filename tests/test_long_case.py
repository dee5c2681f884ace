"""A case with more records than an answer holds shows the newest: what happened last is what a station needs."""

import asyncio

import pytest

from hub import casework
from hub.casework import RECORDS_AT_ONCE
from tests.forms import minimal
from tests.test_amend import amended
from tests.test_intake import case_of, report
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
    in time; of his own (the control) the oldest give way."""
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
        assert [record["id"] for record in shown].index(filed["id"]) == 0 and len(shown) == RECORDS_AT_ONCE
        assert [record["at"] for record in shown] == sorted(record["at"] for record in shown)
        assert {record["kind"] for record in shown[1:]} == {"report_addition"}


async def test_nor_from_the_history(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with what happened: versions are shown in time, whole records give way, those of reports first."""
    monkeypatch.setattr(casework, "VERSIONS_AT_ONCE", 6)
    police, parties = await world.agency("police"), pair()
    made = await report(world, region=HOME, **parties)
    case, url = str((await case_of(world.services, made))["id"]), f"/v1/reports/{made['receipt']}/additions"
    for _ in range(6):
        sent = {"json": {"text": "x"}, "headers": {"Receipt-Secret": made["secret"]}}
        assert (await world.http.post(url, **sent)).status_code == 201
    filed = await police.filed("police_call", call(parties), case=case)
    for text in ("改一", "改二"):
        await amended(police, filed["id"], {"content": text})
    shown = (await police.get(f"/v1/cases/{case}/history")).json()["items"]
    ours = [item["version"] for item in shown if item["record"]["id"] == filed["id"]]
    assert ours == [1, 2, 3] and [item["record"]["kind"] for item in shown[:3]] == ["report_addition"] * 3
    assert len(shown) == 6
