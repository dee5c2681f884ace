"""A list shows what opens: for every kind of caller, paging through its list gives exactly the cases that it can open,
each once and newest first, each told as the opened case tells it.

The list walks `case_unit` and the unit's area, opening walks nothing; so a case missing from a list is a unit that
the table forgot, or a way of coming to a case that the candidates do not know.
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from hub import admin, cases, clock, finding
from hub.demo.province import TYPES
from tests.forms import minimal
from tests.leaks import callers
from tests.leaks.province import RELATIONS, code, settle
from tests.policies.test_candidates import LED, UNLED
from tests.world import AWAY, HOME, Caller, World, call, pair, someone

BESIDE = ("records", "shared")
REFERRED = {"court": True, "social_work": True, "school": False, "justice": None, "police": None, "hospital": None}
"""To whom a case is referred, and whether the unit accepts; None: it has not answered."""
Told = dict[str, dict[str, Any]]


async def _plain(world: World, region: str = HOME, *, by: str = HOME, **parties: str) -> str:
    """A police call about a fresh pair."""
    caller = await world.agency("police", region=by)
    return (await caller.filed("police_call", call(pair() | parties, region=region)))["case_id"]


async def _then(world: World, case: str, unit_type: str, kind: str, *, region: str = HOME, **fields: Any) -> str:
    """One more record on a case."""
    caller = await world.agency(unit_type, region=region)
    await caller.filed(kind, minimal(kind, **fields), case=case)
    return case


async def _referred(world: World) -> AsyncIterator[str]:
    for unit_type, accepted in REFERRED.items():
        case = await _then(world, await _plain(world), "police", "referral_slip", to_unit=code("referred", unit_type))
        if accepted is not None:
            case = await _then(
                world, case, unit_type, "referral_reply", region="0r", accepted=accepted, reason="无床位"
            )
        yield case


async def _reported(world: World) -> AsyncIterator[str]:
    """By somebody without account, and by those whom the law obliges; the case is the police's on duty."""
    receipt = (await world.http.post("/v1/reports", json={"place": "重庆市巴南区", "region": HOME})).json()["receipt"]
    row = await world.services.database.fetchrow(
        "SELECT case_id FROM receipt WHERE code_hash = $1",
        world.services.vault.lookup("receipt", receipt.replace(" ", "")),
    )
    assert row is not None
    yield str(row["case_id"])
    for unit_type, region in (("school", HOME), ("hospital", AWAY)):
        caller = await world.agency(unit_type, region=region)
        yield (await caller.filed("mandatory_report", minimal("mandatory_report", region=HOME)))["case_id"]


async def _marked(world: World) -> AsyncIterator[str]:
    """Cases that a record marked: urgent, units named, moved out, sealed, closed."""
    yield await _then(world, await _plain(world), "police", "risk_assessment", risk_level="high")
    named = [code("named", unit_type) for unit_type in TYPES]
    yield await _then(world, await _plain(world), "court", "order_service", assist_units=named)
    yield await _then(world, await _plain(world), "civil_affairs", "shelter_stay", victim_moved_out=True)
    yield await _then(world, await _plain(world), "court", "sealing", sealed=True)
    yield await _then(world, await _plain(world), "residents_committee", "coordination", close_case=True)


async def _elsewhere(world: World) -> AsyncIterator[str]:
    """Another county's, one that a unit of another county brought here, and one in another province."""
    yield await _plain(world, AWAY, by=AWAY)
    yield await _plain(world, HOME, by=AWAY)
    yield await _plain(world, "370102")
    court = await world.agency("court", region=AWAY)
    yield (await court.filed("judgment", minimal("judgment") | pair()))["case_id"]


@pytest.fixture(scope="module")
async def known(world: World) -> list[str]:
    """The cases, and the victim of the last is a police officer who works here under the name `kin`."""
    await settle(world)
    made = [await _plain(world)]
    for some in (_referred, _reported, _marked, _elsewhere):
        made += [case async for case in some(world)]
    kin = someone()
    await admin.add_accounts(
        world.services, [admin.NewAccount(f"{HOME}-police", "kin", "caseworker", kin["id_number"])]
    )
    return [*made, await _plain(world, **{f"victim_{name}": value for name, value in kin.items()})]


async def listed(caller: Caller, purpose: str, limit: int = 7) -> list[dict[str, Any]]:
    """All pages of the list."""
    items: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"limit": limit}
    while True:
        answer = await caller.get("/v1/cases", params=asked, purpose=purpose)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if not answer.json()["next"]:
            return items
        asked["cursor"] = answer.json()["next"]


def head(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in BESIDE}


async def opened(caller: Caller, purpose: str, known: list[str]) -> Told:
    """What each case tells that opens."""
    answers = {case: await caller.get(f"/v1/cases/{case}", purpose=purpose) for case in known}
    assert {answer.status_code for answer in answers.values()} <= {200, 404}
    return {case: head(answer.json()) for case, answer in answers.items() if answer.status_code == 200}


async def differences(caller: Caller, purpose: str, known: list[str]) -> tuple[Told, list[str]]:
    """What opens, and the cases on which list and opening differ."""
    items = await listed(caller, purpose)
    ids = [item["id"] for item in items]
    assert len(ids) == len(set(ids)), "each once"
    told, there = await opened(caller, purpose, known), {item["id"]: head(item) for item in items}
    return told, [case for case in known if told.get(case) != there.get(case)]


async def pulled(caller: Caller, purpose: str, since: datetime) -> set[str] | None:
    """What changed since; None to whom it is not told."""
    asked = {"updated_since": clock.text(since), "limit": 1000}
    answer = await caller.get("/v1/cases", params=asked, purpose=purpose)
    assert answer.status_code in (200, 403), answer.text
    return {item["id"] for item in answer.json()["items"]} if answer.status_code == 200 else None


REFUSED = ("referred school caseworker", "case_handling")
"""The unit that refused a referral may read its refusal, and has nothing to do with the case: no list has it."""


async def test_list_equals_read(world: World, known: list[str]) -> None:
    seen: dict[str, int] = defaultdict(int)
    found, refused = [], known[1 + list(REFERRED).index("school")]
    async for who in callers.units(world, full=False):
        told, differ = await differences(who.caller, who.purpose, known)
        found += [(who.name, who.purpose, case, case in told) for case in differ]
        seen[who.name.split()[0]] += len(told)
        clear = {case for case, item in told.items() if "number" in item}
        for since in (clock.now() - timedelta(hours=2), clock.now() - timedelta(days=2)):
            changed = await pulled(who.caller, who.purpose, since)
            assert clear == (set() if changed is None else changed & set(known)), (who.name, who.purpose)
    assert found == [(*REFUSED, refused, True)]
    assert seen.keys() == {*RELATIONS, "superior"} and all(seen.values()), seen


async def test_a_party_finds_nothing(world: World, known: list[str]) -> None:
    """Of the case about herself; her colleague at the same desk finds it."""
    kin, colleague = await world.agency("police", person="kin"), await world.agency("police")
    hers, theirs = await differences(kin, "case_handling", known), await differences(colleague, "case_handling", known)
    assert hers[1] == theirs[1] == [] and theirs[0].keys() - hers[0].keys() == {known[-1]}


async def test_the_table_holds_whom_it_should(world: World, known: list[str]) -> None:
    """`case_unit` by its rule, worked out a second time; nothing more, but units that were once referred to."""
    codes, database = world.services.directory.codes, world.services.database
    for row in await database.fetch("SELECT * FROM cases WHERE id = ANY($1::uuid[])", known):
        links = await database.fetch("SELECT * FROM case_unit WHERE case_id = $1", row["id"])
        there, beyond = ({r["unit_id"]: r[name] for r in links} for name in ("opened_at", "outside"))
        areas = {unit.id: unit.area for unit in codes.values()}
        assert beyond == {unit: not row["region_code"].startswith(areas[unit]) for unit in there}
        above = {codes[code].id for code in row["handler_path"].split("/")}
        beside = {row["handler_id"], *row["intake"], row["reporting_unit_id"]} - {None}
        should = {*row["involved"], *row["referred"], *row["named"], *above}
        assert beside <= set(row["involved"]), "who handles, has duty or reports is involved"
        assert should <= there.keys() and set(there.values()) == {row["opened_at"]}
        answered = {codes[code("referred", kind)].id for kind, accepted in REFERRED.items() if accepted is not None}
        assert there.keys() - should <= answered


async def test_a_forgotten_superior_is_found(world: World, known: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: candidates without superiors; the provincial police misses its county's case in another province."""
    province = await world.agency("police", region="50", purpose="supervision")
    assert (await differences(province, "supervision", known))[1] == []
    for name in ("LINKED", "MERGED"):
        monkeypatch.setattr(finding, name, getattr(finding, name).replace(LED, UNLED))
    forget(world)
    missing = (await differences(province, "supervision", known))[1]
    monkeypatch.undo()
    forget(world)
    assert missing


async def test_a_forgotten_link_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a record that names units, and no row in `case_unit`."""
    named = await world.agency("hospital", region=RELATIONS["named"])
    units = [code("named", "hospital")]
    right = await _then(world, await _plain(world), "court", "order_service", assist_units=units)
    monkeypatch.setattr(cases, "_link", lambda *_: None)
    wrong = await _then(world, await _plain(world), "court", "order_service", assist_units=units)
    assert (await differences(named, "case_handling", [right, wrong]))[1] == [wrong]


def forget(world: World) -> None:
    """The texts made so far."""
    for table in world.services.policy._tables.values():
        table.statements.clear()
