"""Groups of records: each is as good as if it were written alone, and none waits for, spoils or doubles another."""

import asyncio
import os
import uuid
from functools import partial
from typing import Any

import asyncpg
import pytest

from hub import clock, exchange, filing
from hub.cases import TARGET, target_of
from hub.embedded import Embedded
from hub.errors import Conflict, Invalid, Locked, Unavailable
from hub.filing import Filing, Rows, Target
from hub.models.catalogue import KINDS
from hub.models.sealed import plain
from hub.parties import recognise
from hub.policies.gate import Gate
from hub.policies.subject import Purpose, Subject
from hub.writer import GROUP, LOCK, Filed, Submission, Writer
from tests import outages
from tests.world import HOME, World, call, instant, pair

FOUND = f"SELECT {TARGET} FROM cases WHERE id = $1"


def submission(world: World, parties: dict[str, str] | None = None, **more: Any) -> Submission:
    """A police call, as `exchange.submit` hands it to the writer."""
    return filed_by_police(world, "police_call", call(parties, region=HOME), **more)


def filed_by_police(world: World, kind: str, body: dict[str, Any], **more: Any) -> Submission:
    services = world.services
    unit = services.directory.codes[f"{HOME}-police"]
    values = plain(KINDS[kind].model_validate(body))
    parties = recognise(services.vault, values, kind)
    filing = Filing(kind, values, parties, clock.now(), unit.id, record_id=uuid.uuid4(), digest=bytes(32))
    gate = Gate(services, Subject("police", "caseworker", unit.id, unit.code), Purpose.case_handling)
    return Submission(filing, partial(exchange._rows, gate, filing), **more)


async def outcome(writer: Writer, *many: Submission) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*map(writer.file, many), return_exceptions=True), 20)


async def kept(world: World, many: list[Submission] | tuple[Submission, ...]) -> dict[uuid.UUID, int]:
    """Which of them are on disk, and in which transaction each was written."""
    sql = "SELECT id, xmin::text::bigint AS written FROM record WHERE id = ANY($1)"
    return {r["id"]: r["written"] for r in await world.services.database.fetch(sql, [s.id for s in many])}


async def test_what_is_queued_is_one_transaction(world: World) -> None:
    """As many as a group takes are committed together; one that comes alone is committed alone (the control)."""
    many, writer = [submission(world) for _ in range(GROUP + 5)], Writer(world.services)
    filed = await outcome(writer, *many)
    assert len({where.case_id for where in filed}) == len(many)
    written = await kept(world, many)
    assert len(written) == len(many) and len(set(written.values())) == 2
    few = [submission(world) for _ in range(3)]
    for one in few:
        await outcome(writer, one)
    assert len(set((await kept(world, few)).values())) == 3


def spoilt(one: Submission, how: str) -> Submission:
    """The same record, which must not, cannot or may not be written."""
    whole = one.rows

    def rows(rows: Rows, target: Target) -> None:
        whole(rows, target)
        if how == "refused":
            raise Invalid
        if how == "fault of ours":
            raise RuntimeError
        rows.insert("cases", rows.tables["cases", False][0] | {"id": uuid.uuid4()})  # the number is taken by then

    one.rows = rows
    return one


@pytest.mark.parametrize("how", ["refused", "fault of ours", "refused by the database"])
async def test_one_spoils_it_for_no_other(world: World, how: str) -> None:
    good, bad = [submission(world) for _ in range(6)], spoilt(submission(world), how)
    many = [*good[:3], bad, *good[3:]]
    found = await outcome(Writer(world.services), *many)
    assert isinstance(found[3], Exception) and not isinstance(found[3], Unavailable)
    assert all(isinstance(where, Filed) for i, where in enumerate(found) if i != 3)
    assert (await kept(world, many)).keys() == {one.id for one in good}


async def test_the_second_on_a_pair_finds_the_case_of_the_first(world: World) -> None:
    """They do not share a group: what the first opens is there when the second looks."""
    pairs = [pair() for _ in range(4)]
    many = [submission(world, parties) for parties in pairs * 3]
    filed = await outcome(Writer(world.services), *many)
    assert [where.case_id for where in filed] == [where.case_id for where in filed[:4]] * 3
    assert len({where.case_id for where in filed}) == 4
    assert len(set((await kept(world, many)).values())) == 3


async def test_a_pair_has_one_case_however_it_is_named(world: World) -> None:
    """Records that come together and name the pair by id number, by phone and name, or by both: one case."""
    for _ in range(3):
        parties = pair()
        by_id = {k: v for k, v in parties.items() if not k.endswith("_phone")}
        by_phone = {k: v for k, v in parties.items() if k.endswith(("_phone", "_name"))}
        many = [submission(world, named) for named in (parties, by_phone, by_id)]
        two = await asyncio.gather(outcome(Writer(world.services), *many[:2]), outcome(Writer(world.services), many[2]))
        assert len({where.case_id for found in two for where in found}) == 1
    apart = await outcome(Writer(world.services), submission(world, by_phone), submission(world, pair()))
    assert len({where.case_id for where in apart}) == 2, "control"


async def test_cases_that_come_together_and_share_a_person_share_a_household(world: World) -> None:
    """As they do when one comes after the other; others (the control) do not."""
    one, two = pair(), pair()
    his = {k: v for k, v in one.items() if k.startswith("respondent")}
    many = [submission(world, parties) for parties in (one, two | his, pair())]
    filed = await outcome(Writer(world.services), *many)
    sql = "SELECT id, household_id FROM cases WHERE id = ANY($1)"
    rows = await world.services.database.fetch(sql, [where.case_id for where in filed])
    found = {row["id"]: row["household_id"] for row in rows}
    first, second, other = (found[where.case_id] for where in filed)
    assert len(found) == 3 and first == second != other
    keys = [k for party in many[0].filing.parties if party.role == "respondent" for k in party.keys.values()]
    sql = "SELECT DISTINCT person_id FROM party_key WHERE key = ANY($1) AND kind = 'id'"
    assert len(await world.services.database.fetch(sql, keys)) == 1


async def test_two_processes_in_opposite_order(world: World) -> None:
    """Two writers share nothing but the database: one case a pair, and neither waits for the other for ever."""
    for _ in range(5):
        pairs = [pair() for _ in range(12)]
        one = [submission(world, parties) for parties in pairs]
        two = [submission(world, parties) for parties in reversed(pairs)]
        there, back = await asyncio.gather(outcome(Writer(world.services), *one), outcome(Writer(world.services), *two))
        assert [f.case_id for f in there] == [f.case_id for f in reversed(back)]
        assert len({f.case_id for f in there}) == len(pairs)


async def test_cases_that_are_there_in_opposite_order(world: World) -> None:
    """Groups that change the same cases lock them in one order, whatever the order of the records."""
    opened = await outcome(Writer(world.services), *(submission(world) for _ in range(10)))
    rows = [await world.services.database.fetchrow(FOUND, where.case_id) for where in opened]

    def more(order: list[Any]) -> list[Submission]:
        return [submission(world, target=target_of(world.services.vault, row)) for row in order]

    for _ in range(5):
        both = more(rows), more(rows[::-1])
        found = await asyncio.gather(*(outcome(Writer(world.services), *many) for many in both))
        assert [[f.case_id for f in many] for many in found] == [[r["case_id"] for r in o] for o in (rows, rows[::-1])]


async def both_add(world: World, case: uuid.UUID) -> list[Any]:
    """Two transactions that add the same keys to a case in opposite order."""
    keys = [os.urandom(16) for _ in range(400)]

    async def write(order: list[bytes]) -> None:
        rows, known = Rows(), {"role": "child", "named": b"", "record_id": case, "kind": "id", "person_id": case}
        for key in order:
            rows.insert("party_key", {"key": key, "case_id": case} | known, known=True)
        async with world.services.database.transaction() as connection:
            await rows.write(connection)

    return await asyncio.gather(write(keys), write(keys[::-1]), return_exceptions=True)


async def test_who_adds_the_same_in_opposite_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that another adds too are waited for in one order; as they come (the control) it ends in a deadlock."""
    (opened,) = await outcome(Writer(world.services), submission(world))
    for _ in range(20):
        assert await both_add(world, opened.case_id) == [None, None]
    monkeypatch.setattr(filing, "_in_order", list)
    while await both_add(world, opened.case_id) == [None, None]:
        pass


async def test_what_comes_with_the_closing_does_not_undo_it(world: World) -> None:
    """A record that joins a case in the group that closes it leaves it closed, in its stage too."""
    parties, stage = pair(), "SELECT status, stage FROM cases WHERE id = $1"
    (opened,) = await outcome(Writer(world.services), submission(world, parties))
    target = target_of(world.services.vault, await world.services.database.fetchrow(FOUND, opened.case_id))
    row = await world.services.database.fetchrow(stage, opened.case_id)
    assert tuple(row) == ("open", "received"), "control: what the record sets otherwise"
    closing = {"held_at": instant(), "subject": "结案", "close_case": True}
    many = [filed_by_police(world, "coordination", closing, target=target), submission(world, parties)]
    assert {where.case_id for where in await outcome(Writer(world.services), *many)} == {opened.case_id}
    assert tuple(await world.services.database.fetchrow(stage, opened.case_id)) == ("closed", "closed")


async def test_copies(world: World) -> None:
    """In this process or another: in progress, or answered as the first was; on disk once."""
    one, writer = submission(world), Writer(world.services)
    first = writer.file(one)
    with pytest.raises(Conflict):
        writer.file(one)
    copy = submission(world)
    copy.filing.record_id = one.id
    copied = Writer(world.services).file(copy)
    both = await asyncio.gather(first, copied, return_exceptions=True)  # whichever is locked first is filed
    filed = next(each for each in both if not isinstance(each, Conflict))._replace(again=False)
    assert all(isinstance(each, Conflict) or each._replace(again=False) == filed for each in both)
    again = submission(world)
    again.filing.record_id = one.id
    assert await writer.file(again) == filed._replace(again=True)
    assert len(await kept(world, [one])) == 1


async def test_who_goes_away_takes_nobody_along(world: World) -> None:
    """Cancelled before its turn, a record is not begun; cancelled in the middle, it is written like the others."""
    many, writer = [submission(world) for _ in range(4)], Writer(world.services)
    waiting = [writer.file(one) for one in many]
    waiting[1].cancel()
    assert len(await asyncio.gather(waiting[0], *waiting[2:])) == 3
    assert (await kept(world, many)).keys() == {many[0].id, many[2].id, many[3].id}
    begun = [submission(world) for _ in range(3)]
    waiting = [writer.file(one) for one in begun]
    while not writer._writing:
        await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.gather(waiting[0], waiting[2])
    assert len(await kept(world, begun)) == 3


async def test_a_lost_database_is_said_to_each(world: World, embedded: Embedded) -> None:
    """503 for all in flight, each an error of its own; sent again when it is back, each has one effect."""
    many, writer = [submission(world) for _ in range(5)], Writer(world.services)
    async with outages.down(embedded):
        found = await outcome(writer, *many)
    assert all(isinstance(error, Unavailable) for error in found) and len({id(error) for error in found}) == 5
    assert not await kept(world, many)
    again = [submission(world) for _ in many]
    for one, two in zip(many, again, strict=True):
        two.filing.record_id = one.id
    assert not any(where.again for where in await outcome(writer, *again))
    assert len(await kept(world, many)) == 5


async def test_what_a_dead_process_holds_stops_nobody_else(world: World) -> None:
    """The lock on a pair, by a transaction that does not end: who files on others is answered, who files on it is told
    to come again, and can as soon as the server has ended that transaction."""
    police, parties, writer = await world.agency("police"), pair(), Writer(world.services)
    stuck = submission(world, parties)
    async with outages.ghost(world, LOCK, [], sorted(stuck.pair)):
        async with asyncio.timeout(6):
            found = await outcome(writer, stuck, submission(world), submission(world))
        assert isinstance(found[0], Locked) and all(isinstance(one, Filed) for one in found[1:])
        answer = await police.submit("police_call", call(parties))
        assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (409, "in_progress", "2")
        async with asyncio.timeout(15):
            while (await police.submit("police_call", call(parties))).status_code != 201:
                await asyncio.sleep(0.5)


async def test_a_table_that_grows_meanwhile(world: World, embedded: Embedded) -> None:
    """A migration that adds a column costs at most one answer a connection: what a connection knew is thrown away."""
    owner, writer = await asyncpg.connect(embedded.owner_url), Writer(world.services)
    await outcome(writer, submission(world))
    try:
        for change in ("ADD COLUMN later bytea", "DROP COLUMN later"):
            await owner.execute(f"ALTER TABLE record {change}")
            found = [
                (await outcome(writer, submission(world)))[0] for _ in range(world.services.settings.pool_size + 1)
            ]
            assert all(isinstance(one, Filed | Unavailable) for one in found) and isinstance(found[-1], Filed)
            assert isinstance(found[0], Unavailable), "the control: the connection did know the table as it was"
    finally:
        await owner.execute("ALTER TABLE record DROP COLUMN IF EXISTS later")
        await owner.close()
