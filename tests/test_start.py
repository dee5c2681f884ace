"""Starting: before the database is there, after a power cut, say, when reports are taken all the same; and as systemd
is told."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from hub import keyfile
from hub.embedded import Embedded, EmbeddedFailed, _own
from hub.settings import Settings
from tests import outages
from tests.commands import run
from tests.conftest import free_port
from tests.outages import superuser
from tests.servers import Process
from tests.test_intake import PLACE, case_of
from tests.test_refusals import told
from tests.world import Caller, World, call


@pytest.fixture
def away(config: Settings, embedded: Embedded, tmp_path: Path) -> tuple[Settings, Path]:
    """Settings for the same database at a place where it is not, and that place."""
    place = tmp_path / "socket"
    return replace(config, database_url=config.database_url.replace(str(embedded.socket), str(place))), place


@asynccontextmanager
async def early(config: Settings, folder: Path, **more: str) -> AsyncIterator[httpx.AsyncClient]:
    process = Process(config, free_port(), folder)
    await process.start("/healthz", **more)
    try:
        async with httpx.AsyncClient(base_url=process.url, timeout=20) as http:
            yield http
    finally:
        process.kill()


async def reported(http: httpx.AsyncClient) -> dict[str, str]:
    answer = await http.post("/v1/reports", json={"place": PLACE, "what": "停电后的报警"})
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


async def ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/readyz")).status_code == 200


async def test_reports_are_taken_before_the_database_is_there(
    world: World, embedded: Embedded, away: tuple[Settings, Path], tmp_path: Path
) -> None:
    """All else is refused; when it is there everything goes on by itself, and each report is filed."""
    config, place = away
    async with early(config, tmp_path) as http:
        made = [await reported(http) for _ in range(3)]
        assert not await ready(http) and len(list((tmp_path / "spool").glob("*"))) > 0
        assert (await http.get(f"/v1/reports/{made[0]['receipt']}")).status_code == 503
        assert [await case_of(world.services, each) for each in made] == [None] * 3
        place.symlink_to(embedded.socket)
        while not await ready(http):
            await asyncio.sleep(0.05)
        while list((tmp_path / "spool").glob("*")):
            await asyncio.sleep(0.05)
        assert all([await case_of(world.services, each) for each in made])
        assert (await http.get(f"/v1/reports/{made[0]['receipt']}")).status_code == 200


async def test_what_a_start_refuses_is_not_let_in(
    world: World, embedded: Embedded, away: tuple[Settings, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A database that loses what it acknowledged: reports stay on disk until it is put right."""
    config, place = away
    admin = await superuser(embedded)
    await admin.execute("ALTER ROLE hub_app SET synchronous_commit = off")
    try:
        async with early(config, tmp_path) as http:
            place.symlink_to(embedded.socket)
            said = ""
            while "synchronous_commit" not in said:
                await asyncio.sleep(0.1)
                said += "".join(capfd.readouterr())
            made = await reported(http)
            assert not await ready(http) and await case_of(world.services, made) is None
            await admin.execute("ALTER ROLE hub_app RESET synchronous_commit")
            while not await ready(http):
                await asyncio.sleep(0.05)
    finally:
        await admin.execute("ALTER ROLE hub_app RESET synchronous_commit")
        await admin.close()


@pytest.mark.parametrize("way", outages.UNWRITTEN)
async def test_reports_are_taken_while_the_log_cannot_be_written(
    world: World, config: Settings, embedded: Embedded, tmp_path: Path, way: str
) -> None:
    """The process comes up all the same, refuses all else, and goes on by itself. A check says it, leaving nothing."""
    opened, police = "SELECT count(*) FROM log_writer", await world.agency("police")
    made = await police.filed("police_call", call())
    before = await world.services.database.main.fetchval(opened)
    async with AsyncExitStack() as stack:
        outage = await stack.enter_async_context(AsyncExitStack())
        await outage.enter_async_context(outages.unwritten(embedded, way))
        done = await asyncio.to_thread(run, config, "check")
        assert done.returncode == 1 and "log cannot be written" in done.stderr and "Traceback" not in done.stderr
        http = await stack.enter_async_context(early(config, tmp_path, HUB_ISSUER=world.url))
        receipt = await reported(http)
        assert not await ready(http) and len(list((tmp_path / "spool").glob("*.sealed"))) == 1
        there = Caller(http, police.headers)
        assert (await there.get(f"/v1/cases/{made['case_id']}")).status_code == 503
        assert (await there.submit("police_call", call())).status_code == 503
        await outage.aclose()
        async with asyncio.timeout(20):
            while not await ready(http) or list((tmp_path / "spool").glob("*")):
                await asyncio.sleep(0.05)
        assert await case_of(world.services, receipt)
        assert (await there.get(f"/v1/cases/{made['case_id']}")).status_code == 200
    assert await world.services.database.main.fetchval(opened) - before < 5, "no more than who has died, and this one"
    chains = await world.services.database.main.fetchval(opened)
    assert (await asyncio.to_thread(run, config, "check")).returncode == 0, "control"
    assert await world.services.database.main.fetchval(opened) == chains


@pytest.mark.parametrize("wrong", ["password", "key"])
async def test_what_waiting_does_not_cure_stops_the_start(
    world: World, config: Settings, tmp_path: Path, wrong: str
) -> None:
    """A database that is there and refuses, and a key of another."""
    if wrong == "password":
        config = replace(config, database_url=config.database_url.replace("hub_app:", "hub_app:x"))
    else:
        await (await world.agency("police")).filed("police_call", call())  # there must be a case that it should open
        config = replace(config, data=tmp_path)
        keyfile.create(config.key_file, demo=True)
    with pytest.raises(AssertionError, match="did not start"):
        async with early(config, tmp_path):
            pass


def _heard(socket_: socket.socket) -> set[bytes]:
    """What was told within a second."""
    heard, until = set(), time.monotonic() + 1
    while time.monotonic() < until:
        with suppress(TimeoutError):
            heard.add(socket_.recv(100))
    return heard


async def test_systemd_is_told(config: Settings, tmp_path: Path) -> None:
    """When it listens, and again and again that it turns; a process that stands still (the control) says nothing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(0.1)
        process = Process(config, free_port(), tmp_path)
        await process.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000")
        assert process.process is not None
        try:
            assert _heard(told) == {b"READY=1", b"WATCHDOG=1"}
            process.process.send_signal(signal.SIGSTOP)
            _heard(told)
            assert _heard(told) == set()
            process.process.send_signal(signal.SIGCONT)
            assert _heard(told) == {b"WATCHDOG=1"}
        finally:
            process.kill()


async def test_a_socket_in_use_is_not_taken_over(config: Settings, world: World, tmp_path: Path) -> None:
    """Its hub would go on, and be asked no more. What a dead one left behind is replaced."""
    path, env = str(tmp_path / "hub.sock"), {"HUB_DATABASE_URL": config.database_url, "HUB_DATA": str(tmp_path)}
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    command, env = [sys.executable, "-m", "hub.cli", "serve", "--uds", path], os.environ | env
    first = subprocess.Popen(command, env=env | {"HUB_KEY_FILE": str(config.key_file)})
    try:
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path), base_url="http://hub") as http:
            while first.poll() is None:
                with suppress(httpx.HTTPError):
                    assert (await http.get("/healthz")).status_code == 200
                    break
                await asyncio.sleep(0.05)
            assert "in use" in await asyncio.to_thread(told, config, "serve", "--uds", path)
            assert (await http.get("/healthz")).status_code == 200
    finally:
        first.kill()
        first.wait()


def test_nobody_prepares_what_root_runs(tmp_path: Path) -> None:
    """A folder with a name that can be told beforehand, where anybody may make one, is ours or is not used."""
    ours, open_to_all, link = (tmp_path / name for name in ("ours", "open", "link"))
    for _ in range(2):
        _own(ours, 0o755)  # control: made, and found again
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    link.symlink_to(ours)
    foreign = [open_to_all, link]
    if os.getuid() == 0:
        other = tmp_path / "other"
        other.mkdir()
        os.chown(other, 65534, 65534)
        foreign.append(other)
    for path in foreign:
        with pytest.raises(EmbeddedFailed, match="remove it"):
            _own(path, 0o755)


async def test_a_stop_waits_for_no_server_that_stands_still(world: World, config: Settings, embedded: Embedded) -> None:
    """Else systemd kills it, after thirty seconds in which nothing was served: with its connections idle, one asked for
    readiness and one under way."""
    police, process = await world.agency("police"), Process(config, free_port(), config.data)
    await process.start(HUB_ISSUER=world.url)
    assert process.process is not None
    async with httpx.AsyncClient(base_url=process.url, timeout=60) as http:
        there = Caller(http, police.headers)
        assert {a.status_code for a in await asyncio.gather(*(there.get("/v1/cases") for _ in range(3)))} == {200}
        async with outages.hung(embedded):
            waiting = [asyncio.create_task(http.get("/readyz")), asyncio.create_task(there.get("/v1/cases"))]
            await asyncio.sleep(0.3)
            process.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(29):
                    while process.process.poll() is None:
                        await asyncio.sleep(0.1)
            finally:
                process.kill()
            await asyncio.gather(*waiting, return_exceptions=True)
