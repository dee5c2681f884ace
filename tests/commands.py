"""The `hub` command as a person or a machine runs it: a process of its own, forked from one that has imported it."""

import csv
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from hub.cli import app
from hub.settings import ROOT, Settings

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["hub.cli"])
"""Importing takes a second, forking none."""


def _command(arguments: tuple[str, ...], env: dict[str, str], files: list[str]) -> None:
    """The life of one process: its environment, its streams, the command."""
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(env)
    for number, (name, flags) in enumerate(zip(files, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        os.dup2(os.open(name, flags), number)
    sys.argv, sys.stdin = ["hub", *arguments], os.fdopen(0)
    app()


def run(config: Settings, *arguments: str, said: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """`said` is what a person types."""
    given = {"HUB_DATABASE_URL": config.database_url, "HUB_KEY_FILE": str(config.key_file)}
    given |= {"HUB_OWNER_DATABASE_URL": config.owner_url} | env
    with tempfile.TemporaryDirectory() as folder:
        typed, out, err = (Path(folder, name) for name in ("in", "out", "err"))
        typed.write_text(said)
        out.touch()
        err.touch()
        files = [str(path) for path in (typed, out, err)]
        process = FORKS.Process(target=_command, args=(arguments, dict(os.environ) | given, files))
        process.start()
        process.join(90)
        assert process.exitcode is not None, f"{arguments} goes on"
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_text(), err.read_text())


def answered(config: Settings, *arguments: str, **env: str) -> Any:
    done = run(config, *arguments, "--json", **env)
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


def listed(config: Settings, noun: str, **wanted: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = answered(config, noun, "list")
    (row,) = [r for r in rows if r | wanted == r]
    return row


def sheet(path: Path, *rows: dict[str, str]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)
