"""The `hub` command as a person or a machine runs it: a process of its own."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from hub.settings import ROOT, Settings


def run(config: Settings, *arguments: str, said: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """`said` is what a person types."""
    given = {"HUB_DATABASE_URL": config.database_url, "HUB_KEY_FILE": str(config.key_file)}
    given |= {"HUB_OWNER_DATABASE_URL": config.owner_url} | env
    return subprocess.run(
        [sys.executable, "-m", "hub.cli", *arguments],
        cwd=ROOT,
        env=os.environ | given,
        input=said,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def answered(config: Settings, *arguments: str) -> Any:
    done = run(config, *arguments, "--json")
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
