"""Taking the database away, for real: a table nobody can write, a server that lets nobody in, or that stands still."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from hub.embedded import Embedded
from tests.world import World


async def superuser(embedded: Embedded, database: str = "hub") -> Any:
    return await asyncpg.connect(embedded.url("postgres", database))


@asynccontextmanager
async def blocked(embedded: Embedded, table: str) -> AsyncIterator[None]:
    """Nobody can write the table until the block ends; whoever tries waits."""
    connection = await superuser(embedded)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
    try:
        yield
    finally:
        await transaction.rollback()
        await connection.close()


UNWRITTEN = {
    "read-only role": (
        "ALTER ROLE hub_app SET default_transaction_read_only = on",
        "ALTER ROLE hub_app RESET default_transaction_read_only",
    ),
    "right taken away": ("REVOKE INSERT ON access_log FROM hub_app", "GRANT INSERT ON access_log TO hub_app"),
    "table locked": ("", ""),
}
"""Ways in which the log cannot be written, though the database answers."""


@asynccontextmanager
async def unwritten(embedded: Embedded, way: str) -> AsyncIterator[None]:
    """The log cannot be written until the block ends."""
    if way == "table locked":
        async with blocked(embedded, "access_log"):
            yield
        return
    connection, (taken, given) = await superuser(embedded), UNWRITTEN[way]
    await connection.execute(taken)
    try:
        yield
    finally:
        await connection.execute(given)
        await connection.close()


@asynccontextmanager
async def down(embedded: Embedded, table: str = "") -> AsyncIterator[None]:
    """The hub's role may not log in and its connections are cut, as when the server is gone.

    Each is waited for: one whose server has said that it goes, but has not gone, would fail whoever asks next, also
    after the block.
    """
    connection = await superuser(embedded)
    await connection.execute("ALTER ROLE hub_app NOLOGIN")
    await connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'hub_app'")
    try:
        yield
    finally:
        await connection.execute("ALTER ROLE hub_app LOGIN")
        await connection.close()


@asynccontextmanager
async def hung(embedded: Embedded, table: str = "") -> AsyncIterator[None]:
    """The server stands still: it takes no query and no cancellation, yet no connection breaks."""
    first = int((embedded.data / "postmaster.pid").read_text().split()[0])
    found = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    processes = [*map(int, found), first]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@asynccontextmanager
async def ghost(world: World, sql: str, *args: Any) -> AsyncIterator[Any]:
    """A hub that stands still in the middle of a transaction, or whose machine lost its power: what it took with the
    statement it holds, as long as the server lets it."""
    connection = await world.services.database.main.open()
    await connection.transaction().start()
    await connection.fetch(sql, *args)
    try:
        yield connection
    finally:
        connection.terminate()
