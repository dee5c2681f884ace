"""The database: two pools and one transaction; the only place that names asyncpg, the only commit site.

Rows come as asyncpg records, not ORM objects: a SQLModel object of 60 values costs 127 microseconds.
`Database.audit` connects under the role that may read the access log; `Database.main` may only add to it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hub.errors import Unavailable

Connection: TypeAlias = Any
"""An asyncpg connection; the library ships no types."""
Row: TypeAlias = Any
"""An asyncpg record: values by name."""
UniqueViolation = asyncpg.UniqueViolationError
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection whose server died between two messages
    asyncpg.OperatorInterventionError,  # shutting down, starting up, cancelled
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    OSError,
    TimeoutError,
)
"""What a broken or absent database raises, whichever call meets it."""
FAILED = (*LOST, asyncpg.PostgresError)
PLANS = {"plan_cache_mode": "force_generic_plan", "jit": "off"}
"""Every statement is planned once a connection: the facts cost 0.4 ms to plan and 0.1 ms to run."""


class Weakened(RuntimeError):
    """The database would acknowledge what it has not kept: fsync and its kin are off somewhere."""


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda v: b"\x01" + orjson.dumps(v),
        decoder=lambda v: orjson.loads(v[1:]),
        schema="pg_catalog",
        format="binary",
    )


async def _prepare_audit(connection: Any) -> None:
    await _prepare(connection)
    await connection.execute("SET ROLE hub_auditor")


async def _no_reset(connection: Any) -> None:
    """Nothing in the hub changes a session's state, so the pool's reset round trip is not needed."""


class Database:
    """The pools of one process. `connect` also verifies that durability has not been weakened."""

    main: Any
    audit: Any

    def __init__(self, url: str, size: int = 8) -> None:
        self.url, self.size = url, size

    async def connect(self) -> "Database":
        common: dict[str, Any] = {"reset": _no_reset, "command_timeout": 30, "timeout": 10}
        common["server_settings"] = PLANS
        self.main = await asyncpg.create_pool(self.url, min_size=1, max_size=self.size, init=_prepare, **common)
        self.audit = await asyncpg.create_pool(self.url, min_size=0, max_size=2, init=_prepare_audit, **common)
        await self.check_durability()
        return self

    async def close(self) -> None:
        for pool in (self.main, self.audit):
            await pool.close()

    async def dedicated(self) -> Connection:
        """A connection outside the pools, for the log's committer."""
        connection = await asyncpg.connect(self.url, timeout=2, command_timeout=5)
        await connection.execute("SET synchronous_commit = on")
        return connection

    async def check_durability(self) -> None:
        """Raise `Weakened` if server, database or role would lose an acknowledged write."""
        rows = await self.main.fetch(
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"
        )
        weak = [r["name"] for r in rows if r["setting"] == "off"]
        if weak:
            raise Weakened(f"数据库持久性被削弱 / weakened durability: {', '.join(sorted(weak))}")

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        async with self._connection() as connection:
            return list(await connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        async with self._connection() as connection:
            return await connection.fetchrow(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        async with self._connection() as connection:
            return str(await connection.execute(sql, *args))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(10):
                connection = await self.main.acquire()
            try:
                yield connection
            finally:
                await self.main.release(connection)
        except LOST as lost:
            raise Unavailable("数据库暂不可用，请稍后重试。", "The database is not available. Retry shortly.") from lost

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction, committed when the block ends well. Every change in the hub commits here."""
        async with self._connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except BaseException:
                await transaction.rollback()
                raise
            await transaction.commit()


def migration_engine(url: str) -> AsyncEngine:
    """The SQLAlchemy engine that alembic runs on."""
    scheme, _, rest = url.partition("://")
    assert scheme in ("postgresql", "postgres")
    return create_async_engine(f"postgresql+asyncpg://{rest}")
