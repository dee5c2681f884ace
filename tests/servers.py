"""More hubs than the one of `world`: another in this process on its own database, or one as a process to be killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from hub.main import create_app, open_services
from hub.settings import ROOT, Settings
from tests.world import World, populate


@asynccontextmanager
async def serving(config: Settings, port: int, people: dict[str, Any] | None = None) -> AsyncIterator[World]:
    """A hub on this configuration; its people are made unless they are given."""
    config = replace(config, issuer=f"http://127.0.0.1:{port}")
    if people is None:
        services = await open_services(config)
        people = await populate(services)
        await services.database.close()
    app = create_app(config)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", access_log=False))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    world = World(app.state.services, app, f"http://127.0.0.1:{port}", people)
    yield world
    await world.close()
    server.should_exit = True
    await running


@dataclass
class Process:
    """`hub serve` as a process of its own; `plant` is code that runs before it, to break something; `stdout` is where
    it prints to."""

    config: Settings
    port: int
    data: Path
    plant: str = ""
    stdout: int | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, asked: str = "/readyz", **more: str) -> None:
        """Returns when it is ready, or answers 200 to something else that is `asked`."""
        env = os.environ | {
            "HUB_DATABASE_URL": self.config.database_url,
            "HUB_DATA": str(self.data),
            "HUB_KEY_FILE": str(self.config.key_file),
            "HUB_DEMO": "1",
            "HUB_ISSUER": self.url,
        }
        what = ["-c", f"{self.plant}\nfrom hub.cli import app\napp()"] if self.plant else ["-m", "hub.cli"]
        command = [sys.executable, *what, "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=env | more, stdout=self.stdout)
        async with httpx.AsyncClient(base_url=self.url) as http:
            while True:
                assert self.process.poll() is None, "the hub did not start"
                try:
                    if (await http.get(asked)).status_code == 200:
                        return
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)

    def kill(self) -> None:
        """As when the power goes: no handler runs."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
