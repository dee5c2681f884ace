"""The spool's own disk: a batch that does not fit leaves nothing behind, and one that fits is taken after it."""

import asyncio
import os
import resource
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from hub import admin, clock, people
from hub.embedded import Embedded
from hub.intake import Accepted, handler_for
from hub.parties import recognise
from hub.policies.services import Services
from hub.settings import Settings
from hub.spool import Spool, Spooled
from hub.writer import LOCK, pair_locks
from tests import outages
from tests.conftest import free_port
from tests.servers import Process
from tests.test_intake import settled
from tests.world import HOME, World, pair


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file of this process grows above `size` meanwhile, as on a disk that is nearly full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def report(what: str) -> Spooled:
    return {"place": "家里", "what": what}, "report", uuid.uuid4().bytes, bytes(16), clock.now(), uuid.uuid4()


def test_a_full_disk_is_filled_no_further(services: Services, tmp_path: Path) -> None:
    spool, small = Spool(tmp_path, services.vault.misc), report("小")
    with little_room(4096):
        for _ in range(3):
            with pytest.raises(OSError):
                spool.append([report("大" * 10_000)])
        assert list(tmp_path.iterdir()) == []
        spool.append([small])
    (path,) = spool.files()
    assert [spool.opened(line) for line in spool.lines(path)] == [small]
    with pytest.raises(OSError), little_room(4096):  # the control: there was no more room than that
        (tmp_path / "control").write_bytes(bytes(8192))


def test_what_a_dead_process_left_half_written_goes(services: Services, tmp_path: Path) -> None:
    """Not what another may still be writing, and no report."""
    spool = Spool(tmp_path, services.vault.misc)
    spool.append([report("小")])
    (kept,) = spool.files()
    old, new, foreign = (tmp_path / name for name in ("1.sealed.x.part", "2.sealed.x.part", "film.part"))
    for path in (old, new, foreign):
        path.write_bytes(b"x")
    for path in (old, kept, foreign):
        os.utime(path, (0, 0))
    spool.tidy()
    assert sorted(tmp_path.iterdir()) == sorted([kept, new, foreign])


async def test_a_long_report_takes_no_short_one_along(world: World) -> None:
    """Left at the same moment, they go into one file: the one for which there is no room is refused, the others are
    kept."""
    intake, now = world.app.state.intake, clock.now()
    sizes = (10_000, 1, 1, 1)
    sent = [Accepted({"place": "大" * n}, "report", uuid.uuid4().bytes, bytes(16), now) for n in sizes]
    with little_room(4096):
        assert await asyncio.gather(*map(intake._spooled, sent)) == [False, True, True, True]
    await settled(world)
    sql = "SELECT 1 FROM record WHERE id = ANY($1)"
    assert len(await world.services.database.fetch(sql, [accepted.record_id for accepted in sent])) == 3


async def test_a_line_that_nobody_can_read_holds_up_no_other(world: World) -> None:
    """It is set aside, with the rest filed and the file gone; renamed back, once it is right, it is filed."""
    spool, intake = world.app.state.intake.spool, world.app.state.intake
    good, late = report("完好"), report("先坏后好")
    spool.append([good, late])
    (path,) = spool.files()
    first, second = spool.lines(path)
    path.write_bytes(first + b"\n" + second[:-8] + b"\nnot even base64\n")
    await settled(world)
    bad, filed = path.with_suffix(".bad"), "SELECT 1 FROM record WHERE id = $1"
    assert not path.exists() and bad.read_bytes().split() == [second[:-8], *b"not even base64".split()]
    found = [await world.services.database.fetchrow(filed, each[-1]) for each in (good, late)]
    assert found[0] is not None and found[1] is None
    bad.write_bytes(second + b"\n")
    bad.rename(path)
    await settled(world)
    assert await world.services.database.fetchrow(filed, late[-1]) is not None
    assert await intake.drain() == 0


@pytest.mark.parametrize("where", ["a pipe that nobody reads", "a full disk"])
async def test_a_log_that_cannot_be_written_holds_up_nothing(
    world: World, config: Settings, tmp_path: Path, where: str
) -> None:
    """The process starts, sets aside once what nobody can read, which it cannot say, and files what is behind it."""
    read, write = os.pipe() if "pipe" in where else (None, os.open("/dev/full", os.O_WRONLY))
    if read is not None:
        os.close(read)
    spool, good = Spool(tmp_path / "spool", world.services.vault.misc), report("好")
    spool.append([good])
    (spool.folder / "0-bad.sealed").write_bytes(b"?")
    process = Process(config, free_port(), tmp_path, stdout=write)
    try:
        async with asyncio.timeout(20):
            await process.start()
            while await world.services.database.fetchrow("SELECT 1 FROM record WHERE id = $1", good[-1]) is None:
                await asyncio.sleep(0.05)
        await asyncio.sleep(2.5)
        assert [path.name for path in spool.folder.iterdir()] == ["0-bad.bad"]
        async with httpx.AsyncClient(base_url=process.url) as http:
            assert (await http.get("/readyz")).status_code == 200
    finally:
        process.kill()
        os.close(write)


async def test_a_file_that_cannot_be_read_holds_up_no_other(world: World) -> None:
    """As one that this process may not read: the reports behind it are filed."""
    intake, good = world.app.state.intake, report("完好")
    bad = intake.spool.folder / "0-first.sealed"
    intake.spool.folder.mkdir(exist_ok=True)
    bad.symlink_to(bad)
    intake.spool.append([good])
    async with asyncio.timeout(10):
        while await world.services.database.fetchrow("SELECT 1 FROM record WHERE id = $1", good[-1]) is None:
            await asyncio.sleep(0.05)
    bad.unlink()


async def test_a_report_that_the_database_does_not_take_holds_up_no_other(world: World) -> None:
    """A process that never ends its transaction holds the pair of the first: those behind it are filed meanwhile, and
    it too once the server has ended that transaction."""
    intake, filed, parties = world.app.state.intake, "SELECT 1 FROM record WHERE id = $1", pair()
    first, others = report("先"), [report(f"后{n}") for n in range(3)]
    first[0].update(parties)
    held = sorted(pair_locks(recognise(world.services.vault, first[0], "report")))
    async with outages.ghost(world, LOCK, [], held):
        for each in (first, *others):
            intake.spool.append([each])
        async with asyncio.timeout(8):
            for each in others:
                while await world.services.database.fetchrow(filed, each[-1]) is None:
                    await asyncio.sleep(0.05)
        assert await world.services.database.fetchrow(filed, first[-1]) is None, "control: it is held up"
        async with asyncio.timeout(15):
            while await world.services.database.fetchrow(filed, first[-1]) is None:
                await asyncio.sleep(0.05)


async def test_one_that_is_unavailable_by_itself_holds_up_no_other(world: World) -> None:
    """Its own row cannot be had, by a table that answers too late for it alone: the others are filed, and where none is
    taken, the round ends."""
    intake, filed, late = world.app.state.intake, "SELECT 1 FROM record WHERE id = $1", [report("迟") for _ in range(2)]
    good = report("好")
    await world.by_hand(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF NEW.id IN ('{late[0][-1]}', '{late[1][-1]}') THEN RAISE EXCEPTION '' USING ERRCODE = '53100'; END IF;"
        " RETURN NEW; END $$"
    )
    await world.by_hand("CREATE TRIGGER late BEFORE INSERT ON record FOR EACH ROW EXECUTE FUNCTION late()")
    try:
        for each in (*late, good):
            intake.spool.append([each])
        async with asyncio.timeout(10):
            while await world.services.database.fetchrow(filed, good[-1]) is None:
                await asyncio.sleep(0.05)
        assert len(intake.spool.files()) == 2
    finally:
        await world.by_hand("DROP FUNCTION late() CASCADE")
    await settled(world)


async def test_spooled_reports_go_to_who_is_on_duty_now(world: World) -> None:
    """A process that knows the units of an hour ago, as `hub worker` does: a station that was dissolved since gets
    nothing more."""
    code, directory = f"{HOME}-police-gone", world.services.directory
    await admin.add_units(world.services, [admin.NewUnit(code, "某所", "police", f"{HOME}006000", f"{HOME}-police")])
    told = report("正在打人")
    told[0]["region"] = f"{HOME}006000"
    assert handler_for(world.services, told[0])[0].code == code, "control"
    await world.by_hand("UPDATE unit SET disabled_at = now() WHERE code = $1", code)
    world.app.state.intake.spool.append([told])
    await settled(world)
    sql = "SELECT intake FROM cases WHERE id = (SELECT case_id FROM record WHERE id = $1)"
    row = await world.services.database.fetchrow(sql, told[-1])
    assert row is not None and row["intake"] == [directory.codes[f"{HOME}-police"].id]


async def test_what_is_filed_late_is_among_what_changed(world: World) -> None:
    """After an outage of an hour: who pulls what changed was past the moment when it was accepted. The report keeps
    that moment; of one filed at once (the control) it is the one of the change."""
    spool, ago = world.app.state.intake.spool, timedelta(hours=1)
    police = await world.agency("police", person="intake", purpose="intake")
    late, prompt = report("晚到"), report("及时")
    late[0]["region"] = prompt[0]["region"] = f"{HOME}000000"
    spool.append([(*late[:4], late[4] - ago, late[5]), prompt])
    since = clock.now() - timedelta(minutes=5)
    await settled(world)
    sql = "SELECT case_id, at, made_at FROM record WHERE id = $1"
    rows = [await world.services.database.fetchrow(sql, each[-1]) for each in (late, prompt)]
    changed = (await police.get("/v1/cases", params={"updated_since": clock.text(since), "limit": 1000})).json()
    assert {str(row["case_id"]) for row in rows} <= {item["id"] for item in changed["items"]}
    assert rows[0]["at"] == late[4] - ago and rows[0]["made_at"] > since and rows[1]["at"] == rows[1]["made_at"]


def test_a_clock_set_back_costs_no_report(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches of one process at what the clock says is one moment: both are there."""
    monkeypatch.setattr(clock, "micros", lambda: 1_790_000_000_000_000)
    spool, told = Spool(tmp_path, services.vault.misc), [report("先"), report("后")]
    for each in told:
        spool.append([each])
    kept = [spool.opened(line) for path in spool.files() for line in spool.lines(path)]
    assert sorted(kept, key=str) == sorted(told, key=str)


async def test_passwords_hold_up_no_report(world: World, embedded: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    """More people try to log in at once than there are threads to judge their passwords, which takes its time, and the
    database is away: a report is on disk all the same."""
    judged = threading.Event()
    monkeypatch.setattr(people, "_matches", lambda stored, password: not judged.wait(20))
    tries = {"login": "nobody", "password": "x", "code": "123456"}
    async with httpx.AsyncClient(base_url=world.url, timeout=30, limits=httpx.Limits(max_connections=50)) as crowd:
        tasks = [asyncio.create_task(crowd.post("/v1/sessions", json=tries)) for _ in range(50)]
        await asyncio.sleep(0.5)
        try:
            async with asyncio.timeout(5), outages.hung(embedded):
                answer = await world.http.post("/v1/reports", json={"place": "家里"})
        finally:
            judged.set()
        assert {(await task).status_code for task in tasks} == {401}
    assert answer.status_code == 201
    await settled(world)
