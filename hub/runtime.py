"""Where a command or a server finds its database: HUB_DATABASE_URL, else the embedded PostgreSQL."""

import atexit
from dataclasses import replace

from hub import keyfile, migrations
from hub.embedded import Embedded, open_embedded
from hub.settings import Settings

_started: list[Embedded] = []


def with_database(config: Settings) -> Settings:
    """Settings whose database answers. The embedded one is started when needed, and stopped at exit by
    the process that started it; its schema is kept up to date."""
    if config.database_url:
        return config
    embedded = open_embedded(config.data / "pg", config.pg_bin).start()
    if embedded.process is not None:
        _started.append(embedded)
        atexit.register(_stop_all)
    migrations.upgrade(embedded.owner_url)
    return replace(config, database_url=embedded.app_url, owner_url=embedded.owner_url)


def _stop_all() -> None:
    while _started:
        _started.pop().stop()


def with_key(config: Settings) -> Settings:
    """Make the demo's key file when there is none; elsewhere an operator makes it with `hub keys create`."""
    if config.demo and not config.key_file.exists():
        keyfile.create(config.key_file, demo=True)
    return config
