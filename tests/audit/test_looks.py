"""A security officer's look at one case is in the log under that case (T12), and names no case it did not find."""

import asyncio
import re
import uuid
from typing import Any

import pytest

from hub import admin, clock, oversight, people
from tests import enrol, logbook
from tests.world import AWAY, HOME, Caller, World, call, pair, someone


async def looks(world: World, case: str) -> list[str]:
    """Acts of the entries that name the case, oldest first."""
    return [row["act"] for row in sorted(await logbook.about(world.services, case), key=lambda row: row["at"])]


async def test_a_look_at_a_case_is_found_there(world: World) -> None:
    """By the case's id or by its reference in the log; a look at everything (the control) names no case."""
    police, auditor = await world.agency("police"), await world.person("auditor")
    case = (await police.filed("police_call", call()))["case_id"]
    for _ in range(oversight.FEW_CASES):
        await police.filed("police_call", call())
    await auditor.get("/v1/audit/entries")
    assert await looks(world, case) == ["create"]
    ref = world.services.vault.pseudonym("case", uuid.UUID(case).bytes)
    for n, name in enumerate((case, str(ref)), 1):
        shown = (await auditor.get("/v1/audit/entries", params={"case": name})).json()["items"]
        assert len(shown) == n and all(item["body"] for item in shown)
        assert await looks(world, case) == ["create"] + ["audit-read"] * n
    (newest,) = (await auditor.get("/v1/audit/entries", params={"case": case, "limit": 1})).json()["items"]
    assert newest["act"] == "audit-read" and newest["body"]["query"] == "log:case"


async def test_a_look_at_few_cases_is_found_there(world: World) -> None:
    """Who narrows by person and time until one entry is left has looked at its case; and what he asked for is said."""
    police, auditor, officer = await world.agency("police"), await world.person("auditor"), await enrol.person(world)
    case, since = (await police.filed("police_call", call()))["case_id"], clock.text(clock.now())
    await (await officer.enters()).get(f"/v1/cases/{case}")
    asked = {"who": officer.login, "act": "read", "since": since}
    (found,) = (await auditor.get("/v1/audit/entries", params=asked)).json()["items"]
    assert await looks(world, case) == ["create", "read", "audit-read"]
    (look,) = await world.log(case=case, act="audit-read")
    assert look["body"]["asked"] == {"who": [found["actor"]], "act": "read", "since": since}


async def test_an_auditor_who_is_a_party_finds_nothing_of_the_case(world: World) -> None:
    """The respondent himself: no entry that names it, however he asks; another auditor (the control) finds them, and
    that he asked."""
    police, person, parties = await world.agency("police"), someone()["id_number"], pair()
    parties |= {"respondent_id_number": person}
    case, other = [(await police.filed("police_call", call(p)))["case_id"] for p in (parties, pair())]
    himself = await (await enrol.person(world, f"{HOME}-school", "auditor", person)).enters("audit")
    found: list[dict[str, Any]] = []
    for asked in ({"case": case}, {"unit": f"{HOME}-police", "act": "create", "limit": "200"}, {}):
        found += (await himself.get("/v1/audit/entries", params=asked)).json()["items"]
    ref, theirs = (str(world.services.vault.pseudonym("case", uuid.UUID(c).bytes)) for c in (case, other))
    named = {ref for item in found for ref in item["cases"]}
    assert ref not in named and theirs in named
    (created,) = await world.log(case=case, act="create")
    opened = f"/v1/audit/entries/{created['chain']}/{created['n']}"
    absent = await himself.post(f"/v1/audit/entries/{uuid.uuid4()}/1", json={"reason": "x y"})
    barred = await himself.post(opened, json={"reason": "x y"})
    assert (barred.status_code, barred.text) == (absent.status_code, absent.text) and absent.status_code == 404
    assert len(await world.log(case=case, outcome="conflict")) == 2
    number = (await police.get(f"/v1/cases/{case}")).json()["number"]
    mine, nobodys = [await himself.get("/v1/audit/entries", params={"case": n}) for n in (number, number[:-2] + "22")]
    assert (mine.status_code, mine.text) == (nobodys.status_code, nobodys.text) and mine.status_code == 422
    assert len(await world.log(case=case, outcome="conflict")) == 3
    assert (await (await world.person("auditor")).post(opened, json={"reason": "x y"})).status_code == 200


async def test_who_looked_for_her_is_found_among_the_looks_at_her(world: World) -> None:
    """Another county finds nothing by her number, and leaves an entry under her case. Who looks for somebody unknown
    again and again is seen to look for the same."""
    parties, away = pair(), await world.agency("police", region=AWAY)
    case = (await (await world.agency("police")).filed("police_call", call(parties)))["case_id"]
    unknown = someone()["id_number"]
    for number in (parties["victim_id_number"], unknown, unknown):
        answer = await away.post("/v1/cases/search", json={"id_number": number})
        assert answer.json() == {"items": [], "next": None}
    (entry,) = await world.log(case=case, unit=f"{AWAY}-police")
    assert (entry["act"], entry["outcome"], entry["body"]["tried"]) == ("deny", "deny", "search")
    sought = [item["body"]["asked"]["sought"] for item in await world.log(unit=f"{AWAY}-police", act="search")][:3]
    assert sought[0] == sought[1] != sought[2] == entry["body"]["asked"]["sought"]


async def test_what_a_list_was_narrowed_by_is_said(world: World) -> None:
    """What is left out of a list tells something too."""
    police, since = await world.agency("police"), clock.text(clock.now())
    await police.get("/v1/cases", params={"risk": "high", "status": "open"})
    (entry,) = await world.log(unit=f"{HOME}-police", act="list", since=since)
    assert entry["body"]["asked"] == {"risk": "high", "status": "open"}


async def test_a_look_that_finds_nothing_is_found_there(world: World) -> None:
    """That nobody was turned away from a case is told about that case, too."""
    police, auditor = await world.agency("police"), await world.person("auditor")
    case = (await police.filed("police_call", call()))["case_id"]
    ref = world.services.vault.pseudonym("case", uuid.UUID(case).bytes)
    for n, name in enumerate((case, str(ref)), 1):
        answer = await auditor.get("/v1/audit/entries", params={"case": name, "outcome": "conflict"})
        assert answer.json()["items"] == []
        assert await looks(world, case) == ["create"] + ["audit-read"] * n


async def test_a_look_at_no_case_names_none(world: World) -> None:
    auditor, nothing = await world.person("auditor"), str(uuid.uuid4())
    assert (await auditor.get("/v1/audit/entries", params={"case": nothing})).json()["items"] == []
    assert await looks(world, nothing) == []


async def reviews(caller: Caller) -> int:
    return (await caller.get("/v1/audit/entries?limit=1")).status_code


async def test_a_review_asks_itself_whether_its_session_lives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended elsewhere, idle or disabled: refused at once, though the session is remembered; and only then. Without
    the question in its statement (the control) the review goes on."""
    police = await enrol.agency(world)
    officers = [await enrol.person(world, police.code, "auditor") for _ in range(5)]
    callers = [await officer.enters("audit") for officer in officers]
    assert [await reviews(caller) for caller in callers] == [200] * 5
    left, idle, disabled, changed, control = callers
    database = world.services.database
    await people.logout(world.services, left.headers["Authorization"].partition(" ")[2])
    sql = "UPDATE session SET seen_at = now() - interval '31 minutes' WHERE account_id = $1"
    await database.execute(sql, officers[1].id)
    await admin.disable(world.services, "accounts", officers[2].login)
    assert [await reviews(caller) for caller in (left, idle, disabled)] == [401] * 3
    await database.execute("UPDATE account SET rev = rev + 1 WHERE id = $1", officers[3].id)
    row = await database.fetchrow("SELECT rev FROM account WHERE id = $1", officers[3].id)
    assert row["rev"] == 2 and await reviews(changed) == 200, "what was remembered is looked up again"
    with monkeypatch.context() as patch:
        patch.setattr(oversight, "still_living", lambda services, subject, first: ("TRUE", ()))
        assert await reviews(control) == 200
        await people.logout(world.services, control.headers["Authorization"].partition(" ")[2])
        assert await reviews(control) == 200
    assert await reviews(control) == 401


@pytest.mark.parametrize("role", ["auditor", "caseworker"])
async def test_who_has_left_makes_no_entry(world: World, role: str) -> None:
    """However the request is wrong: an ended session is answered 401, and its officer did nothing. While it lives
    (the control) each refusal is his, once."""
    officer = await enrol.person(world, f"{HOME}-police", role)
    caller = await officer.enters("audit")
    asked = {
        "limit=0": 422,
        "case=x": 422,
        "who=x": 422,
        "who=%00": 422,
        "who=x&unit=%00": 422,
        "unit=x": 422,
        "cursor=x": 400,
        "no=thing": 422,
        "limit=1": 200,
    }
    if role != "auditor":
        asked |= {"limit=1": 403, "case=x": 403, "who=x": 403, "unit=x": 403, "cursor=x": 403}

    async def statuses() -> list[int]:
        return [(await caller.get(f"/v1/audit/entries?{query}")).status_code for query in asked]

    async def entries() -> int:
        return len(await world.log(who=str(officer.id)))

    before = await entries()
    assert await statuses() == list(asked.values())
    assert await entries() == before + len(asked), "control"
    await people.logout(world.services, caller.headers["Authorization"].partition(" ")[2])
    assert await statuses() == [401] * len(asked)
    assert await entries() == before + len(asked)


async def test_a_role_taken_by_hand_is_gone_within_five_seconds(world: World) -> None:
    """SQL by hand that raises no revision: what is remembered is no older than five seconds."""
    officer = await enrol.person(world, f"{HOME}-police", "auditor")
    caller = await officer.enters("audit")
    assert await reviews(caller) == 200, "control"
    await world.by_hand("UPDATE account SET role = 'caseworker' WHERE id = $1", officer.id)
    await asyncio.sleep(5)
    assert await reviews(caller) == 403


async def test_who_and_what_are_found_by_the_names_people_use(world: World) -> None:
    """An account by its login, or by its unit and its name there; a case by its number: as by their ids. Whom nobody
    knows is refused: an empty page would say that he looked at nothing."""
    police = await world.agency("police")
    made = await police.filed("police_call", call())
    number = (await police.get(f"/v1/cases/{made['case_id']}")).json()["number"]
    assert [item["n"] for item in await world.log(case=number, act="create")] == [
        item["n"] for item in await world.log(case=made["case_id"], act="create")
    ]
    officer = await enrol.person(world)
    await (await officer.enters()).get(f"/v1/cases/{made['case_id']}")
    by_id = await world.log(who=str(officer.id))
    assert by_id and await world.log(who=officer.login) == by_id
    named = {"who": "caseworker", "unit": f"{HOME}-police", "case": number, "act": "read"}
    assert [item["body"]["who"]["unit"] for item in await world.log(**named)] == [f"{HOME}-police"]
    auditor = await world.person("auditor")
    for wrong in ({"who": "caseworker"}, {"unit": "nowhere"}, {"case": number + "X"}, {"who": "x", "unit": "nowhere"}):
        answer = await auditor.get("/v1/audit/entries", params=wrong)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}" for name in wrong]


async def test_a_name_that_two_have_finds_both(world: World) -> None:
    """The login of one is the name of another, in his unit: neither hides what the other looked at."""
    officer, police = await enrol.person(world), await enrol.agency(world)
    new = admin.NewAccount(police.code, officer.login, "caseworker", someone()["id_number"])
    (other,) = await admin.add_accounts(world.services, [new])
    await officer.enters()
    caller = await police.caller(officer.login)
    assert (await caller.get("/v1/cases")).status_code == 200
    for unit, account in ((police.code, other.id), (f"{HOME}-police", officer.id)):
        found = await world.log(who=officer.login, unit=unit)
        assert {entry["body"]["who"]["account"] for entry in found} == {str(account)}


async def opened(auditor: Caller, item: dict[str, Any], reason: str = "工单 2026-17") -> dict[str, Any]:
    """One entry as it is opened for a reason."""
    answer = await auditor.post(f"/v1/audit/entries/{item['chain']}/{item['n']}", json={"reason": reason})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_records_are_named_to_who_gives_a_reason(world: World) -> None:
    """A review names no record. An entry that is opened does, and that is an access to its case, with the reason."""
    police, auditor = await world.agency("police"), await world.person("auditor")
    filed = await police.filed("police_call", call())
    await police.get(f"/v1/cases/{filed['case_id']}")
    listed = await auditor.get("/v1/audit/entries", params={"case": filed["case_id"], "act": "read"})
    (item,) = listed.json()["items"]
    assert item["body"]["rows"] == [1] and not {filed["id"], uuid.UUID(filed["id"]).hex} & {
        *re.findall(r"[\w-]+", listed.text)
    }
    seen = await opened(auditor, item)
    assert seen.pop("rows") == [{"case": item["cases"][0], "record": filed["id"], "version": 1}] and seen == item
    (look,) = await world.log(case=filed["case_id"], act="audit-read", limit=1)
    about = {"query": "entry", "entry": f"{item['chain']}:{item['n']}", "reason": "工单 2026-17"}
    assert look["body"].items() >= about.items()


async def test_a_page_of_cases_names_its_rows_too(world: World) -> None:
    """And what named none (the control) has none to name."""
    police, auditor = await world.agency("police"), await world.person("auditor")
    filed = [await police.filed("police_call", call()) for _ in range(3)]
    await police.get("/v1/cases", params={"limit": 3})
    (page,) = await world.log(act="list", limit=1)
    rows = (await opened(auditor, page))["rows"]
    assert {row["record"] for row in rows} == {made["id"] for made in filed} and len(page["cases"]) == 3
    (login,) = await world.log(act="login", limit=1)
    assert (await opened(auditor, login))["rows"] is None


async def test_the_end_of_a_case_ends_what_entries_name(world: World) -> None:
    """Without the case's key the rows stay closed; who looked, and why, stays."""
    police, auditor = await world.agency("police"), await world.person("auditor")
    filed = await police.filed("police_call", call())
    (item,) = await world.log(case=filed["case_id"], act="create")
    assert (await opened(auditor, item))["rows"]
    sql = "UPDATE cases SET key_wrapped = $2 WHERE id = $1"
    await world.services.database.execute(sql, uuid.UUID(filed["case_id"]), bytes(109))
    world.services.vault._cache.clear()
    seen = await opened(auditor, item)
    assert seen["rows"] is None and seen["body"]["who"]["unit"] == f"{HOME}-police"


@pytest.mark.parametrize(
    ("reason", "status"), [({}, 422), ({"reason": " x "}, 422), ({"reason": "查", "more": 1}, 422)]
)
async def test_no_entry_is_opened_without_a_reason(world: World, reason: dict[str, Any], status: int) -> None:
    auditor = await world.person("auditor")
    (item,) = await world.log(limit=1)
    path = f"/v1/audit/entries/{item['chain']}/{item['n']}"
    assert (await auditor.post(path, json=reason)).status_code == status
    assert (await auditor.post(path, json={"reason": "查阅"})).status_code == 200, "control"


async def test_only_an_auditor_opens_an_entry(world: World) -> None:
    """What is not there is 404, and who may not look is 403 for what is there and what is not."""
    auditor, police = await world.person("auditor"), await world.agency("police")
    (item,) = await world.log(limit=1)
    nothing = f"/v1/audit/entries/{uuid.uuid4()}/1"
    why = {"json": {"reason": "查阅"}}
    assert (await auditor.post(nothing, **why)).status_code == 404
    for path in (nothing, f"/v1/audit/entries/{item['chain']}/{item['n']}"):
        assert (await police.post(path, **why)).status_code == 403
        assert (await world.http.post(path, **why)).status_code == 401
