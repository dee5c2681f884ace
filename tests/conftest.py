"""A real PostgreSQL, a real server over loopback, and a small invented province. No mocks of our own modules."""

import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

os.environ["HUB_DEMO"] = "1"
_HOME = Path(tempfile.mkdtemp(prefix="hub-test-", dir="/tmp"))
_HOME.chmod(0o755)
os.environ["HUB_DATA"] = str(_HOME)

import asyncio  # noqa: E402
import shutil  # noqa: E402

import pytest  # noqa: E402
import uvicorn  # noqa: E402

from hub import keyfile, migrations, settings  # noqa: E402
from hub.embedded import Embedded, open_embedded  # noqa: E402
from hub.main import create_app, open_services  # noqa: E402
from hub.policies.services import Services  # noqa: E402
from tests.world import World, populate  # noqa: E402


@pytest.fixture(scope="session")
def embedded() -> Iterator[Embedded]:
    """One server for the whole run: HUB_PG_BIN, the system's, or the wheel's."""
    server = open_embedded(_HOME / "pg", os.environ.get("HUB_PG_BIN", "")).start()
    migrations.upgrade(server.owner_url)
    yield server
    server.stop()
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def config(embedded: Embedded) -> settings.Settings:
    made = replace(settings.current(), database_url=embedded.app_url, owner_url=embedded.owner_url, data=_HOME)
    made = replace(made, even_out=0.0)  # for speed; tests/leaks/test_timing.py has it on
    keyfile.create(made.key_file, demo=True)
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
async def world(config: settings.Settings) -> AsyncIterator[World]:
    """The hub serving on loopback, with units, people and systems; see `tests/world.py`."""
    port = free_port()
    config = replace(config, issuer=f"http://127.0.0.1:{port}")
    services = await open_services(config)
    people = await populate(services)
    await services.database.close()
    app = create_app(config)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", access_log=False))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    made = World(app.state.services, app, f"http://127.0.0.1:{port}", people)
    yield made
    await made.close()
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
async def services(world: World) -> Services:
    return world.services
