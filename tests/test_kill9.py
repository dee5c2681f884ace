"""Killed with -9 under load: 0 acknowledged reports or records lost, 0 answered reads without an entry (P1, T32)."""

import asyncio
import os
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

import httpx

from hub.settings import Settings
from tests import logbook
from tests.conftest import free_port
from tests.servers import Process
from tests.world import HOME, Caller, World, call

ROUNDS = 20 if os.environ.get("HUB_TEST_FULL") else 4
READY = 5
ENOUGH = 12

ACKNOWLEDGES_EARLY = """
import asyncio
from hub import intake, keys
from hub.audit.committer import Committer
kept, keep, later = Committer.enter, intake.Intake.keep, set()

async def early(self, accepted):
    begin = lambda: later.add(asyncio.create_task(keep(self, accepted)))
    asyncio.get_running_loop().call_later(2, begin)

def enter(self, draft):
    if draft.act != "read":
        return kept(self, draft)
    ticket = asyncio.get_running_loop().create_future()
    ticket.set_result(keys.Ticket((self.w, 0), dict(draft.rows)))
    async def afterwards():
        await asyncio.sleep(2)
        await kept(self, draft)
    later.add(asyncio.create_task(afterwards()))
    return ticket

intake.Intake.keep, Committer.enter = early, enter
"""


@dataclass
class Load:
    """Who asks, and what was answered before the power went."""

    caller: Caller
    cases: list[str]
    receipts: dict[str, tuple[str, str]] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    reads: Counter[str] = field(default_factory=Counter)
    unanswered: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answered(self) -> list[int]:
        """How many reports, records, reads so far."""
        return [len(self.receipts), len(self.records), sum(self.reads.values())]

    async def report(self) -> None:
        what = f"断电前的报警{uuid.uuid4().hex}"
        answer = await self.caller.http.post("/v1/reports", json={"place": "重庆市巴南区", "what": what})
        if answer.status_code == 201:
            self.receipts[answer.json()["receipt"]] = (answer.json()["secret"], what)

    async def submit(self) -> None:
        key, body = uuid.uuid4().hex, call(content=f"断电前的记录{uuid.uuid4().hex}", region=HOME)
        try:
            answer = await self.caller.submit("police_call", body, key=key)
        except httpx.HTTPError:
            self.unanswered.append((key, body))
            raise
        if answer.status_code == 201:
            self.records[answer.json()["id"]] = body["content"]

    async def read(self) -> None:
        case = random.choice(self.cases)
        answer = await self.caller.get(f"/v1/cases/{case}")
        if answer.status_code == 200 and case in answer.text:
            self.reads[case] += 1

    async def run(self, stop: asyncio.Event) -> None:
        """All three kinds at once until the hub is gone."""

        async def repeat(act: Callable[[], Awaitable[None]]) -> None:
            while not stop.is_set():
                try:
                    await act()
                except httpx.HTTPError:
                    await asyncio.sleep(0.01)

        acts = [self.report] * 6 + [self.submit] * 4 + [self.read] * 6
        await asyncio.gather(*(repeat(act) for act in acts))


async def killed_under(load: Load, server: Process) -> None:
    """Let it answer some of each, then a random moment more, then pull the plug."""
    wanted, stop = [count + ENOUGH for count in load.answered()], asyncio.Event()
    running = asyncio.create_task(load.run(stop))
    async with asyncio.timeout(120):  # of one kind it may answer none
        while any(map(int.__lt__, load.answered(), wanted)) and not running.done():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3 * random.random())
    server.kill()
    stop.set()
    await running


async def lost(world: World, load: Load) -> tuple[list[str], list[str], list[str]]:
    """Receipts that do not resolve, records that cannot be read, cases with more reads than entries."""
    roomy = asyncio.Semaphore(16)

    async def missing(url: str, text: str, **headers: str) -> bool:
        async with roomy:
            answer = await load.caller.get(url, headers=headers)
        return answer.status_code != 200 or text not in answer.text

    receipts = await asyncio.gather(
        *(missing(f"/v1/reports/{r}", what, **{"Receipt-Secret": s}) for r, (s, what) in load.receipts.items())
    )
    records = await asyncio.gather(*(missing(f"/v1/records/{r}", content) for r, content in load.records.items()))
    reads, actor = [], world.services.vault.pseudonym("actor", await _account(world))
    for case, answered in load.reads.items():
        entries = [e for e in await logbook.about(world.services, case, "read") if e["actor"] == actor]
        reads += [] if len(entries) >= answered else [case]
    return [*compress(load.receipts, receipts)], [*compress(load.records, records)], reads


async def _account(world: World) -> bytes:
    unit = world.services.directory.codes[f"{HOME}-police"].id
    sql = "SELECT id FROM account WHERE unit_id = $1 AND name = 'supervisor'"
    row = await world.services.database.fetchrow(sql, unit)
    assert row is not None
    account: uuid.UUID = row["id"]
    return account.bytes


async def loaded(world: World, server: Process, http: httpx.AsyncClient) -> Load:
    """Cases to read, and a caller of the process that is about to be killed."""
    police = await world.agency("police")
    made = await asyncio.gather(*(police.filed("police_call", call()) for _ in range(READY)))
    there = World(world.services, None, server.url, world.people)
    token = await there.token(f"{HOME}-police")
    await there.close()
    headers = {"Authorization": f"Bearer {token}", "Purpose-Of-Use": "case_handling", "On-Behalf-Of": "supervisor"}
    return Load(Caller(http, headers), [m["case_id"] for m in made])


async def settled(server: Process) -> None:
    """The spool of the killed processes has been filed by the living one."""
    while list((server.data / "spool").glob("*.sealed")):
        await asyncio.sleep(0.1)


async def test_nothing_acknowledged_is_lost(world: World, config: Settings, tmp_path: Path) -> None:
    """Odd rounds give the database no time for reports, so that they go by the spool."""
    server = Process(config, free_port(), tmp_path)
    await server.start()
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as http:
        load = await loaded(world, server, http)
        for round_ in range(ROUNDS):
            await killed_under(load, server)
            await server.start(HUB_INTAKE_TIMEOUT="0" if round_ % 2 else "0.08")
        await settled(server)
        assert min(load.answered()) >= ENOUGH * ROUNDS
        assert await lost(world, load) == ([], [], [])
        for key, body in load.unanswered:
            first = await load.caller.submit("police_call", body, key=key)
            assert first.status_code == 201
            case = uuid.UUID(first.json()["case_id"])
            rows = await world.services.database.fetch("SELECT 1 FROM record WHERE case_id = $1", case)
            assert len(rows) == 1, "the request and its repetition had one effect"
    server.kill()


async def test_a_hub_that_answers_early_is_caught(world: World, config: Settings, tmp_path: Path) -> None:
    """The control: receipts and reads answered two seconds before they are durable are lost, and found lost."""
    server = Process(config, free_port(), tmp_path, ACKNOWLEDGES_EARLY)
    await server.start()
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as http:
        load = await loaded(world, server, http)
        await killed_under(load, server)
        server.plant = ""
        await server.start()
        await settled(server)
        receipts, records, reads = await lost(world, load)
    server.kill()
    assert len(receipts) >= ENOUGH // 2 and records == [] and reads
