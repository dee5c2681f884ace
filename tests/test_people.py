"""People: password and TOTP, lockout, and the three administrators, who read no case.

What a failed login says never tells why; the access log does (T02, T13).
"""

import asyncio
import itertools
import json
import os
from typing import Any

import httpx
import pyotp
import pytest

from hub import admin, clock, people
from hub.errors import Unauthenticated
from hub.models.account import ADMIN_ROLES, CASE_ROLES, ROLES
from hub.policies.subject import Purpose
from tests import enrol
from tests.api.test_auth import filed, open_reads, reads, writes
from tests.enrol import Login
from tests.world import HOME, PASSWORD, Caller, World, someone

UNIT = f"{HOME}-police"
PURPOSES = tuple(Purpose) if os.environ.get("HUB_TEST_FULL") else (Purpose.case_handling, Purpose.audit, Purpose.sync)


async def knows(caller: Caller) -> int:
    """The status of a request that needs a living session."""
    return (await caller.get("/v1/cases?limit=1")).status_code


async def test_a_code_is_good_once(world: World) -> None:
    """TOTP: neighbours of the half minute are taken, no code twice, and none older than the last."""
    somebody = await enrol.person(world)
    code = somebody.code()
    assert [(await somebody.tries(code=code)).status_code for _ in range(2)] == [201, 401]
    await somebody.rewind()
    assert (await somebody.tries(code=code)).status_code == 201, "control: it was the replay that was refused"
    now, totp = clock.seconds(), pyotp.TOTP(somebody.totp)
    await somebody.rewind()
    statuses = [(await somebody.tries(code=totp.at(now + step))).status_code for step in (30, 0, -30, -300)]
    assert statuses == [201, 401, 401, 401]
    await somebody.rewind()
    assert [(await somebody.tries(code=totp.at(now + step))).status_code for step in (-300, 300, 90)] == [401] * 3


async def test_a_login_needs_no_content_type(world: World) -> None:
    """Any tool that sends the JSON is understood; what is no login is refused and says where."""
    somebody = await enrol.person(world)
    said = {"login": somebody.login, "password": PASSWORD, "code": somebody.code()}
    for wrong in ({"code": "12345"}, {"login": ""}, {"login": "a\x00"}, {"password": "\x00"}, {"more": "x"}):
        answer = await world.http.post("/v1/sessions", content=json.dumps(said | wrong))
        assert answer.status_code == 422, answer.text
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}" for name in wrong]
    assert (await world.http.post("/v1/sessions", content=json.dumps(said))).status_code == 201


async def test_a_code_is_good_once_when_sent_at_once(world: World) -> None:
    somebody = await enrol.person(world)
    code = somebody.code()
    answers = await asyncio.gather(*(somebody.tries(code=code) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401]


async def test_five_failures_lock(world: World) -> None:
    """Wrong passwords and wrong codes count alike; a success in between begins anew; a quarter of an hour ends it."""
    somebody = await enrol.person(world)
    wrong = [{"password": "wrong"}, {"code": "000000"}, {"password": "Wrong"}, {"password": PASSWORD + " "}]
    for changes in wrong:
        assert (await somebody.tries(**changes)).status_code == 401
    assert (await somebody.tries()).status_code == 201, "control: four do not lock"
    for changes in [*wrong, {"password": "x"}]:
        assert (await somebody.tries(**changes)).status_code == 401
    await somebody.rewind()
    assert (await somebody.tries()).status_code == 401
    left = (await somebody.account())["locked_until"] - clock.now()
    assert 14 * 60 < left.total_seconds() <= 15 * 60
    other = await enrol.person(world)
    assert (await other.tries()).status_code == 201, "nobody else is locked"
    await world.services.database.execute("UPDATE account SET locked_until = now() WHERE id = $1", somebody.id)
    assert (await somebody.tries()).status_code == 201
    assert await somebody.account() == {"failures": 0, "locked_until": None}


async def judged(world: World, somebody: Login, monkeypatch: pytest.MonkeyPatch, guesses: int = 12) -> int:
    """How many of the codes guessed at once, by somebody who knows the password, are compared at all."""
    compared, compare = [], people._second_factor

    async def counting(*asked: Any) -> bool:
        compared.append(asked)
        return await compare(*asked)

    monkeypatch.setattr(people, "_second_factor", counting)
    tries = [people.login(world.services, somebody.login, PASSWORD, f"{n:06}") for n in range(guesses)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(answer, Unauthenticated) for answer in answers)
    monkeypatch.undo()
    return len(compared)


async def test_guesses_sent_at_once_lock_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fifth failure locks though a dozen attempts are under way."""
    somebody = await enrol.person(world)
    assert await judged(world, somebody, monkeypatch) == people.FAILURES_ALLOWED
    assert (await somebody.tries()).status_code == 401

    async def free(*_: Any) -> bool:
        return True

    monkeypatch.setattr(people, "_claim", free)
    assert await judged(world, await enrol.person(world), monkeypatch) == 12, "control: without the claim, all are"


async def test_disabling_ends_sessions_at_once(world: World) -> None:
    police = await enrol.agency(world)
    one, two, three = [await enrol.person(world, police.code) for _ in range(3)]
    callers = [await login.enters() for login in (one, two, three)]
    await admin.disable(world.services, "accounts", str(one.id))
    await admin.disable(world.services, "accounts", two.login)
    assert [await knows(caller) for caller in callers] == [401, 401, 200]
    await admin.disable(world.services, "units", police.code)
    assert [await knows(caller) for caller in callers] == [401] * 3
    assert (await three.tries()).status_code == 401


async def test_a_token_that_is_not_one(world: World) -> None:
    somebody = await enrol.person(world)
    good = (await somebody.enters()).headers["Authorization"]
    for value in ("", "Bearer", good + "x", good[:-1], good.swapcase(), good.replace("Bearer", "Basic")):
        answer = await world.http.get("/v1/cases", headers={"Authorization": value, "Purpose-Of-Use": "case_handling"})
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer", value
    assert await knows(Caller(world.http, {"Authorization": good, "Purpose-Of-Use": "case_handling"})) == 200


def _same(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status_code, answer.content, sorted((k, v) for k, v in answer.headers.items() if k != "date")


async def test_a_failed_login_does_not_say_why(world: World) -> None:
    """Unknown, wrong password, wrong code, used code, locked, disabled: one answer, to the byte."""
    somebody, locked, gone = [await enrol.person(world) for _ in range(3)]
    await admin.disable(world.services, "accounts", gone.login)
    for _ in range(people.FAILURES_ALLOWED):
        await locked.tries(password="x")
    unknown = await somebody.tries(login="nobody-of-this-name")
    code = somebody.code()
    assert (await somebody.tries(code=code)).status_code == 201
    refused = [await somebody.tries(**c) for c in ({"password": "x"}, {"code": "000000"}, {"code": code})]
    refused += [await locked.tries(), await gone.tries(), await somebody.tries(login="caseworker")]
    refused += [await somebody.tries(login=login) for login in (somebody.login.upper(), "%", "' OR 1=1 --")]
    assert {str(_same(answer)) for answer in refused} == {str(_same(unknown))} and unknown.status_code == 401
    await somebody.rewind()
    assert _same(await somebody.tries()) != _same(unknown), "control"


async def test_a_malformed_login_is_refused_by_shape(world: World) -> None:
    somebody = await enrol.person(world)
    for changes in ({"code": "12345"}, {"code": "１２３４５６"}, {"login": ""}, {"password": ""}, {"role": "auditor"}):
        assert (await somebody.tries(**changes)).status_code == 422, changes
    for changes in ({"login": "a\x00b"}, {"password": "\x00"}, {"login": "x" * 65}, {"password": "x" * 201}):
        assert (await somebody.tries(**changes)).status_code in (400, 422), changes
    for raw in (b"", b"[]", b"null", b'{"login":"\\ud800","password":"x","code":"000000"}', b"[" * 100_000):
        assert (await world.http.post("/v1/sessions", content=raw)).status_code in (400, 422), raw[:20]
    assert (await somebody.account())["failures"] == 0


@pytest.mark.parametrize("pair", list(itertools.product(ROLES, ROLES)), ids="-".join)
async def test_three_administrators_are_three_people(world: World, pair: tuple[str, str]) -> None:
    """Who holds an administrator's role holds no other, whichever came first; case roles go together."""
    human, (first, second) = someone()["id_number"], pair
    news = [_account(role, human, n) for n, role in enumerate(pair)]
    assert len(await admin.add_accounts(world.services, news[:1])) == 1
    exclusive = first != second and (first in ADMIN_ROLES or second in ADMIN_ROLES)
    if exclusive:
        with pytest.raises(admin.Refused):
            await admin.add_accounts(world.services, news[1:])
    other = news[1:] if not exclusive else [_account(second, someone()["id_number"], 2)]
    assert len(await admin.add_accounts(world.services, other)) == 1, "control"


def _account(role: str, human: str, n: int) -> admin.NewAccount:
    name = f"{human}-{n}"
    login = name if role in ADMIN_ROLES else ""
    return admin.NewAccount(UNIT, name, role, human, login=login, password=PASSWORD)


async def test_three_administrators_added_at_once(world: World) -> None:
    for _ in range(5):
        human = someone()["id_number"]
        adding = [admin.add_accounts(world.services, [_account(role, human, n)]) for n, role in enumerate(ADMIN_ROLES)]
        made = await asyncio.gather(*adding, return_exceptions=True)
        assert sum(isinstance(result, admin.Refused) for result in made) == 2


async def test_an_administrator_has_a_login(world: World) -> None:
    for role in ROLES:
        new = admin.NewAccount(UNIT, f"no-login-{role}", role, someone()["id_number"])
        if role in CASE_ROLES:
            assert len(await admin.add_accounts(world.services, [new])) == 1
        else:
            with pytest.raises(admin.Refused):
                await admin.add_accounts(world.services, [new])


async def test_administrators_read_no_case(world: World) -> None:
    """Not for any purpose, by any route, in the unit that handles the case; nor do they write."""
    police = await enrol.agency(world)
    made = await filed(police)
    for role in ADMIN_ROLES:
        caller = await (await enrol.person(world, police.code, role)).enters()
        for purpose in PURPOSES:
            caller.headers["Purpose-Of-Use"] = purpose.value
            assert await open_reads(caller, made) == 0, (role, purpose)
            assert await writes(caller) == 403
        status = (await caller.get("/v1/audit/entries")).status_code
        assert status == (200 if role == "auditor" else 403), role
    officer = await (await enrol.person(world, police.code)).enters()
    assert await open_reads(officer, made) == len(reads(made)), "control"
    assert (await officer.get("/v1/audit/entries")).status_code == 403


async def test_every_login_and_failure_is_in_the_log(world: World) -> None:
    """Logins, failures, the end of a session, by account; an unknown name as nobody's."""
    somebody, quiet = await enrol.person(world), await enrol.person(world)
    used = somebody.code()
    caller = await somebody.enters()
    for changes in ({"password": "x"}, {"code": "000000"}, {"code": used}):
        assert (await somebody.tries(**changes)).status_code == 401
    await caller.send("DELETE", "/v1/sessions/current")
    ended, opened = await world.log(act="login", who=somebody.id)
    assert (opened["status"], opened["unit"], ended["body"]["ended"]) == (200, UNIT, True)
    assert ended["body"]["who"]["session"] == opened["body"]["who"]["session"] != ""
    failed = await world.log(act="login-fail", who=somebody.id)
    assert [(e["outcome"], e["status"]) for e in failed] == [("deny", 401)] * 3
    assert PASSWORD not in str(failed) + str(opened)
    assert await world.log(who=quiet.id) == [], "control"
    newest = (await world.log(act="login-fail", limit=1))[0]["n"]
    await somebody.tries(login="nobody-of-this-name")
    last = (await world.log(act="login-fail", limit=1))[0]
    assert last["n"] > newest and last["body"]["who"]["account"] == ""


async def test_a_session_acts_for_nobody_else(world: World) -> None:
    """On-Behalf-Of is for systems: a person who sends it is still logged as that person."""
    police = await enrol.agency(world)
    made, somebody = await filed(police), await enrol.person(world, police.code)
    caller = await somebody.enters()
    answer = await caller.get(f"/v1/cases/{made['case_id']}", headers={"On-Behalf-Of": "worker"})
    assert answer.status_code == 200
    assert len(await world.log(act="read", who=somebody.id, case=made["case_id"])) == 1
