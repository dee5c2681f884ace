"""Changing what was registered: accounts, keys of systems, disabling and enabling, by the command and beside a hub
that serves."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyotp
import pytest

from hub import admin, people, signing
from hub.api.auth import FRESH_SECONDS
from hub.db import Database
from hub.policies.services import Services
from hub.settings import Settings
from tests import enrol
from tests.commands import answered, listed, run
from tests.world import AWAY, HOME, PASSWORD, Caller, World, call, someone


async def knows(caller: Caller) -> int:
    return (await caller.get("/v1/cases")).status_code


async def changed(config: Settings, *arguments: str) -> dict[str, Any]:
    made: dict[str, Any] = await asyncio.to_thread(answered, config, *arguments)
    return made


async def logged(world: World, command: str) -> list[dict[str, Any]]:
    """What the entries of this command say, the newest first."""
    return [e["body"]["about"] for e in await world.log(act="admin") if e["body"]["command"] == command]


async def test_everyone_who_is_added_is_named_with_the_role(world: World) -> None:
    """An entry holds 8 KiB: many take several, and none is left out."""
    code = f"{HOME}-{'u' * 50}"
    await admin.add_units(world.services, [admin.NewUnit(code, "新设", "court", HOME)])
    people = [admin.NewAccount(code, f"p{i}", "caseworker", someone()["id_number"]) for i in range(75)]
    made = await admin.add_accounts(world.services, people)
    told = [about for about in await logged(world, "accounts add") if about["accounts"][0]["unit"] == code]
    assert {a["account"] for about in told for a in about["accounts"]} == {str(account.id) for account in made}
    assert {(a["unit"], a["role"]) for about in told for a in about["accounts"]} == {(code, "caseworker")}
    (unit,) = [u for about in await logged(world, "units add") for u in about["units"] if u["unit"] == code]
    assert unit == {"unit": code, "type": "court", "region": f"{HOME}000000"}
    before = len(await logged(world, "accounts add"))
    assert await admin.add_accounts(world.services, people) == []
    assert len(await logged(world, "accounts add")) == before, "nothing was changed"


async def test_new_secrets_end_the_old_ones(world: World, config: Settings) -> None:
    """Password and TOTP: sessions end at once, the old ones are wrong, the new ones right; another's go on."""
    one, other = await enrol.person(world), await enrol.person(world)
    session, control = await one.enters(), await other.enters()
    for _ in range(people.FAILURES_ALLOWED):
        await one.tries(password="x")
    made = await changed(config, "accounts", "change", one.login, "--password", "--totp")
    assert (await knows(session), await knows(control), made["sessions_ended"]) == (401, 200, 1)
    assert (await one.tries()).status_code == 401
    assert (await one.tries(password=made["password"])).status_code == 401, "the old secret's code"
    code = pyotp.TOTP(made["totp"]).now()
    assert (await one.tries(password=made["password"], code=code)).status_code == 201, "and it is unlocked"
    about = (await logged(world, "accounts change"))[0]
    assert (about["password"], about["totp"], about["account"]) == ("reset", "reset", str(one.id))
    assert made["password"] not in str(about) and made["totp"] not in str(about)


async def test_one_secret_leaves_the_other(world: World, config: Settings) -> None:
    one = await enrol.person(world)
    made = await changed(config, "accounts", "change", str(one.id), "--password")
    await one.rewind()
    assert made["totp"] == "" and (await one.tries(password=made["password"])).status_code == 201
    made = await changed(config, "accounts", "change", one.login, "--totp")
    assert made["password"] == ""


async def test_another_role_and_unit(world: World, config: Settings) -> None:
    """The person acts for the new unit at the next login, through its system too, and no more for the old one."""
    old, new = await enrol.agency(world), await enrol.agency(world, "court")
    one = await enrol.person(world, old.code)
    session, through = await one.enters(), await old.caller(one.login)
    assert (await knows(session), await knows(through)) == (200, 200), "control"
    made = await changed(config, "accounts", "change", one.login, "--unit", new.code, "--role", "supervisor")
    assert (made["unit"], made["role"], await knows(session)) == (new.code, "supervisor", 401)
    await asyncio.sleep(FRESH_SECONDS)
    assert (await knows(through), await knows(await new.caller(one.login))) == (401, 200)
    about = (await logged(world, "accounts change"))[0]
    assert (about["role"], about["unit"]) == ("caseworker -> supervisor", f"{old.code} -> {new.code}")


async def test_what_an_account_cannot_become(world: World, config: Settings) -> None:
    """The three administrators stay three people, each with a login; names stay one a unit; units must be there."""
    unit, human = f"{HOME}-police", someone()["id_number"]
    police = await enrol.agency(world)
    names = ("become-a", "become-b")
    news = [admin.NewAccount(unit, name, "caseworker", human, login=name, password=PASSWORD) for name in names]
    await admin.add_accounts(world.services, news)
    worker, nowhere = str(police.ids["worker"]), await enrol.agency(world)
    await admin.disable(world.services, "units", nowhere.code)
    for arguments, words in (
        ((names[0], "--role", "auditor"), "incompatible"),
        ((names[0], "--role", "judge"), "--role"),
        ((names[0], "--unit", "nowhere"), "--unit"),
        ((names[0], "--unit", nowhere.code), "disabled"),
        ((names[0],), "--password"),
        (("nobody-here", "--totp"), "hub accounts list"),
        ((worker, "--password"), "no login"),
        ((worker, "--role", "auditor"), "needs a login"),
    ):
        done = await asyncio.to_thread(run, config, "accounts", "change", *arguments)
        assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr, done.stderr
    await admin.disable(world.services, "accounts", names[1])
    await changed(config, "accounts", "change", names[0], "--role", "auditor")  # control: alone, it may
    done = await asyncio.to_thread(run, config, "accounts", "enable", names[1])
    assert done.returncode == 1 and "incompatible" in done.stderr
    assert listed(config, "accounts", login=names[1])["disabled_at"]


async def test_the_running_hub_may_not_change_them(world: World, services: Services) -> None:
    """Its role in the database is refused; so is the command without the owner's address."""
    with pytest.raises(Exception, match="permission denied"):
        await admin.change_account(services, "officer", admin.Change(password=True))
    with pytest.raises(Exception, match="permission denied"):
        await admin.change_client(services, f"{HOME}-police", scopes="cases:read")
    with pytest.raises(Exception, match="permission denied"):
        await admin.rename_unit(services, f"{HOME}-police", "又名")


def test_the_owner_s_address_is_asked_for(world: World, config: Settings) -> None:
    done = run(config, "accounts", "change", "officer", "--totp", HUB_OWNER_DATABASE_URL="")
    assert done.returncode == 1 and "HUB_OWNER_DATABASE_URL" in done.stderr


async def test_a_login_under_way_does_not_outlive_a_change(
    world: World, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password was right when it was read; by the time the session would open, the account has changed."""
    one, checked = await enrol.person(world), people._second_factor
    owner = await Database(config.owner_url, 2).connect()

    async def meanwhile(services: Services, row: Any, code: str) -> bool:
        right = await checked(services, row, code)
        await owner.execute("UPDATE account SET rev = rev + 1 WHERE id = $1", one.id)
        return right

    with monkeypatch.context() as patch:
        patch.setattr(people, "_second_factor", meanwhile)
        assert (await one.tries()).status_code == 401
    await owner.close()
    await one.rewind()
    assert (await one.tries()).status_code == 201, "control"


async def test_keys_are_rotated_without_an_outage(world: World, config: Settings, tmp_path: Path) -> None:
    """A second key is added, both work, the first is removed: its tokens end, those of the second go on."""
    police = await enrol.agency(world)
    old, new, pems = await police.caller(), signing.new_signing_key(), world.people["pems"]
    first = signing.public_jwk(pems[police.code])["kid"]
    file = tmp_path / "new.json"
    file.write_bytes(orjson.dumps({"keys": [signing.public_jwk(new)]}))
    for _ in range(2):  # said twice, it is there once
        made = await changed(config, "clients", "change", police.code, "--add-keys", str(file))
        assert len(made["keys"]) == 2
    assert await knows(old) == 200, "not interrupted"
    pems[police.code] = new
    fresh = await police.caller()
    assert (await knows(old), await knows(fresh)) == (200, 200)
    asked = await asyncio.to_thread(run, config, "clients", "change", police.code, "--remove-key", first, said="n\n")
    assert asked.returncode == 1 and len(listed(config, "clients", id=police.code)["keys"]) == 2
    await changed(config, "clients", "change", police.code, "--remove-key", first, "--yes")
    assert await knows(fresh) == 200, "not interrupted"
    await asyncio.sleep(FRESH_SECONDS)
    assert (await knows(old), await knows(fresh)) == (401, 200)
    gone = await asyncio.to_thread(run, config, "clients", "change", police.code, "--remove-key", first, "--yes")
    assert gone.returncode == 1 and "--remove-key" in gone.stderr
    kid = signing.public_jwk(new)["kid"]
    none = await asyncio.to_thread(run, config, "clients", "change", police.code, "--remove-key", kid, "--yes")
    assert none.returncode == 1 and "last key" in none.stderr, "it stays"
    file.write_bytes(orjson.dumps({"keys": [signing.public_jwk(signing.new_signing_key()) | {"kid": kid}]}))
    other = await asyncio.to_thread(run, config, "clients", "change", police.code, "--add-keys", str(file))
    assert other.returncode == 1 and "kid" in other.stderr
    file.write_bytes(orjson.dumps({"keys": [signing.public_jwk(signing.new_signing_key()) for _ in range(4)]}))
    fifth = await asyncio.to_thread(run, config, "clients", "change", police.code, "--add-keys", str(file))
    assert fifth.returncode == 1 and "more than 4" in fifth.stderr and "--remove-key" in fifth.stderr


async def test_scopes_are_changed(world: World, config: Settings) -> None:
    """What a system may do no more its tokens of before may not either; what it may newly do, only new ones."""
    police = await enrol.agency(world)
    both = await police.caller()
    await changed(config, "clients", "change", police.code, "--scopes", "cases:read")
    await asyncio.sleep(FRESH_SECONDS)
    assert (await knows(both), (await both.submit("police_call", call())).status_code) == (200, 403)
    with pytest.raises(AssertionError, match="invalid_scope"):
        await police.caller(scope="records:write")
    reader = await police.caller()
    assert await knows(reader) == 200, "control"
    await changed(config, "clients", "change", police.code, "--scopes", "records:write")
    await asyncio.sleep(FRESH_SECONDS)
    assert [await knows(caller) for caller in (reader, both, await police.caller())] == [403] * 3
    assert (await both.submit("police_call", call())).status_code == 201
    assert (await reader.submit("police_call", call())).status_code == 403, "it was not asked for"
    wrong = await asyncio.to_thread(run, config, "clients", "change", police.code, "--scopes", "all")
    assert wrong.returncode == 1 and "--scopes" in wrong.stderr


async def test_enabled_again(world: World, config: Settings) -> None:
    """Account, system and unit work again; a session from before does not. Twice is once, and logged once."""
    police = await enrol.agency(world)
    one = await enrol.person(world, police.code)
    for noun, name in (("accounts", one.login), ("units", police.code), ("clients", police.code)):
        session, through = await one.enters(), await police.caller()
        await admin.disable(world.services, noun, name)
        for _ in range(2):
            assert await changed(config, noun, "enable", name) == {"enabled": name}
        entries = await logged(world, f"{noun} enable")
        assert [about["name"] for about in entries].count(name) == 1
        assert await knows(session) == (200 if noun == "clients" else 401), noun
        await asyncio.sleep(FRESH_SECONDS)
        assert (await knows(await one.enters()), await knows(through)) == (200, 200), noun


async def test_a_hub_that_serves_sees_one_enabled_and_another_disabled(world: World) -> None:
    """As many are disabled as before: the directory must notice all the same."""
    one, two = await enrol.agency(world), await enrol.agency(world)
    directory = world.services.directory
    await admin.disable(world.services, "units", one.code)
    assert [directory.codes[u.code].active for u in (one, two)] == [False, True]
    await world.by_hand("UPDATE unit SET disabled_at = NULL WHERE code = $1", one.code)
    await world.by_hand("UPDATE unit SET disabled_at = now() WHERE code = $1", two.code)
    await directory.refresh()
    assert [directory.codes[u.code].active for u in (one, two)] == [True, False]


async def test_another_name(world: World, config: Settings) -> None:
    """Of a unit and of a division, two of which change names: known at the next look; all else stays."""
    police, other = await enrol.agency(world), await enrol.agency(world)
    directory, villages = world.services.directory, (f"{HOME}008001", f"{HOME}008002")
    for village in villages:
        await changed(config, "regions", "add", village, village, "--level", "community")
    await directory.refresh()
    was, theirs = directory.codes[police.code], directory.codes[other.code].name
    for code, name in ((police.code, theirs), (other.code, was.name)):
        assert (await changed(config, "units", "rename", code, name))["name"] == name
    for village, name in zip(villages, reversed(villages), strict=True):
        await changed(config, "regions", "add", village, name, "--level", "community")
    await directory.refresh()
    assert directory.codes[police.code] == replace(was, name=theirs)
    assert [directory.regions[village] for village in villages] == list(reversed(villages))
    assert (await logged(world, "units rename"))[1] == {"unit": police.code, "was": was.name, "now": theirs}
    unknown = await asyncio.to_thread(run, config, "units", "rename", "none", "某")
    assert unknown.returncode == 1 and "hub units list" in unknown.stderr


async def test_what_stops_work_is_asked_first(world: World, config: Settings) -> None:
    """Without an answer, or with a no, nothing happens; the question says who stops with a unit."""
    police = await enrol.agency(world)
    for said in ("", "n\n"):
        done = await asyncio.to_thread(run, config, "units", "disable", police.code, said=said)
        assert done.returncode == 1 and "2 accounts and 1 systems" in done.stderr, done.stderr
        assert ("--yes" in done.stderr) is (said == "")
    assert listed(config, "units", code=police.code)["disabled_at"] is None
    done = await asyncio.to_thread(run, config, "units", "disable", police.code, "--json", said="y\n")
    assert orjson.loads(done.stdout) == {"disabled": police.code}
    unknown = await asyncio.to_thread(run, config, "regions", "disable", "1", "--yes")
    assert unknown.returncode == 1 and "hub regions list" in unknown.stderr
    assert AWAY in run(config, "units", "list").stdout
