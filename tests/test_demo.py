"""The demo province: whenever its making is cut off, the next start completes it."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub import admin, keyfile, migrations
from hub.demo import province
from hub.embedded import Embedded
from hub.main import open_services
from hub.policies.services import Services
from hub.settings import Settings


class Cut(Exception):
    """The power went."""


@pytest.fixture
async def empty(config: Settings, embedded: Embedded, tmp_path: Path) -> AsyncIterator[Services]:
    """A deployment with nothing in it."""
    name = f"hub_{uuid.uuid4().hex[:8]}"
    embedded.create_database(name)
    await asyncio.to_thread(migrations.upgrade, embedded.url("hub_owner", name))
    keyfile.create(tmp_path / "master.key", demo=True)
    services = await open_services(replace(config, data=tmp_path, database_url=embedded.url("hub_app", name)))
    yield services
    await services.database.close()


async def count(services: Services, table: str) -> int:
    row = await services.database.fetchrow(f"SELECT count(*) AS n FROM {table}")
    assert row is not None
    return int(row["n"])


@pytest.mark.parametrize("step", ["add_units", "add_accounts", "add_client"])
async def test_a_build_cut_off_is_completed(
    empty: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Cut right after a step was done: nothing is missing afterwards, nothing doubled, the logins are those shown."""
    done = getattr(admin, step)

    async def then_cut(*given: Any) -> None:
        await done(*given)
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(admin, step, then_cut)
        with pytest.raises(Cut):
            await province.build(empty, tmp_path)
    await empty.directory.refresh()
    for _ in range(2):
        await province.build(empty, tmp_path)
    found = province.places(province.load_cases())
    assert await count(empty, "unit") == len(province.units_of(empty, found))
    assert await count(empty, "account") == len(province.accounts_of(found))
    assert await count(empty, "client") == len(found)
    file = tmp_path / "accounts.json"
    shown = {login["login"]: login["totp"] for login in json.loads(file.read_text())}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and len(shown) == 6
    for row in await empty.database.fetch("SELECT id, login, totp FROM account WHERE login IS NOT NULL"):
        opened = empty.vault.misc.open(row["totp"], b"totp|" + row["id"].bytes)
        assert opened.decode() == shown[row["login"]]


def test_every_published_case_replays(tmp_path: Path) -> None:
    """`hub demo --once` in a fresh folder: every agency's submission is taken, under one case a script, and each
    agency that acted reads its view; a second run finds everything there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    tmp_path.chmod(0o755)
    command = [sys.executable, "-m", "hub.cli", "demo", "--once", "--port", port]
    for _ in range(2):
        environment = os.environ | {"HUB_DATA": str(tmp_path / "hub"), "HUB_DATABASE_URL": ""}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(list((tmp_path / "hub" / "demo" / "receipts").glob("*.json"))) >= 7
