"""A47: schemathesis over the hub's own OpenAPI description, all its checks: 0 of 5xx, 0 breaks of the schema."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from tests.conftest import free_port
from tests.world import World

EXAMPLES = "200" if os.environ.get("HUB_TEST_FULL") else "3"


async def schemathesis(url: str, *options: str) -> tuple[int, str]:
    """Run it as a reviewer would, from the command line; returns exit code and report."""
    command = [sys.executable, "-W", "ignore", "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
    run = ["run", f"{url}/openapi.json", "--checks", "all", "-n", EXAMPLES, "--seed", "1", "--no-color", "-w", "2"]
    process = await asyncio.create_subprocess_exec(
        *command, *run, "--continue-on-failure", *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


CONFIG = Path(__file__).with_name("schemathesis.toml")


async def test_the_description_holds(world: World) -> None:
    police = await world.agency("police")
    headers = [part for name, value in police.headers.items() for part in ("-H", f"{name}: {value}")]
    code, report = await schemathesis(world.url, *headers)
    assert code == 0, report
