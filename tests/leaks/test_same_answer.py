"""A25: what does not exist, what is forbidden and what is a conflict of interest answer with the same bytes.

A conflict also leaves an entry with outcome `conflict`, marked for a security officer of another unit.
"""

import itertools
import os
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from hub import admin, clock
from hub.errors import NotFound
from hub.policies.gate import Gate
from tests.forms import minimal
from tests.leaks import seed
from tests.leaks.canaries import body
from tests.leaks.sweep import entries_since
from tests.test_intake import report
from tests.world import AWAY, HOME, Caller, World, call, pair, someone

COMPARISONS = 5000 if os.environ.get("HUB_TEST_FULL") else 600
PURPOSES = ("case_handling", "emergency_response", "protection_order", "prosecution", "follow_up")


@dataclass(frozen=True, slots=True)
class Target:
    """What a route may be asked for: ids that stand for one case."""

    case: str
    number: str
    record: str
    file: str


ABSENT = Target(str(uuid.UUID(int=7)), f"{HOME}-2026-AAAAAAAA", str(uuid.UUID(int=8)), str(uuid.UUID(int=9)))


def requests(target: Target, submission: dict[str, Any], key: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Every route that takes an id, in every form an id can take there."""
    case, record = f"/v1/cases/{target.case}", f"/v1/records/{target.record}"
    patch = {"json": {"content": "x"}, "headers": {"If-Match": '"0"'}}
    made: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", url, {})
        for url in (
            case,
            f"{case}/records",
            f"{case}/records?kind=police_call",
            f"{case}/records?kind=report",
            f"{case}/history",
            f"{case}/records/{target.record}",
            record,
            f"{record}/attachments",
            f"/v1/attachments/{target.file}",
        )
    ]
    made += [("GET", case, {"headers": {"If-None-Match": '"0"'}}), ("PATCH", record, patch)]
    made += [("PATCH", record, {"json": {}}), ("POST", f"{record}/attachments", {"content": b"%PDF-1.4 x"})]
    made.append(("POST", "/v1/cases/search", {"json": {"case_number": target.number}}))
    for named in (target.case, target.number):
        headers = {"Idempotency-Key": key + named, "Case-Number": named}
        made.append(("POST", "/v1/records/police_call", {"json": submission, "headers": headers}))
    return made


def seen(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """All that a caller gets, but for the clock."""
    return answer.status_code, sorted((k, v) for k, v in answer.headers.items() if k != "date"), answer.content


async def filed(world: World, unit_type: str, region: str, parties: dict[str, str]) -> Target:
    """A case of a police unit with a record and an attachment."""
    caller = await world.agency(unit_type, region=region)
    made = await caller.filed("police_call", call(parties, region=region))
    opened = (await caller.get(f"/v1/cases/{made['case_id']}")).json()
    answer = await caller.post(f"/v1/records/{made['id']}/attachments", content=b"%PDF-1.4 evidence")
    return Target(made["case_id"], opened["number"], made["id"], answer.json()["id"])


@dataclass(frozen=True, slots=True)
class Parties:
    """A case elsewhere, a case at home, and officers at home who are its victim and its respondent."""

    forbidden: Target
    conflict: Target
    names: list[str]
    numbers: list[str]


async def parties(world: World) -> Parties:
    people = pair()
    names = [f"party-{role}-{uuid.uuid4().hex[:6]}" for role in ("victim", "respondent")]
    ids = [people[f"{role}_id_number"] for role in ("victim", "respondent")]
    accounts = [
        admin.NewAccount(f"{HOME}-police", name, role, number)
        for name, number, role in zip(names, ids, ("caseworker", "supervisor"), strict=True)
    ]
    await admin.add_accounts(world.services, accounts)
    elsewhere, here = await filed(world, "police", AWAY, pair()), await filed(world, "police", HOME, people)
    return Parties(elsewhere, here, names, ids)


@pytest.fixture(scope="module")
async def party(world: World) -> Parties:
    return await parties(world)


async def differences(world: World, party: Parties, wanted: int) -> tuple[int, list[str]]:
    """Ask for the absent, the forbidden and the conflicting; returns comparisons made and differences found."""
    done, found = 0, []
    for turn, (name, purpose) in enumerate(itertools.cycle(itertools.product(party.names, PURPOSES))):
        caller = await world.agency("police", person=name, purpose=purpose)
        submission, key = call(), f"{turn}-{uuid.uuid4().hex}-"
        asked = [requests(target, submission, key) for target in (ABSENT, party.forbidden, party.conflict)]
        for absent, barred, own in zip(*asked, strict=True):
            first = seen(await caller.send(absent[0], absent[1], **absent[2]))
            for label, (method, url, rest) in (("forbidden", barred), ("conflict", own)):
                at = clock.now() - timedelta(milliseconds=1)
                answer = seen(await caller.send(method, url, **rest))
                done += 1
                found += [f"{label} {purpose} {method} {url}: {answer} not {first}"] if answer != first else []
                found += await unmarked(world, at, url, rest) if label == "conflict" else []
        if done >= wanted or found:
            return done, found
    raise AssertionError


async def unmarked(world: World, at: Any, url: str, rest: dict[str, Any]) -> list[str]:
    """A conflict that no entry marks; a change without If-Match names no version and is refused before."""
    if "headers" not in rest and rest.get("json") == {}:
        return []
    entries = await entries_since(world, at)
    marked = any(e["outcome"] == "conflict" and e.get("alert") is True for e in entries)
    return [] if marked else [f"no alert for {url}: {[(e['act'], e['outcome']) for e in entries]}"]


async def test_absent_forbidden_and_conflict_are_the_same(world: World, party: Parties) -> None:
    done, found = await differences(world, party, COMPARISONS)
    assert found == []
    assert done >= COMPARISONS


async def test_a_party_finds_herself_nowhere(world: World, party: Parties) -> None:
    """Lists and searches leave the case out, and a search for a party by a party is marked."""
    for name in party.names:
        caller = await world.agency("police", person=name)
        assert party.conflict.case not in (await caller.get("/v1/cases?limit=1000")).text
        for number in party.numbers:
            at = clock.now() - timedelta(milliseconds=1)
            found = await caller.post("/v1/cases/search", json={"id_number": number})
            nobody = await caller.post("/v1/cases/search", json={"id_number": someone()["id_number"]})
            assert seen(found) == seen(nobody)
            assert await unmarked(world, at, "search", {}) == []
    colleague = await world.agency("police")
    assert party.conflict.case in (await colleague.get("/v1/cases?limit=1000")).text, "the colleague handles it"


@pytest.mark.parametrize("written", ["{}", "+86 {}", "0086{}", " {} "])
async def test_a_phone_is_the_same_however_it_is_written(world: World, written: str) -> None:
    """Whose account was imported with a party's phone is in conflict, with blanks and country code or without."""
    people, name = pair(), f"phone-{uuid.uuid4().hex[:6]}"
    phone = written.format(people["respondent_phone"][:3] + "-" * ("+" in written) + people["respondent_phone"][3:])
    new = admin.NewAccount(f"{HOME}-police", name, "caseworker", someone()["id_number"], phone=phone)
    await admin.add_accounts(world.services, [new])
    case = f"/v1/cases/{(await (await world.agency('police')).filed('police_call', call(people)))['case_id']}"
    assert (await (await world.agency("police", person=name)).get(case)).status_code == 404
    assert (await (await world.agency("police", person="supervisor")).get(case)).status_code == 200, "control"
    with pytest.raises(admin.Refused):
        await admin.add_accounts(world.services, [replace(new, name=f"{name}-x", phone="12")])


async def test_wrong_receipts_are_the_same(world: World) -> None:
    """No such receipt, a wrong secret, and a secret without a receipt."""
    receipt, secret, _, _ = await seed.report(world, body("report"))
    caller = Caller(world.http, {})
    asked = [(receipt, "AAAA-BBBB-CCCC"), ("0000 0000 0000 0000", secret), ("0000 0000 0000 0000", "AAAA-BBBB-CCCC")]
    for method, tail, rest in (
        ("GET", "", {}),
        ("POST", "/additions", {"json": {"text": "x"}}),
        ("POST", "/photos", {}),
    ):
        answers = [
            seen(await caller.send(method, f"/v1/reports/{code}{tail}", headers={"Receipt-Secret": s}, **rest))
            for code, s in asked
        ]
        assert answers[0] == answers[1] == answers[2]
        assert answers[0][0] == 404
    nothing = await caller.get("/v1/reports/0000 0000 0000 0000")
    assert seen(nothing)[0] == 404 and nothing.content == answers[0][2]


@pytest.mark.parametrize("planted", ["insiders get 403", "the conflict is not marked"])
async def test_the_comparison_can_fail(
    world: World, party: Parties, planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: an answer that tells why, and a conflict that nobody hears of."""
    deny = Gate._deny

    async def telling(gate: Gate, act: Any, query: Any, denied: list[Any]) -> None:
        await deny(gate, act, query, denied)
        if denied:
            error = NotFound()
            error.status, error.entered = 403, True
            raise error

    async def quiet(gate: Gate, act: Any, query: Any, denied: list[Any]) -> None:
        await gate.enter_refusal(NotFound())

    monkeypatch.setattr(Gate, "_deny", telling if planted == "insiders get 403" else quiet)
    assert (await differences(world, party, 30))[1]


async def test_a_case_found_by_names_refuses_nothing_of_its_own(world: World) -> None:
    """A form that closes, about people on whom a report waits, is answered as one about strangers: by an alert that
    is open a unit elsewhere could ask who has reported, and leave no record. Without closing (the control) both go
    through."""
    people = pair()
    await report(world, region=HOME, **people)
    committee = await world.agency("residents_committee", region=AWAY)
    for closes, status in ((True, 422), (None, 201)):
        forms = [minimal("case_form", close_case=closes) | parties for parties in (people, pair())]
        known, strange = [await committee.submit("case_form", form) for form in forms]
        assert known.status_code == strange.status_code == status
        assert status == 201 or seen(known) == seen(strange)
