"""Reads that go together: each is answered as if it had come alone, and nobody is given another's rows."""

import asyncio
from collections.abc import Sized
from typing import Any

import httpx
import pytest

from hub import together
from hub.embedded import Embedded
from hub.errors import Unavailable
from hub.together import FEW, ROWS, Reads
from tests import outages
from tests.forms import minimal
from tests.leaks.test_hidden_predicates import statements
from tests.world import AWAY, HOME, Caller, World, call, pair

ECHO = "SELECT $1::int AS n, $2::bytea[] AS keys FROM generate_series(1, $1)"
DIVIDED = "SELECT 6 / $1::int AS n"
PAGE = "SELECT $1::int AS n FROM generate_series(1, $1) ORDER BY 1 LIMIT $2::bigint"


def keys(n: int) -> list[bytes]:
    return [bytes([n, i]) for i in range(n % 4)]


def of_ours(ran: list[str]) -> list[str]:
    """Without what the driver asks about types."""
    return [sql for sql in ran if "generate_series" in sql]


async def test_what_is_ready_is_one_statement(world: World) -> None:
    """Each gets its own rows, in order, none where there are none; one after the other (the control) go alone."""
    reads, database = Reads(world.services.database.main), world.services.database
    with statements(database) as ran:
        found = await asyncio.gather(*(reads.fetch(ECHO, n, keys(n)) for n in range(20)))
    assert [[(r["n"], r["keys"]) for r in rows] for rows in found] == [[(n, keys(n))] * n for n in range(20)]
    assert len(of_ours(ran)) == 1
    with statements(database) as ran:
        alone = [await reads.fetch(ECHO, n, keys(n)) for n in range(20)]
    assert [[tuple(r)[:2] for r in rows] for rows in found] == [[tuple(r) for r in rows] for rows in alone]
    assert of_ours(ran) == [ECHO] * 20 and not reads._queues


async def test_a_statement_brings_so_many_and_no_more(world: World) -> None:
    """What brings many goes alone, and beside the others: it holds up none."""
    reads = Reads(world.services.database.main)
    for rows, many, expected in ((FEW, 100, 3), (100, 8, 2), (ROWS // 2 + 1, 3, 3), (ROWS * 2, 2, 2)):
        with statements(world.services.database) as ran:
            await asyncio.gather(*(reads.fetch(ECHO, 1, [], rows=rows) for _ in range(many)))
        assert len(of_ours(ran)) == expected, rows


async def test_one_spoils_it_for_no_other(world: World) -> None:
    reads = Reads(world.services.database.main)
    found = await asyncio.gather(*(reads.fetch(DIVIDED, n) for n in (1, 2, 0, 3)), return_exceptions=True)
    assert isinstance(found[2], Exception) and not isinstance(found[2], Unavailable)
    assert [rows[0]["n"] for i, rows in enumerate(found) if i != 2] == [6, 3, 2]  # type: ignore[index]


async def test_who_leaves_takes_nobody_along(world: World) -> None:
    reads = Reads(world.services.database.main)
    many = [asyncio.create_task(reads.fetch(DIVIDED, n)) for n in (1, 2, 3)]
    await asyncio.sleep(0)
    many[1].cancel()
    found = await asyncio.gather(*many, return_exceptions=True)
    assert isinstance(found[1], asyncio.CancelledError)
    assert [rows[0]["n"] for rows in (found[0], found[2])] == [6, 2]  # type: ignore[index]


async def test_a_lost_database_fails_them_all_at_once(world: World, embedded: Embedded) -> None:
    """As it fails one; when it is back, so are they."""
    reads = Reads(world.services.database.main)
    async with outages.down(embedded):
        found = await asyncio.gather(*(reads.fetch(DIVIDED, n) for n in (1, 2, 3)), return_exceptions=True)
    assert all(isinstance(error, Unavailable) for error in found)
    assert len(set(map(id, found))) == 3  # each its own: that one is logged is noted on it
    for _ in range(50):  # what was cut is noticed when it is used next, the log's connection at its next entry
        found = await asyncio.gather(*(reads.fetch(DIVIDED, n) for n in (1, 2)), return_exceptions=True)
        if (await world.http.get("/readyz")).status_code == 200 and not isinstance(found[0], Unavailable):
            break
        await asyncio.sleep(0.1)
    assert [rows[0]["n"] for rows in found] == [6, 3]  # type: ignore[index]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each statement for several callers brought."""
    sizes: list[int] = []
    plain = Reads._found

    async def found(self: Reads, sql: str, group: Any) -> Any:
        rows = await plain(self, sql, group)
        if len(group) > 1:
            sizes.append(sum(map(len, rows)))
        return rows

    monkeypatch.setattr(Reads, "_found", found)
    return sizes


async def test_a_small_page_does_not_lift_the_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, sizes = Reads(world.services.database.main), counted(monkeypatch)
    await asyncio.gather(*(reads.fetch(PAGE, 200, limit, rows=limit) for limit in (1, 1, *[200] * 50)))
    assert sizes and max(sizes) <= ROWS, sizes


async def test_an_error_knows_nothing_of_others(world: World) -> None:
    reads = Reads(world.services.database.main)
    asked = (reads.fetch("SELECT $1::int AS n", n) for n in (1, "hers", 2**40))
    found = await asyncio.gather(*asked, return_exceptions=True)
    error, said = found[2], ""
    assert isinstance(error, Exception)
    while error is not None:
        said, error = said + str(error), error.__cause__ or error.__context__
    assert "hers" not in said


async def test_who_waits_for_a_task_that_is_gone_is_told(world: World) -> None:
    reads = Reads(world.services.database.main)
    waiting = [asyncio.create_task(reads.fetch("SELECT $1::int AS n, pg_sleep(0.2)", n)) for n in (1, 2)]
    await asyncio.sleep(0.05)
    for task in list(reads._tasks):
        task.cancel()
    _, late = await asyncio.wait(waiting, timeout=2)
    for task in late:
        task.cancel()
    assert not late


async def test_what_is_long_goes_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history (1,000 rows), a region that no index narrows, two keys of the log where an index knows one."""
    asked: dict[str, int] = {}
    now, plain = "", Reads.fetch

    async def fetch(self: Reads, sql: str, *args: Any, rows: int = FEW) -> Any:
        asked[now] = rows
        return await plain(self, sql, *args, rows=rows)

    monkeypatch.setattr(Reads, "fetch", fetch)
    police, auditor = await world.agency("police"), await world.person("auditor")
    court, province = await world.agency("court"), await world.agency("police", region="50", purpose="supervision")
    made = await police.filed("police_call", call(pair(), region=HOME))
    who = {"who": f"{HOME}-police", "limit": 1}
    for now, caller, url, params in (
        ("history", police, f"/v1/cases/{made['case_id']}/history", {}),
        ("wide", province, "/v1/cases", {"region": "5009", "limit": 1}),
        ("outside", police, "/v1/cases", {"region": AWAY, "limit": 1}),
        ("linked", court, "/v1/cases", {"region": AWAY, "limit": 1}),
        ("two keys", auditor, "/v1/audit/entries", who | {"unit": f"{HOME}-court"}),
        ("control: street", police, "/v1/cases", {"region": f"{HOME}001", "limit": 1}),
        ("control: one key", auditor, "/v1/audit/entries", who),
    ):
        assert (await caller.get(url, params=params)).status_code == 200, now
    together = {name for name, rows in asked.items() if ROWS // rows > 1}
    assert together == {"control: street", "control: one key"}


async def _asked(world: World) -> list[tuple[Caller, str]]:
    """Callers of two areas and several kinds, each on the cases of all, and on one that nobody has."""
    callers = [
        await world.agency(kind, region=region)
        for kind, region in (("police", HOME), ("police", AWAY), ("court", HOME), ("court", AWAY))
    ]
    kinds = ("police_call", call(region=HOME)), ("police_call", call(region=AWAY))
    kinds += ("judgment", minimal("judgment") | pair()), ("judgment", minimal("judgment") | pair())
    made = [await c.filed(kind, body) for c, (kind, body) in zip(callers, kinds, strict=True)]
    urls = [f"/v1/cases/{m['case_id']}{more}" for m in made for more in ("", "/records", "/history")]
    urls += [f"/v1/records/{m['id']}" for m in made] + [f"/v1/cases/{made[0]['id']}", "/v1/cases"]
    return [(caller, url) for url in urls for caller in callers]


def _said(answers: list[httpx.Response]) -> list[tuple[int, bytes, str]]:
    return [(a.status_code, a.content if a.status_code == 200 else b"", a.headers.get("etag", "")) for a in answers]


async def _patient(queue: Sized, most: int) -> None:
    """What comes within a moment of another goes with it, however slow the machine is at bringing it."""
    seen = 0
    while seen < len(queue) < most:
        seen = len(queue)
        await asyncio.sleep(0.02)


async def test_nobody_is_given_anothers_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers who ask at once are answered what each is answered alone, with an entry each; were the places of a
    statement mixed up (the control), they would not be."""
    asked, database = await _asked(world), world.services.database
    entries = "SELECT count(*) AS n FROM access_log"

    async def logged() -> int:
        return int((await database.audit.fetchrow(entries))["n"])  # type: ignore[index]

    async def at_once() -> list[httpx.Response]:
        return list(await asyncio.gather(*(caller.get(url) for caller, url in asked)))

    before = await logged()
    alone = [await caller.get(url) for caller, url in asked]
    between = await logged()
    monkeypatch.setattr(together, "settled", _patient)
    with statements(database) as ran:
        together_ = await at_once()
    assert _said(together_) == _said(alone)
    assert await logged() - between == between - before
    assert {200, 404} == {a.status_code for a in alone}
    assert any("WITH ORDINALITY" in sql for sql in ran)  # the more of them come together, the fewer statements

    plain = together.for_many

    def mixed(sql: str) -> tuple[str, tuple[bool, ...]]:
        text, arrays = plain(sql)
        return text.replace("SELECT x.*, q.place", "SELECT x.*, 1 + q.place % 2 AS place"), arrays

    monkeypatch.setattr(together, "for_many", mixed)
    answers = await at_once()
    assert _said(answers) != _said(alone)
