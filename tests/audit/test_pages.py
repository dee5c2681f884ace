"""However mixed a page is, its entries fit 8 KiB and name every row that left, once (P1; part of A11)."""

import asyncio
import itertools
from typing import Any

import pytest

from hub.audit import committer, entry
from hub.policies import facts, gate
from hub.policies.subject import PURPOSES, ROLES
from tests import logbook
from tests.world import HOME, Caller, World, instant, pair

FORM = {"detail": "混合列表", "region": HOME}


async def mixed_cases(world: World, count: int) -> None:
    """Cases that stand to the home police in as many ways as facts allow."""
    police, federation = await world.agency("police"), await world.agency("womens_federation")
    roomy = asyncio.Semaphore(8)

    async def make(own: bool, referred: bool, high: bool, moved: bool) -> None:
        author, parties = police if own else federation, pair()

        async def file(kind: str, body: dict[str, object], by: Caller = author) -> None:
            await by.filed(kind, body | parties)

        async with roomy:
            await file("case_form", FORM | {"received_at": instant()})
            if referred:
                await file("referral_slip", {"to_unit": f"{HOME}-police", "sent_at": instant()})
            if high:
                await file("risk_assessment", {"assessed_at": instant(), "risk_level": "high"}, federation)
            if moved:
                await file("police_dispatch", {"handling": "x", "victim_moved_out": True}, police)

    ways = itertools.cycle(itertools.product((True, False), repeat=4))
    await asyncio.gather(*(make(*next(ways)) for _ in range(count)))


async def page_of(world: World, limit: int) -> tuple[list[str], list[Any]]:
    """The rows that a page showed, and the groups of rows that its entries name."""
    police, services = await world.agency("police", person="supervisor"), world.services
    before = {(r["w"], r["n"]) for r in await logbook.rows(services, "act = 'list'")}
    answer = await police.get("/v1/cases", params={"limit": limit})
    assert answer.status_code == 200, answer.text
    shown = [record["id"] for case in answer.json()["items"] for record in case["records"]]
    groups: list[Any] = []
    for row in await logbook.rows(services, "act = 'list'"):
        if (row["w"], row["n"]) not in before:
            assert max(len(logbook.opened(services, row)[1]), len(row["detail"])) <= entry.BODY_LIMIT
            groups += await logbook.groups(services, row)
    return shown, groups


async def test_a_mixed_page_is_logged_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control, one entry for the whole page, is refused and nothing leaves."""
    await mixed_cases(world, 120)
    shown, groups = await page_of(world, 1000)
    named = [str(record) for group in groups for _, record, _ in group["rows"]]
    assert len(shown) > 90 and len({tuple(group["facts"]) for group in groups}) >= 8
    assert sorted(named) == sorted(shown) and len(set(named)) == len(named)
    monkeypatch.setattr(gate, "entries_of", lambda seen: [seen])
    monkeypatch.setattr(committer, "BODY_LIMIT", 34 * 90)
    police = await world.agency("police", person="supervisor")
    answer = await police.get("/v1/cases", params={"limit": 1000})
    assert answer.status_code == 503 and "混合列表" not in answer.text
    assert (await world.http.get("/readyz")).status_code == 200


FACTS = ("alert_open", "relocated", "named", "referred")


async def test_decisions_of_many_words_fit_too(world: World) -> None:
    """The federation's own cases in sixteen ways, whose decisions are the longest of all: no page is refused."""
    federation, database = await world.agency("womens_federation"), world.services.database
    for n in range(48):
        sent = {"received_at": instant(), "narrative": "长页", "region": HOME} | pair()
        case = (await federation.filed("federation_complaint", sent))["case_id"]
        true = [name for i, name in enumerate(FACTS) if n >> i & 1]
        to = [f"{name} = {'involved' if name in ('named', 'referred') else 'TRUE'}" for name in true]
        if to:
            await database.execute(f"UPDATE cases SET {', '.join(to)} WHERE id = $1::uuid", case)
    for purpose in ("case_handling", "follow_up", "protection_order", "shelter_relief"):
        answer = await federation.get("/v1/cases", params={"limit": 48}, purpose=purpose)
        assert answer.status_code == 200 and len(answer.json()["items"]) == 48, purpose


def test_a_decision_is_as_long_as_it_says(world: World) -> None:
    """What the pages are cut by is no less than what the entry holds, for every caller and set of facts."""
    policy, tried = world.services.policy, 0
    for unit_type, role, purpose in itertools.product(policy.rules.unit_types, ROLES, PURPOSES):
        table = policy.table(unit_type, role, purpose)
        for bits in range(0, 1 << len(facts.NAMES), 7) if table.stateable else ():
            made = table.decide(bits)
            group = {"clear": made.clear, "masked": made.masked, "facts": made.facts, "rules": made.rules}
            told = entry.canonical({"what": [made.told]})
            assert told == entry.canonical({"what": [group]}) and len(told) <= made.size + 20
            tried += 1
    assert tried > 1000
