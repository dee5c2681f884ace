"""Which case a record is filed under: by whom its parties are, as far as somebody who may say so has said it."""

import uuid
from typing import Any

import pytest

from hub import admin
from tests.forms import minimal
from tests.world import AWAY, HOME, Caller, World, call, instant, pair, someone

PLACE = {"place": "某街道", "region": f"{HOME}000000"}
ID_NUMBERS = ("victim_id_number", "respondent_id_number")


def without(parties: dict[str, str], *words: str) -> dict[str, str]:
    return {name: value for name, value in parties.items() if not any(word in name for word in words)}


def by_phone(parties: dict[str, str]) -> dict[str, str]:
    return without(parties, "id_number", "birth")


def by_number(parties: dict[str, str]) -> dict[str, str]:
    return {name: parties[name] for name in ID_NUMBERS}


async def told(world: World, **said: Any) -> None:
    answer = await world.http.post("/v1/reports", json=PLACE | said)
    assert answer.status_code == 201, answer.text


async def case_of(caller: Caller, parties: dict[str, str], **more: Any) -> str:
    return str((await caller.filed("police_call", call(parties), **more))["case_id"])


async def officer(world: World) -> tuple[Caller, dict[str, str]]:
    """An officer of the local police, and what is known of him."""
    himself, name = someone("male"), f"officer-{uuid.uuid4().hex[:8]}"
    new = admin.NewAccount(f"{HOME}-police", name, "caseworker", himself["id_number"], himself["phone"])
    await admin.add_accounts(world.services, [new])
    return await world.agency("police", person=name, purpose="emergency_response"), himself


async def corrected(caller: Caller, record: str, **patch: Any) -> Any:
    tag = (await caller.get(f"/v1/records/{record}")).headers["etag"]
    return await caller.send("PATCH", f"/v1/records/{record}", json=patch, headers={"If-Match": tag})


async def test_a_report_with_false_numbers_splits_no_case(world: World) -> None:
    """Whoever knows names and phones could else cut her case off from all that is filed with her true number."""
    police, federation = await world.agency("police"), await world.agency("womens_federation")
    for reports in (0, 1):
        parties = pair()
        case = await case_of(police, by_phone(parties))
        if reports:
            await told(world, **(by_phone(parties) | by_number(pair())))
            records = (await police.get(f"/v1/cases/{case}")).json()["records"]
            assert [record["kind"] for record in records] == ["police_call", "report"]
        complaint = {"received_at": instant(), "narrative": "x"} | parties
        assert (await federation.filed("federation_complaint", complaint))["case_id"] == case


async def test_a_report_brings_nobody_elses_records(world: World) -> None:
    """Joined by their numbers, it names another couple by phone: theirs are not filed with these. Neither are those of
    whose numbers it gives beside phones."""
    police, away = await world.agency("police"), await world.agency("police", region=AWAY)
    for ours, theirs in ((by_number, by_phone), (by_phone, by_number)):
        parties, others = pair(), pair()
        case = await case_of(police, ours(parties))
        await told(world, **(ours(parties) | theirs(others)))
        assert case not in [await case_of(away, theirs(others)) for _ in range(2)]
        assert await case_of(police, ours(parties)) == case  # the control


async def test_filed_under_the_wrong_case(world: World) -> None:
    """A record that names a case and other people stays where it was put, and draws nothing after it. One that knows
    one of the two is of this case, though the other stood there by a wrong number."""
    police, committee = await world.agency("police"), await world.agency("residents_committee")
    ours, theirs = pair(), pair()
    case = await case_of(police, ours)
    form = {"received_at": instant(), "detail": "x"}
    wrong = await committee.filed("case_form", form | theirs, case=case)
    assert wrong["case_id"] == case and await case_of(police, theirs) != case
    assert await case_of(police, by_phone(theirs)) != case
    right = pair()
    typed = await case_of(police, right | {"victim_id_number": someone("female")["id_number"]})
    await committee.filed("case_form", form | right, case=typed)
    assert await case_of(police, right) == typed


async def test_a_correction_draws_no_other_couple_in(world: World) -> None:
    police, committee = await world.agency("police"), await world.agency("residents_committee")
    ours, theirs = pair(), pair()
    case = await case_of(police, ours)
    form = await committee.filed("case_form", {"received_at": instant(), "detail": "x"} | ours, case=case)
    assert (await corrected(committee, form["id"], **theirs)).status_code == 204
    assert await case_of(police, theirs) != case and await case_of(police, ours) == case


async def test_a_name_is_corrected_whole_or_not(world: World) -> None:
    """A purpose that hides the phone cannot make the key of both anew: the old one would go on to bring her records."""
    police = await world.agency("police")
    parties, name = by_phone(pair()), someone("female")["name"]
    made = await police.filed("police_call", call(parties))
    url, prosecution = f"/v1/records/{made['id']}", {"purpose": "prosecution"}
    tag = {"If-Match": (await police.get(url, **prosecution)).headers["etag"]}
    refused = await police.send("PATCH", url, json={"victim_name": name}, headers=tag, **prosecution)
    assert (refused.status_code, refused.json()["category"]) == (403, "contact")
    patched = await police.send("PATCH", url, json={"content": "更正"}, headers=tag, **prosecution)
    assert patched.status_code == 204
    assert (await corrected(police, made["id"], victim_name=name)).status_code == 204
    assert await case_of(police, parties) != made["case_id"]
    assert await case_of(police, parties | {"victim_name": name}) == made["case_id"]


@pytest.mark.parametrize("when", ["at first", "corrected"])
async def test_who_becomes_a_party_reads_no_more(world: World, when: str) -> None:
    """Of a report by duty that opened its case all whom it names count, also those whom its correction names."""
    (himself, about), hospital = await officer(world), await world.agency("hospital")
    phone = about["phone"] if when == "at first" else someone()["phone"]
    report = minimal("mandatory_report") | by_phone(pair()) | {"respondent_phone": phone, "region": f"{HOME}000000"}
    made = await hospital.filed("mandatory_report", report)
    if when == "corrected":
        assert (await himself.get(f"/v1/cases/{made['case_id']}")).status_code == 200  # the control
        assert (await corrected(hospital, made["id"], respondent_phone=about["phone"])).status_code == 204
    assert (await himself.get(f"/v1/cases/{made['case_id']}")).status_code == 404


@pytest.mark.parametrize("report", [False, True])
async def test_what_a_report_says_bars_nobody_for_good(world: World, report: bool) -> None:
    """The police took an officer for the respondent, by phone, and put it right; that somebody told of a child with his
    phone keeps him out no longer."""
    police, (himself, about), parties = await world.agency("police"), await officer(world), pair()
    case = await case_of(police, parties)
    wrong = {"handling": "x"} | parties | {"respondent_phone": about["phone"]}
    made = await police.filed("police_dispatch", wrong)
    assert made["case_id"] == case and (await himself.get(f"/v1/cases/{case}")).status_code == 404
    if report:
        await told(world, **by_number(parties), children=[{"phone": about["phone"]}])
    assert (await corrected(police, made["id"], respondent_phone=parties["respondent_phone"])).status_code == 204
    assert (await himself.get(f"/v1/cases/{case}")).status_code == 200


async def test_who_files_on_himself_is_seen(world: World) -> None:
    """The respondent, an officer, files a call on both: not in her case, which he may not find, and marked for a
    security officer. A colleague's (the control) is not."""
    (himself, about), police, victim = await officer(world), await world.agency("police"), pair()
    parties = victim | {f"respondent_{name}": value for name, value in about.items()}
    case = await case_of(police, parties)
    own = await case_of(himself, parties)
    outcomes = [[e["outcome"] for e in await world.log(case=c, act="create")] for c in (case, own)]
    assert own != case and outcomes == [["permit"], ["conflict"]]
    assert (await himself.get(f"/v1/cases/{own}")).status_code == 404
