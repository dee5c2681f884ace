"""The stage: one embedded PostgreSQL of the benchmark's own, filled once per size, and both servers on it."""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks import limit, load, machine
from hub import keyfile, migrations, settings
from hub.embedded import Embedded, open_embedded
from hub.main import open_services
from hub.settings import Settings

HOME = settings.ROOT / ".hub" / "bench"
TUNED = {"shared_buffers": "1GB", "max_wal_size": "8GB", "autovacuum": "off"}
"""As on a server of this size; without autovacuum, whose turns would fall to whichever side happens to run."""


@dataclass(slots=True)
class Stage:
    """A filled database pair and what is needed to call the hub on it."""

    embedded: Embedded
    config: Settings
    owner_url: str
    limit_url: str
    secrets: dict[str, str]
    cases: int
    entries: int

    @property
    def database_pid(self) -> int:
        """The postmaster, whoever started it."""
        return int((self.embedded.data / "postmaster.pid").read_text().split()[0])

    async def sql(self, text: str, *args: Any, limit: bool = False) -> Any:
        connection = await asyncpg.connect(self.limit_url if limit else self.owner_url)
        try:
            return (
                await connection.fetch(text, *args)
                if args or text.startswith("SELECT")
                else await connection.execute(text)
            )
        finally:
            await connection.close()

    def hub(self, **more: str) -> machine.Server:
        port = machine.free_port()
        environment = {
            "HUB_DEMO": "1",
            "HUB_DATA": str(self.config.data),
            "HUB_DATABASE_URL": self.config.database_url,
            "HUB_ISSUER": f"http://127.0.0.1:{port}",
        }
        log = self.config.data / "hub.log"
        return machine.serve(["hub.cli", "serve", "--port", str(port)], port, "/healthz", log, **environment | more)

    def limit(self) -> machine.Server:
        port = machine.free_port()
        arguments = ["uvicorn", "benchmarks.limit:app", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        arguments += ["--no-access-log", "--log-level", "warning", "--no-server-header"]
        log = self.config.data / "limit.log"
        return machine.serve(arguments, port, "/docs", log, LIMIT_DATABASE_URL=self.limit_url)


def prepare(cases: int, entries: int) -> Stage:
    """Start PostgreSQL and fill the databases of this size unless they are there."""
    os.environ["HUB_DEMO"] = "1"
    settings.current.cache_clear()
    embedded = open_embedded(HOME / "pg", settings.current().pg_bin)
    embedded.settings |= TUNED
    embedded.start()
    name = f"bench_{cases}_{entries}"
    data = HOME / name
    data.mkdir(parents=True, exist_ok=True)
    owner = embedded.url("hub_owner", name)
    config = replace(
        settings.current(), demo=True, data=data, database_url=embedded.url("hub_app", name), owner_url=owner
    )
    made = Stage(embedded, config, owner, embedded.url("hub_owner", f"{name}_limit"), {}, cases, entries)
    kept = data / "secrets.json"
    if not kept.exists():
        asyncio.run(_drop(embedded, name))
        _fill(made, name, kept)
    migrations.upgrade(owner)
    made.secrets = json.loads(kept.read_text())
    asyncio.run(_warm(embedded, (name, f"{name}_limit")))
    return made


async def _warm(embedded: Embedded, names: tuple[str, ...]) -> None:
    """Read what both sides lie in once, as if they had run for a while: else whoever comes first pays for the disk."""
    connection = await asyncpg.connect(embedded.owner_url)
    rows = await connection.fetch("SELECT oid FROM pg_database WHERE datname = ANY($1)", list(names))
    await connection.close()
    for row in rows:
        for path in (embedded.data / "base" / str(row["oid"])).iterdir():
            with path.open("rb") as file:
                while file.read(1 << 20):
                    pass


async def _drop(embedded: Embedded, name: str) -> None:
    """What an interrupted filling left behind."""
    connection = await asyncpg.connect(embedded.owner_url)
    for database in (name, f"{name}_limit"):
        await connection.execute(f'DROP DATABASE IF EXISTS "{database}"')
    await connection.close()


def _fill(stage: Stage, name: str, kept: Path) -> None:
    begun, config = time.monotonic(), stage.config
    print(f"filling {stage.cases:,} cases and {stage.entries:,} log entries, once", file=sys.stderr)
    for database in (name, f"{name}_limit"):
        stage.embedded.create_database(database)
    migrations.upgrade(stage.owner_url)
    asyncio.run(stage.sql(limit.SCHEMA, limit=True))
    config.key_file.unlink(missing_ok=True)
    keyfile.create(config.key_file, demo=True)
    secrets = asyncio.run(_people(config))
    load.fill(config, stage.limit_url, stage.cases, stage.entries)
    asyncio.run(load.fill_flat_log(stage.limit_url, stage.entries))
    asyncio.run(load.tidy((stage.owner_url, stage.limit_url)))
    kept.touch(mode=0o600)
    kept.write_text(json.dumps(secrets))
    print(f"filled in {time.monotonic() - begun:.0f} s", file=sys.stderr)


async def _people(config: Settings) -> dict[str, str]:
    services = await open_services(config)
    try:
        return await load.prepare(services)
    finally:
        await services.database.close()
