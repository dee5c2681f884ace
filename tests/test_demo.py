"""The demo province: whenever its making is cut off, the next start completes it."""

import asyncio
import itertools
import json
import os
import shutil
import signal
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
from hub.embedded import Embedded, open_embedded
from hub.main import open_services
from hub.policies.services import Services
from hub.settings import ROOT, Settings


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
    agency that acted reads its view; a second run finds everything there. When the demo's files are gone and the
    database is not, it starts anew, beside what was there; and what it prints to try works as printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    tmp_path.chmod(0o755)
    home = tmp_path / "hub"
    command = [sys.executable, "-m", "hub.cli", "demo", "--port", port]
    environment = os.environ | {"HUB_DATA": str(home), "HUB_DATABASE_URL": "", "PYTHONUNBUFFERED": "1"}
    for _ in range(2):
        once = [*command, "--once"]
        done = subprocess.run(once, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert "anew" not in done.stdout, "control"
    assert len(list((home / "demo" / "receipts").glob("*.json"))) >= 7
    shutil.rmtree(home / "demo")
    (home / "master.key").unlink()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = list(itertools.takewhile(lambda line: "Ctrl-C" not in line, running.stdout))
        lines = said[next(n for n, line in enumerate(said) if "try it" in line) + 1 :]
        tried = subprocess.run(["bash", "-ec", "".join(lines)], capture_output=True, text=True, check=False)
        running.send_signal(signal.SIGINT)
    moved = [link.resolve() for link in home.glob("moved-pg-*")]
    aside = [*home.glob("pg-*.old"), *(folder / "pg.old" for folder in moved)]
    assert any("anew" in line for line in said) and (aside[0] / "data").is_dir(), said
    receipt, case = tried.stdout.replace("}{", "}\n{").splitlines()
    assert json.loads(receipt)["receipt"] and json.loads(case)["records"], tried
    for folder in moved:
        shutil.rmtree(folder)


def test_make_clean_finds_what_was_moved(tmp_path: Path) -> None:
    """Where root's own folders hide the data they lie elsewhere, and a link tells where."""
    moved, link = tmp_path / "elsewhere", tmp_path / ".hub" / "moved-pg-15"
    (moved / "pg").mkdir(parents=True)
    link.parent.mkdir()
    link.symlink_to(moved)
    (tmp_path / "stays").mkdir()
    made = ["make", "-f", str(ROOT / "Makefile"), "-C", str(tmp_path), "clean", "VENV=no-environment"]
    assert subprocess.run(made, check=False, capture_output=True).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["stays"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root's folders hide data from the database's user")
def test_the_link_is_made(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    moved = open_embedded(tmp_path / "hub" / "pg")
    (link,) = (tmp_path / "hub").glob("moved-pg-*")
    assert link.resolve() == moved.home.parent and moved.home.is_relative_to("/var/tmp")
    shutil.rmtree(moved.home.parent)
