"""A report that calls somebody and a record that ends its case, at one moment: never both."""

import asyncio
from typing import Any

import pytest

from hub.embedded import Embedded
from tests import outages
from tests.forms import minimal
from tests.test_amend import amended, patch, seen
from tests.test_case_state import row_of, unit
from tests.test_intake import case_of, held, report
from tests.world import AWAY, HOME, World, call, pair


async def lined_up(embedded: Embedded, count: int) -> None:
    """Until as many wait for what somebody holds."""
    connection = await outages.superuser(embedded)  # in a transaction, one is told the same again and again
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state = 'active'"
    async with asyncio.timeout(10):
        while await connection.fetchval(waiting) < count:
            await asyncio.sleep(0.02)
    await connection.close()


@pytest.mark.parametrize("first", ["the end", "the alert"])
@pytest.mark.parametrize("end", ["coordination", "sealing"])
async def test_an_alert_and_an_end_at_one_moment(world: World, embedded: Embedded, end: str, first: str) -> None:
    """A school elsewhere reports while a correction ends the case: neither saw the other, and the later of the two does
    not end an alert that waits. The report is filed either way."""
    parties, school = pair(), await world.agency("school", region=AWAY)
    case = (await (await world.agency("police")).filed("police_call", call(parties)))["case_id"]
    author, ends = await world.agency("court"), {"close_case": True} if end == "coordination" else {"sealed": True}
    made = await author.filed(end, minimal(end, **dict.fromkeys(ends, False)), case=case)
    tag, steps = (await seen(author, made["id"]))[1], list[asyncio.Task[Any]]()
    turns = {
        "the end": lambda: patch(author, made["id"], ends, tag),
        "the alert": lambda: school.submit("mandatory_report", minimal("mandatory_report", region=AWAY) | parties),
    }
    connection = await outages.superuser(embedded)
    async with connection.transaction():
        await connection.execute("SELECT FROM cases WHERE id = $1::uuid FOR UPDATE", case)
        for turn in sorted(turns, key=first.__ne__):
            steps.append(asyncio.create_task(turns[turn]()))
            await lined_up(embedded, len(steps))
    await connection.close()
    answers = dict(zip(sorted(turns, key=first.__ne__), await asyncio.gather(*steps), strict=True))
    row, reported = await row_of(world, case), answers["the alert"].json()["case_id"]
    assert answers["the end"].status_code == (204 if first == "the end" else 409), answers["the end"].text
    assert not (row["alert_open"] and (row["status"] == "closed" or row["sealed_by"])), "nobody would find it"
    assert (await row_of(world, reported))["alert_open"] and (reported == case) == (first == "the alert")


@pytest.mark.parametrize("end", ["coordination", "sealing"])
async def test_a_report_by_duty_and_an_end_at_one_moment(world: World, embedded: Embedded, end: str) -> None:
    """A school's, where its police already work on the case and nobody need be called: it does not vanish with it."""
    parties, author, school = pair(), await world.agency("court"), await world.agency("school")
    case = (await (await world.agency("police")).filed("police_call", call(parties)))["case_id"]
    ends = {"close_case": True} if end == "coordination" else {"sealed": True}
    made = await author.filed(end, minimal(end, **dict.fromkeys(ends, False)), case=case)
    tag = (await seen(author, made["id"]))[1]
    connection = await outages.superuser(embedded)
    async with connection.transaction():
        await connection.execute("SELECT FROM cases WHERE id = $1::uuid FOR UPDATE", case)
        ended = asyncio.create_task(patch(author, made["id"], ends, tag))
        await lined_up(embedded, 1)
        body = minimal("mandatory_report", region=HOME) | parties
        told = asyncio.create_task(school.submit("mandatory_report", body))
        await lined_up(embedded, 2)
    await connection.close()
    assert (await ended).status_code == 204
    reported = (await told).json()["case_id"]
    assert reported != case and (await row_of(world, reported))["alert_open"]


@pytest.mark.parametrize("addition", [False, True])
async def test_a_report_and_an_end_at_one_moment(world: World, embedded: Embedded, addition: bool) -> None:
    """Her report joins a case that a court seals meanwhile: it has a case of its own, with an alert. What she adds
    cannot have one: she is told that it was not filed."""
    parties, court = pair(), await world.agency("court")
    police = await world.agency("police")
    case = (await police.filed("police_call", call(parties)))["case_id"]
    hers = await report(world, region=HOME, **parties)
    made = await court.filed("sealing", minimal("sealing", sealed=False), case=case)
    tag = (await seen(court, made["id"]))[1]
    connection = await outages.superuser(embedded)
    async with connection.transaction():
        await connection.execute("SELECT FROM cases WHERE id = $1::uuid FOR UPDATE", case)
        end = asyncio.create_task(patch(court, made["id"], {"sealed": True}, tag))
        await lined_up(embedded, 1)
        url, secret = f"/v1/reports/{hers['receipt']}/additions", {"Receipt-Secret": hers["secret"]}
        coming = world.http.post(url, json={"text": "补充"}, headers=secret) if addition else report(world, **parties)
        told = asyncio.create_task(coming)
        await lined_up(embedded, 2)
    await connection.close()
    assert (await end).status_code == 204
    if addition:
        assert (await told).status_code == 409
        assert (await world.http.post(url, json={"text": "补充"}, headers=secret)).status_code == 404
    else:
        row = await case_of(world.services, await told)
        assert str(row["id"]) != case and row["alert_open"]
        assert (await held(world, await told, (await told)["secret"])).status_code == 200


async def test_a_report_in_one_group_with_an_end(world: World) -> None:
    """Queued together: the end is written, and the report after it, or before. Never both as if the case were open."""
    police = await world.agency("police")
    for _ in range(6):
        parties = pair()
        case = (await police.filed("police_call", call(parties)))["case_id"]
        closing = minimal("coordination", close_case=True)
        told, end = await asyncio.gather(
            report(world, region=HOME, **parties), police.submit("coordination", closing, case=case)
        )
        row = await case_of(world.services, told)
        assert end.status_code == 201 and (str(row["id"]) == case or row["alert_open"])
        sql = "SELECT xmin::text FROM record WHERE id = ANY($1::uuid[])"
        records = [row["record_id"], end.json()["id"]]
        if str(row["id"]) == case:
            written = await world.services.database.fetch(sql, records)
            assert len({one["xmin"] for one in written}) == 2, "not in one transaction"


async def test_who_corrects_and_who_files_wait_in_one_order(world: World, embedded: Embedded) -> None:
    """A correction that ends a case and names a unit, beside somebody who names it too: each has one lock of two."""
    court = await world.agency("court")
    case = (await (await world.agency("police")).filed("police_call", call()))["case_id"]
    made, school = await court.filed("coordination", minimal("coordination"), case=case), unit(world, "school")
    tag, opened_at = (await seen(court, made["id"]))[1], (await row_of(world, case))["opened_at"]
    connection = await outages.superuser(embedded)
    async with connection.transaction():
        await connection.execute("INSERT INTO case_unit VALUES ($1, $2, $3::uuid, FALSE)", school, opened_at, case)
        changes = {"close_case": True, "named_units": [f"{HOME}-school"]}
        answer = asyncio.create_task(patch(court, made["id"], changes, tag))
        await lined_up(embedded, 1)
        await connection.execute("UPDATE cases SET relocated = relocated WHERE id = $1::uuid", case)
    await connection.close()
    assert (await answer).status_code == 204


async def test_a_correction_calls_nobody_to_a_case_that_ended(world: World) -> None:
    """Where a school's report came from is put right after the case was closed: the police there may read it, and no
    alert waits for them."""
    school, police = await world.agency("school"), await world.agency("police", region=AWAY)
    made = await school.filed("mandatory_report", minimal("mandatory_report", region=AWAY) | pair())
    await police.filed("coordination", minimal("coordination", close_case=True), case=made["case_id"])
    await amended(school, made["id"], {"region": HOME})
    row = await row_of(world, made["case_id"])
    assert row["status"] == "closed" and not row["alert_open"] and unit(world, "police") in row["involved"]
