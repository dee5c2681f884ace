"""A47: schemathesis over the hub's own OpenAPI description, with its checks: 0 of 5xx, 0 breaks of the schema.

What `schemathesis.toml` beside this file leaves out, and why, stands there.
"""

import asyncio
import os
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from tests.conftest import free_port
from tests.world import World

CONFIG = Path(__file__).with_suffix("").with_name("schemathesis.toml")
FULL = bool(os.environ.get("HUB_TEST_FULL"))
OFF = "unsupported_method,allow_header_conformance"
"""Off in the file too, which `--checks all` overrules."""
EXTENT = ("-n", "100") if FULL else ("-n", "5", "--phases", "examples,fuzzing,stateful")
"""Of the requests it makes up it drops some unsent; with two to an operation, now and then both."""


async def schemathesis(url: str, *options: str) -> tuple[int, str]:
    """Run it as a reviewer would, from the command line; returns exit code and report."""
    command = [sys.executable, "-W", "ignore", "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
    run = [
        "run",
        f"{url}/openapi.json",
        "--checks",
        "all",
        "--exclude-checks",
        OFF,
        "--seed",
        "1",
        "--no-color",
        "-w",
        "1",
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        *run,
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_the_description_holds(world: World) -> None:
    """All routes, valid credentials; the few that need another caller answer 403."""
    police = await world.agency("police")
    headers = [part for name, value in police.headers.items() for part in ("-H", f"{name}: {value}")]
    code, report = await schemathesis(world.url, *EXTENT, *headers)
    assert code == 0, report
    operations = sum(len(methods) for methods in world.app.openapi()["paths"].values())
    assert f"Tested: {operations}" in report, report


class Promise(BaseModel):
    number: int


async def test_breaks_would_show() -> None:
    """The control: an application that answers 500, and one that breaks its schema, are both found."""
    app = FastAPI()

    @app.get("/broken")
    async def broken(n: int = 0) -> None:
        raise ValueError

    @app.get("/lies", responses={200: {"model": Promise}}, response_model=None)
    async def lies() -> dict[str, str]:
        return {"number": "not a number"}

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    code, report = await schemathesis(f"http://127.0.0.1:{port}", "-n", "2", "--continue-on-failure")
    server.should_exit = True
    await serving
    assert code == 1 and "Server error" in report and "Response violates schema" in report, report
