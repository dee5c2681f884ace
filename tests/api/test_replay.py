"""One client assertion sent to four processes at once is good exactly once (A31). Control: without the key of the
table of spent assertions, the same count finds more than one acceptance."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from hub import settings
from hub.demo.replay import ASSERTION
from tests.api.test_jose import client_forge
from tests.conftest import free_port
from tests.forge import malleated
from tests.world import World

PROCESSES = 4
ROUNDS = 200 if os.environ.get("HUB_TEST_FULL") else 25
Hubs = list[httpx.AsyncClient]
KEY = "spent_assertion_pkey"


def serve(world: World, config: settings.Settings, port: int, home: Path) -> subprocess.Popen[bytes]:
    """A hub in a process of its own, on the same database, keys and issuer."""
    environment = os.environ | {
        "HUB_DEMO": "1",
        "HUB_DATABASE_URL": config.database_url,
        "HUB_KEY_FILE": str(config.key_file),
        "HUB_DATA": str(home),
        "HUB_ISSUER": world.url,
        "HUB_POOL_SIZE": "4",
    }
    return subprocess.Popen([sys.executable, "-m", "hub.cli", "serve", "--port", str(port)], env=environment)


async def _up(hub: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if (await hub.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def processes(world: World, config: settings.Settings, tmp_path_factory: Any) -> AsyncIterator[Hubs]:
    """A connection to each of four hubs that are ready."""
    ports = [free_port() for _ in range(PROCESSES)]
    started = [serve(world, config, port, tmp_path_factory.mktemp("hub")) for port in ports]
    hubs = [httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) for port in ports]
    try:
        await asyncio.gather(*(_up(hub) for hub in hubs))
        yield hubs
    finally:
        await asyncio.gather(*(hub.aclose() for hub in hubs))
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=30)


async def accepted(hubs: Hubs, assertions: list[str]) -> int:
    """How many of the hubs took the assertion they were sent, all at once; the others say 401."""
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
    answers = await asyncio.gather(
        *(
            hub.post("/oauth/token", data=form | {"client_assertion": a})
            for hub, a in zip(hubs, assertions, strict=True)
        )
    )
    assert {answer.status_code for answer in answers} <= {200, 401}
    return sum(answer.status_code == 200 for answer in answers)


async def test_one_assertion_is_taken_once(world: World, processes: Hubs) -> None:
    for _ in range(ROUNDS):
        same = client_forge(world).token()
        assert await accepted(processes, [same] * PROCESSES) == 1
        assert await accepted(processes, [malleated(same)] * PROCESSES) == 0
    twins = client_forge(world).token()
    assert await accepted(processes, [twins, malleated(twins)] * 2) == 1


async def test_different_assertions_are_all_taken(world: World, processes: Hubs) -> None:
    """Control: it is the assertion that is spent, not the processes that refuse."""
    assert await accepted(processes, [client_forge(world).token() for _ in range(PROCESSES)]) == PROCESSES


@asynccontextmanager
async def _without_key(owner_url: str) -> AsyncIterator[None]:
    """A table of spent assertions that forgets that a `jti` is good once."""
    owner = await asyncpg.connect(owner_url)
    await owner.execute(f"ALTER TABLE spent_assertion DROP CONSTRAINT {KEY}")
    try:
        yield
    finally:
        await owner.execute("DELETE FROM spent_assertion")
        await owner.execute(f"ALTER TABLE spent_assertion ADD CONSTRAINT {KEY} PRIMARY KEY (jti_hash)")
        await owner.close()


async def test_without_its_key_the_table_is_found_out(world: World, processes: Hubs, config: settings.Settings) -> None:
    """Control: the planted bug shows in the same count."""
    async with _without_key(config.owner_url):
        same = client_forge(world).token()
        assert await accepted(processes, [same] * PROCESSES) == PROCESSES
    assert await accepted(processes, [client_forge(world).token()] * PROCESSES) == 1
