"""A43: concurrent edits lose nothing; 428 and 412 are exact; every version stays; a purpose amends what it opens."""

import asyncio
import os
import uuid
from typing import Any

import httpx
import pytest

from hub.models.sealed import LAST
from tests import logbook
from tests.forms import minimal
from tests.world import AWAY, Caller, World, call, pair

WRITERS = 100 if os.environ.get("HUB_TEST_FULL") else 20


async def patch(
    caller: Caller, record: str, body: Any, tag: str | None = None, purpose: str | None = None
) -> httpx.Response:
    headers = {"If-Match": tag} if tag is not None else {}
    return await caller.send("PATCH", f"/v1/records/{record}", json=body, headers=headers, purpose=purpose)


async def seen(caller: Caller, record: str, purpose: str | None = None) -> tuple[dict[str, Any], str]:
    answer = await caller.get(f"/v1/records/{record}", purpose=purpose)
    assert answer.status_code == 200, answer.text
    return answer.json()["fields"], answer.headers["etag"]


async def amended(caller: Caller, record: str, body: Any, purpose: str | None = None) -> None:
    _, tag = await seen(caller, record, purpose)
    answer = await patch(caller, record, body, tag, purpose)
    assert answer.status_code == 204, answer.text


async def add_one(caller: Caller, record: str, *, careful: bool) -> None:
    """Read, add one, write. The careful use the tag that came with what they read; the careless a newer one."""
    while True:
        fields, tag = await seen(caller, record)
        if not careful:
            await asyncio.sleep(0.02)
            tag = (await seen(caller, record))[1]
        answer = await patch(caller, record, {"fine_yuan": fields["fine_yuan"] + 1}, tag)
        if answer.status_code == 204:
            return
        assert (answer.status_code, answer.json()["code"]) == (412, "stale")


async def counted(world: World, *, careful: bool) -> tuple[int, list[int]]:
    police = await world.agency("police")
    body = {"penalty": "fine", "imposed_on": "2024-01-05", "fine_yuan": 0} | pair()
    made = await police.filed("penalty", body)
    await asyncio.gather(*(add_one(police, made["id"], careful=careful) for _ in range(WRITERS)))
    fields, _ = await seen(police, made["id"])
    history = (await police.get(f"/v1/cases/{made['case_id']}/history")).json()["items"]
    entries = await logbook.rows(world.services, "w = $1", uuid.UUID(made["id"]))
    assert [row["n"] for row in entries] == [item["version"] for item in history] == list(range(1, len(history) + 1))
    return fields["fine_yuan"], [item["record"]["fields"]["fine_yuan"] for item in history]


async def test_no_lost_updates(world: World) -> None:
    """20 writers each add one: the sum is 20, and the versions count 0, 1, 2 ... 20."""
    total, versions = await counted(world, careful=True)
    assert total == WRITERS and versions == list(range(WRITERS + 1))


async def test_lost_updates_would_show(world: World) -> None:
    """The control: writers that send another tag than they read lose updates, and the sum shows it."""
    total, versions = await counted(world, careful=False)
    assert total < WRITERS and versions[-1] == total


async def test_preconditions(world: World) -> None:
    """428 without If-Match, 412 for any tag but the current one; neither makes a version."""
    police = await world.agency("police")
    record = (await police.filed("police_call", call()))["id"]
    _, first = await seen(police, record)
    for none in (None, "", "*"):
        missing = await patch(police, record, {"weapon": "刀"}, none)
        assert (missing.status_code, missing.json()["code"]) == (428, "if_match_required")
    for wrong in ('"x"', f"W/{first}", first.strip('"'), '""'):
        assert (await patch(police, record, {"weapon": "刀"}, wrong)).status_code == 412
    assert (await patch(police, record, {"weapon": "刀"}, first)).status_code == 204
    assert (await patch(police, record, {"weapon": "棍"}, first)).status_code == 412
    fields, second = await seen(police, record)
    assert fields["weapon"] == "刀" and second != first
    assert (await patch(police, record, {"weapon": "刀"}, second)).status_code == 204
    assert (await seen(police, record))[1] == second, "no version when nothing changed"


async def test_merge_patch(world: World) -> None:
    """RFC 7396: null removes, absent stays, a list is replaced; what is required cannot be removed."""
    police = await world.agency("police")
    made = await police.filed("police_call", call(weapon="刀", violence=["physical", "threat"], ongoing=True))
    await amended(police, made["id"], {"weapon": None, "violence": ["stalking"]})
    fields, tag = await seen(police, made["id"])
    assert "weapon" not in fields and fields["violence"] == ["stalking"] and fields["ongoing"] is True
    for bad in ({"content": None}, {"nonsense": 1}, {"weapon": 5}, {"content": "x" * 20_001}, {"id": "x"}):
        answer = await patch(police, made["id"], bad, tag)
        assert answer.status_code == 422 and answer.json()["errors"], bad
    for not_object in ([], "x", 1, None):
        assert (await patch(police, made["id"], not_object, tag)).status_code == 400
    assert (await seen(police, made["id"]))[1] == tag
    history = (await police.get(f"/v1/cases/{made['case_id']}/history")).json()["items"]
    assert [item["record"]["fields"].get("weapon") for item in history] == ["刀", None]


async def test_a_purpose_amends_only_what_it_opens(world: World) -> None:
    """`follow_up` hides facts and masks support: neither can be patched, nor changes when something else is."""
    police = await world.agency("police")
    body = {"handling": "到场劝阻", "victim_wish": "不愿追究", "result": "批评教育"} | pair()
    record = (await police.filed("police_dispatch", body))["id"]
    _, tag = await seen(police, record, "follow_up")
    for name, category in (("handling", "facts"), ("scene", "facts"), ("victim_wish", "support")):
        answer = await patch(police, record, {name: "改"}, tag, "follow_up")
        assert (answer.status_code, answer.json()["category"]) == (403, category)
    await amended(police, record, {"result": "出具告诫书", "victim_phone": "+86 199-9912-3456"}, "follow_up")
    fields, _ = await seen(police, record)
    assert fields["handling"] == "到场劝阻" and fields["victim_wish"] == "不愿追究"
    assert fields["result"] == "出具告诫书" and fields["victim_phone"] == "19999123456"
    found = await police.post("/v1/cases/search", json={"phone": "19999123456"})
    assert len(found.json()["items"]) == 1
    _, tag = await seen(police, record, "follow_up")
    for bad in ({"victim_phone": "12"}, {"result": ""}, {"victim_id_number": "990000199001010000"}):
        assert (await patch(police, record, bad, tag, "follow_up")).status_code == 422


async def test_only_the_author_amends(world: World) -> None:
    """Another unit on the case: 403. A stranger, an absent record: 404, alike."""
    police, court, parties = await world.agency("police"), await world.agency("court"), pair()
    record = (await police.filed("police_call", call(parties)))["id"]
    order = {"applied_at": call()["called_at"], "facts_and_reasons": "x"} | parties
    await court.filed("order_application", order)
    tag = (await court.get(f"/v1/records/{record}")).headers["etag"]
    assert (await patch(court, record, {"content": "改"}, tag)).status_code == 403
    away = await world.agency("police", region=AWAY)
    strange = [await patch(away, r, {"content": "改"}, tag) for r in (record, str(uuid.uuid4()))]
    assert {(a.status_code, a.text) for a in strange} == {(404, strange[0].text)}
    assert (await seen(police, record))[0]["content"] != "改"


async def test_etags_follow_what_is_seen(world: World) -> None:
    """A hidden edit leaves a viewer's ETag alone, a visible one does not; 304 is logged like any read."""
    police, federation, parties = await world.agency("police"), await world.agency("womens_federation"), pair()
    made = await police.filed("police_dispatch", {"handling": "x", "statements": "笔录"} | parties)
    await federation.filed("federation_complaint", {"received_at": call()["called_at"], "narrative": "x"} | parties)
    url = f"/v1/cases/{made['case_id']}"
    first = (await federation.get(url)).headers["etag"]
    await amended(police, made["id"], {"statements": "另一份笔录"})
    assert (await federation.get(url)).headers["etag"] == first
    before = len(await logbook.about(world.services, made["case_id"], "read"))
    unchanged = await federation.get(url, headers={"If-None-Match": first})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert len(await logbook.about(world.services, made["case_id"], "read")) == before + 1
    await amended(police, made["id"], {"handling": "y"})
    assert (await federation.get(url, headers={"If-None-Match": first})).status_code == 200


@pytest.mark.parametrize("form", ["statements", "handling"])
async def test_old_versions_stay_as_they_were_sealed(world: World, form: str) -> None:
    """A version's envelopes are never rewritten: the old row is byte for byte the same after an amendment."""
    police = await world.agency("police")
    made = await police.filed("police_dispatch", {"handling": "x", "statements": "y"} | pair())
    sql = "SELECT c_facts, c_evidence, c_victim, leaf_hash FROM record WHERE id = $1 AND version = $2"
    old = tuple(await world.services.database.fetchrow(sql, uuid.UUID(made["id"]), 1) or ())
    await amended(police, made["id"], {form: "改"})
    assert old == tuple(await world.services.database.fetchrow(sql, uuid.UUID(made["id"]), 1) or ())
    new = tuple(await world.services.database.fetchrow(sql, uuid.UUID(made["id"]), 2) or ())
    same = [a == b for a, b in zip(old, new, strict=True)]
    assert same == [form != "handling", form != "statements", True, False]


async def test_a_record_that_has_all_its_versions_says_so(world: World) -> None:
    """The last number there is may be used (the control); the one after is refused, and nothing is lost."""
    police = await world.agency("police")
    body = {"penalty": "fine", "imposed_on": "2024-01-05", "fine_yuan": 1} | pair()
    record = (await police.filed("penalty", body))["id"]
    await world.by_hand("UPDATE record SET version = $2 WHERE id = $1", uuid.UUID(record), LAST - 1)
    await amended(police, record, {"fine_yuan": 2})
    fields, tag = await seen(police, record)
    answer = await patch(police, record, {"fine_yuan": 3}, tag)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert await seen(police, record) == (fields, tag) and fields["fine_yuan"] == 2


async def test_a_corrected_referral_closes_what_it_opened(world: World) -> None:
    """The unit first addressed by mistake sees the case no more; one that another slip addresses as well still does."""
    police, federation, parties = await world.agency("police"), await world.agency("womens_federation"), pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    right, wrong, both = (f"{AWAY}-{unit_type}" for unit_type in ("civil_affairs", "justice", "hospital"))
    slips = []
    for sender, unit in ((police, wrong), (police, both), (federation, both)):
        body = minimal("referral_slip", to_unit=unit) | parties
        slips.append((sender, (await sender.filed("referral_slip", body, case=case))["id"]))
    callers = [await world.agency(unit.partition("-")[2], region=AWAY) for unit in (right, wrong, both)]

    async def open_to() -> list[int]:
        return [(await caller.get(f"/v1/cases/{case}")).status_code for caller in callers]

    assert await open_to() == [404, 200, 200], "control"
    await amended(police, slips[0][1], {"note": "误填"})
    assert await open_to() == [404, 200, 200], "the unit stays the same"
    for sender, slip in slips[:2]:
        await amended(sender, slip, {"to_unit": right})
        assert await open_to() == [200, 404, 200]
    await amended(federation, slips[2][1], {"to_unit": right})
    assert await open_to() == [200, 404, 404]


async def test_a_refusal_corrected_is_a_refusal_still(world: World) -> None:
    """A word corrected in it does not involve the unit, which saw the case before and sees it no more; nor does it
    accept after all what it has refused: it must be asked again."""
    police, unit = await world.agency("police"), f"{AWAY}-civil_affairs"
    addressed, parties = await world.agency("civil_affairs", region=AWAY), pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    await police.filed("referral_slip", minimal("referral_slip", to_unit=unit) | parties, case=case)
    assert "content" in (await addressed.get(f"/v1/cases/{case}")).text
    refusal = minimal("referral_reply", accepted=False, reason="床位已满")
    reply = (await addressed.filed("referral_reply", refusal, case=case))["id"]
    assert "victim_name" not in (await addressed.get(f"/v1/cases/{case}")).text
    await amended(addressed, reply, {"reason": "床位已满，请转他处"})
    assert "victim_name" not in (await addressed.get(f"/v1/cases/{case}")).text
    tag = (await addressed.get(f"/v1/records/{reply}")).headers["ETag"]
    changed = await addressed.send(
        "PATCH", f"/v1/records/{reply}", content=b'{"accepted": true}', headers={"If-Match": tag}
    )
    assert changed.status_code == 403 and "victim_name" not in (await addressed.get(f"/v1/cases/{case}")).text


async def test_a_unit_named_twice_is_named_until_both_are_corrected(world: World) -> None:
    police, court, parties = await world.agency("police"), await world.agency("court"), pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    away, unit = await world.agency("police", region=AWAY), f"{AWAY}-police"
    body = minimal("order_service", assist_units=[unit, unit]) | parties
    services = [(await court.filed("order_service", body, case=case))["id"] for _ in range(2)]
    for service, status in ((None, 200), (services[0], 200), (services[1], 404)):
        if service:
            await amended(court, service, {"assist_units": [f"{AWAY}-court"]})
        assert (await away.get(f"/v1/cases/{case}", purpose="protection_order")).status_code == status


async def test_a_version_sets_only_what_it_changed(world: World) -> None:
    """A word corrected in an old record leaves the case as a newer one found it: whoever was taken for the victim, and
    is not any more, does not become her again."""
    police, parties = await world.agency("police"), pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    old = await police.filed("police_dispatch", minimal("police_dispatch", reporter_confirmed=True), case=case)

    async def confirmed() -> Any:
        sql = "SELECT reporter_confirmed AS c FROM cases WHERE id = $1"
        return (await world.services.database.fetchrow(sql, uuid.UUID(case)) or {})["c"]

    assert await confirmed()
    new = await police.filed("police_dispatch", minimal("police_dispatch", reporter_confirmed=False), case=case)
    await amended(police, old["id"], {"victim_moved_out": False})
    assert not await confirmed(), "the newest record has the last word"
    await amended(police, new["id"], {"reporter_confirmed": None})
    assert await confirmed(), "control: what it says no more leaves the word to the one before"
    await amended(police, old["id"], {"reporter_confirmed": False})
    assert not await confirmed()
    answer = await patch(police, old["id"], {"reporter_confirmed": True}, (await seen(police, old["id"]))[1])
    assert answer.status_code == 422 and not await confirmed(), (
        "it may have come to another's case: a new record says it"
    )


async def test_a_case_closed_by_mistake_opens_again(world: World) -> None:
    """By a correction of the record that closed it; another word in it leaves the case closed."""
    police = await world.agency("police")
    case = (await police.filed("police_call", call()))["case_id"]
    made = await police.filed("coordination", minimal("coordination", close_case=True), case=case)
    url = f"/v1/cases/{case}"

    async def state() -> tuple[str, str]:
        seen = (await police.get(url)).json()
        return seen["status"], seen["stage"]

    assert await state() == ("closed", "closed")
    assert (await police.submit("visit", minimal("visit"), case=case)).status_code == 404
    await amended(police, made["id"], {"decision": "改"})
    assert await state() == ("closed", "closed")
    await amended(police, made["id"], {"close_case": False})
    assert await state() == ("open", "handling")
    await police.filed("visit", minimal("visit"), case=case)
    await amended(police, made["id"], {"close_case": True})
    assert await state() == ("closed", "closed")
