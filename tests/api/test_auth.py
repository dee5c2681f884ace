"""What a token opens and for how long: scopes, the person acted for, purposes, and disabling, which takes effect
at once on reads and within five seconds elsewhere (T20, T21)."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from hub import admin, clock
from hub.api import auth
from hub.demo.province import TYPES
from hub.demo.replay import ASSERTION, client_assertion
from hub.policies import facts
from hub.policies.decide import Policy
from hub.policies.subject import Purpose
from tests import enrol, logbook
from tests.enrol import Agency
from tests.world import AWAY, HOME, Caller, World, call, someone

READ, WRITE = "cases:read", "records:write"
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")


async def filed(agency: Agency) -> dict[str, str]:
    """A case with a record and an attachment; the ids and the victim's phone."""
    caller, body = await agency.caller(), call()
    made = await caller.filed("police_call", body)
    answer = await caller.post(f"/v1/records/{made['id']}/attachments", content=PNG)
    assert answer.status_code == 201, answer.text
    return made | {"phone": body["victim_phone"], "file": answer.json()["id"]}


def reads(made: dict[str, str]) -> list[tuple[str, str, dict[str, Any]]]:
    """Every way to read a case that one has filed."""
    case, record = f"/v1/cases/{made['case_id']}", f"/v1/records/{made['id']}"
    paths = [case, "/v1/cases?mine=true", f"{case}/records", f"{case}{record.removeprefix('/v1')}", f"{case}/history"]
    paths += [record, f"{record}/attachments", f"/v1/attachments/{made['file']}"]
    return [("GET", path, {}) for path in paths] + [("POST", "/v1/cases/search", {"json": {"phone": made["phone"]}})]


def shows(answer: httpx.Response) -> bool:
    """Does this answer hold anything of a case?"""
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200 or answer.headers["content-type"] != "application/json":
        return answer.status_code == 200
    return bool(answer.json().get("items", True))


async def open_reads(caller: Caller, made: dict[str, str]) -> int:
    """How many of the reads show something."""
    return sum([shows(await caller.send(method, path, **rest)) for method, path, rest in reads(made)])


async def writes(caller: Caller) -> int:
    return (await caller.submit("police_call", call())).status_code


async def test_scopes(world: World) -> None:
    """A system reads with `cases:read` and writes with `records:write`, as registered and as asked for."""
    police = await enrol.agency(world)
    made = await filed(police)
    everything = len(reads(made))
    reader = await enrol.client(world, police.code, f"{police.code}-reader", READ)
    writer = await enrol.client(world, police.code, f"{police.code}-writer", WRITE)
    for caller, reading, writing in (
        (await police.caller(), everything, 201),
        (await police.caller(scope=READ), everything, 403),
        (await police.caller(scope=WRITE), 0, 201),
        (await police.caller(client=reader), everything, 403),
        (await police.caller(client=writer), 0, 201),
    ):
        assert (await open_reads(caller, made), await writes(caller)) == (reading, writing)
        patch = await caller.send("PATCH", f"/v1/records/{made['id']}", json={}, headers={"If-Match": '"x"'})
        attach = await caller.post(f"/v1/records/{made['id']}/attachments", content=PNG)
        assert (patch.status_code, attach.status_code) == ((403, 403) if writing == 403 else (412, 201))
    with pytest.raises(AssertionError, match="invalid_scope"):
        await world.token(reader, scope=f"{READ} {WRITE}")


async def test_acting_for_a_person_of_the_unit(world: World) -> None:
    """On-Behalf-Of names an enabled account of the system's own unit, exactly; nobody means purpose `sync` alone."""
    police, away = await enrol.agency(world), f"{AWAY}-police"
    made = await filed(police)
    new = [(away, "elsewhere"), (police.code, "张虚构 100%")]
    accounts = [admin.NewAccount(unit, name, "caseworker", someone()["id_number"]) for unit, name in new]
    await admin.add_accounts(world.services, accounts)
    caller, path = await police.caller(), f"/v1/cases/{made['case_id']}"
    good = await caller.get(path)
    assert good.status_code == 200
    strangers = ["nobody", "elsewhere", "Worker", "worker,second", "*", str(police.ids["second"]), "login-officer"]
    for name in [*strangers, "%00", "worker%00", "%ED%A0%80", "%", "%20"]:
        answer = await caller.get(path, headers={"On-Behalf-Of": name})
        assert answer.status_code == 401 and "records" not in answer.json(), name
    assert (await caller.get(path, headers={"On-Behalf-Of": quote("张虚构 100%")})).content == good.content
    await admin.disable(world.services, "accounts", str(police.ids["second"]))
    assert (await caller.get(path, headers={"On-Behalf-Of": "张虚构 100%".encode()})).content == good.content
    assert (await caller.get(path, headers={"On-Behalf-Of": "second"})).status_code == 401
    assert (await caller.get(path)).content == good.content, "control"


async def test_a_system_alone_only_syncs(world: World) -> None:
    police = await enrol.agency(world)
    path = f"/v1/cases/{(await filed(police))['case_id']}"
    alone, acting = await police.caller(person=""), await police.caller()
    assert (await alone.get(path, purpose="sync")).status_code == 200
    assert await writes(alone) == 201
    for purpose in set(Purpose) - {Purpose.sync}:
        assert (await alone.get(path, purpose=purpose)).status_code == 403, purpose
    assert (await acting.get(path, purpose="sync")).status_code == 403, "sync is for systems"


@pytest.mark.parametrize("stated", ["", "curiosity", "CASE_HANDLING", "case_handling,emergency_response", "\xe9"])
async def test_a_purpose_is_one_of_the_list(world: World, stated: str) -> None:
    police = await world.agency("police")
    headers = police.headers | {"Purpose-Of-Use": stated.encode("latin-1")}
    answer = await world.http.get("/v1/cases", headers=headers)
    assert answer.status_code == 400
    bare = {name: value for name, value in police.headers.items() if name != "Purpose-Of-Use"}
    assert (await world.http.get("/v1/cases", headers=bare)).status_code == 400
    assert (await police.get("/v1/cases")).status_code == 200, "control"


EVERYBODY = frozenset(TYPES)
STATEABLE: dict[str, frozenset[str]] = {
    "emergency_response": frozenset({"police", "joint_centre", "hospital", "residents_committee"}),
    "case_handling": EVERYBODY,
    "intake": frozenset(),
    "protection_order": frozenset({"court", "police", "procuratorate", "womens_federation", "residents_committee"}),
    "prosecution": frozenset({"procuratorate", "police", "court"}),
    "medical_care": frozenset({"hospital"}),
    "shelter_relief": frozenset({"civil_affairs", "womens_federation"}),
    "follow_up": frozenset(
        {"police", "residents_committee", "womens_federation", "joint_centre", "court", "social_work"}
    ),
    "supervision": frozenset({"police", "womens_federation", "joint_centre", "procuratorate"}),
    "sync": frozenset(),
    "statistics": EVERYBODY,
    "audit": frozenset(),
    "own_report": frozenset(),
}
"""Who may state a purpose, for a caseworker, read from the policy's prose and not from its file."""


async def test_who_may_state_which_purpose(world: World) -> None:
    """Every type of unit states every purpose; refusals are logged with the purpose."""
    assert set(STATEABLE) == {purpose.value for purpose in Purpose}
    wrong = []
    for kind in TYPES:
        caller = await world.agency(kind)
        for purpose, stateable in STATEABLE.items():
            status = (await caller.get("/v1/cases", purpose=purpose)).status_code
            wrong += [(kind, purpose, status)] if status != (200 if kind in stateable else 403) else []
    assert wrong == []
    intake = await world.agency("police", person="intake", purpose="intake")
    assert (await intake.get("/v1/cases")).status_code == 200, "control: intake is for the role"
    refused = await world.log(act="deny", purpose="medical_care", unit=f"{HOME}-school")
    assert refused and refused[0]["status"] == 403


async def _disabled(world: World, noun: str) -> tuple[Agency, Caller, dict[str, str]]:
    """An agency that reads and writes, then loses its account, client or unit; its caller keeps the token."""
    police = await enrol.agency(world)
    made, caller = await filed(police), await police.caller()
    assert (await open_reads(caller, made), await writes(caller)) == (len(reads(made)), 201), "control"
    name = {"accounts": str(police.ids["worker"]), "clients": police.code, "units": police.code}[noun]
    await admin.disable(world.services, noun, name)
    return police, caller, made


NOUNS = ("accounts", "clients", "units")


async def test_disabling_stops_reads_at_once_and_the_rest_soon(world: World) -> None:
    cases = {noun: await _disabled(world, noun) for noun in NOUNS}
    for _, caller, made in cases.values():
        assert await open_reads(caller, made) == 0
        patch = await caller.send("PATCH", f"/v1/records/{made['id']}", json={}, headers={"If-Match": '"x"'})
        attach = await caller.post(f"/v1/records/{made['id']}/attachments", content=PNG)
        assert patch.status_code in (401, 404) and attach.status_code in (401, 404)
        assert (await caller.submit("police_call", call(), case=made["case_id"])).status_code in (401, 404)
    await asyncio.sleep(auth.FRESH_SECONDS)
    for noun, (police, caller, made) in cases.items():
        assert await writes(caller) == 401, noun
        assert await open_reads(caller, made) == 0
        alone = Caller(caller.http, {k: v for k, v in caller.headers.items() if k != "On-Behalf-Of"})
        alone_status = (await alone.get(f"/v1/cases/{made['case_id']}", purpose="sync")).status_code
        assert alone_status == (200 if noun == "accounts" else 401)
        colleague = await caller.get(f"/v1/cases/{made['case_id']}", headers={"On-Behalf-Of": "second"})
        assert colleague.status_code == (200 if noun == "accounts" else 401), "the others go on"
        if noun != "accounts":
            with pytest.raises(AssertionError, match="invalid_client"):
                await world.token(police.code)


async def test_a_disabled_system_brings_no_new_name(world: World) -> None:
    """At once, whether or not it has spoken for that person before: the row of the person alone is not enough."""
    police, caller, made = await _disabled(world, "clients")
    path = f"/v1/cases/{made['case_id']}"
    for name in police.ids:  # `second` is named for the first time
        answer = await caller.get(path, headers={"On-Behalf-Of": name})
        assert answer.status_code in (401, 404), name
    other = await police.caller(client=await enrol.client(world, police.code, f"{police.code}-b"))
    assert (await other.get(path)).status_code == 200, "control: the unit's other system goes on"


async def test_a_fact_left_out_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a policy that does not ask for `suspended` shows everything until the next look, and is caught."""
    monkeypatch.setitem(facts.FACTS, "suspended", f"FALSE AND ({facts.FACTS['suspended']})")
    monkeypatch.setattr(world.services, "policy", Policy(world.services.policy.rules))
    _, caller, made = await _disabled(world, "clients")
    assert await open_reads(caller, made) == len(reads(made))


async def test_a_late_look_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a hub that looks a client up once in an hour is caught by the same write."""
    monkeypatch.setattr(auth, "FRESH_SECONDS", 3600)
    _, caller, made = await _disabled(world, "clients")
    assert await writes(caller) == 201
    assert await open_reads(caller, made) == 0, "reads do not depend on it"


async def test_a_clock_set_back_lengthens_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client is looked up again, and a token ends, by the time that has passed, whatever the clock says."""
    monkeypatch.setattr(auth, "FRESH_SECONDS", 1)
    police, said = await enrol.agency(world), clock.seconds
    caller = await police.caller()
    assert await writes(caller) == 201, "control"
    monkeypatch.setattr(clock, "seconds", lambda: said() - 200)
    await asyncio.sleep(1)
    assert await writes(caller) == 201, "control"
    await admin.disable(world.services, "accounts", str(police.ids["worker"]))
    await asyncio.sleep(1)
    assert await writes(caller) == 401
    passed = clock.ticks
    monkeypatch.setattr(clock, "ticks", lambda: passed() + world.services.settings.token_life)
    assert (await caller.get("/v1/units", headers={"On-Behalf-Of": "second"})).status_code == 401


async def test_every_token_issued_and_refused_is_logged(world: World) -> None:
    """The log names the system that drew a token, and counts those refused."""
    police = await enrol.agency(world)
    assert await world.log(act="login", who=police.code) == []
    await police.caller()
    (entry,) = await world.log(act="login", who=police.code)
    assert entry["body"]["who"]["client"] == police.code and entry["unit"] == police.code
    assertion = client_assertion(police.code, world.people["pems"][police.code], world.url)
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": assertion}
    assert [(await world.http.post("/oauth/token", data=form)).status_code for _ in range(2)] == [200, 401]
    assert len(await world.log(act="login-fail", who=police.code)) == 1, (
        "who repeats what a system signed is found among what that system did"
    )


async def test_no_system_acts_for_an_administrator(world: World) -> None:
    """An administrator is there with password and second factor or not at all, whatever a unit's system says.
    Such a try, like any name that is not there, is in the log under the system that made it."""
    unit, services = "50-joint_centre", world.services
    system = Caller(world.http, {"Authorization": f"Bearer {await world.token(unit)}"})
    entries = "act = 'deny' AND status = 401 AND actor = $1"
    actor = services.vault.pseudonym("actor", unit.encode())
    for name in ("login-auditor", "login-policy_admin", "login-sysadmin", "nobody"):
        before = await logbook.count(services, entries, actor)
        answer = await system.get("/v1/audit/entries", headers={"On-Behalf-Of": name})
        assert answer.status_code == 401 and "items" not in answer.json(), name
        assert await logbook.count(services, entries, actor) == before + 1, name
    caseworker = await system.get("/v1/cases", headers={"On-Behalf-Of": "caseworker"}, purpose="case_handling")
    assert caseworker.status_code == 200, "control"
    assert (await (await world.person("auditor")).get("/v1/audit/entries")).status_code == 200, "control"
