"""The database: two pools and one transaction; the only place that names asyncpg, and that commits several statements.

Rows come as asyncpg records, not ORM objects: a SQLModel object of 60 values costs 127 microseconds.
`Database.audit` connects under the role that may read the access log; `Database.main` may only add to it. The log's
writer has a connection of its own (`dedicated`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from typing import Any, TypeAlias, cast

import asyncpg
import orjson

from hub.errors import Conflict, Locked, Unavailable, Unreachable, Weakened, entered

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
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process stood still in the middle of one
    asyncpg.LockNotAvailableError,
    asyncpg.DatatypeMismatchError,  # a connection that knows a table as it was before a migration: rows are sent whole
    OSError,
    TimeoutError,
)
"""What a broken or absent database raises, whichever call meets it."""
FAILED = (*LOST, asyncpg.PostgresError)
UNMIGRATED = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InsufficientPrivilegeError)
PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "max_parallel_workers_per_gather": "0",
    "random_page_cost": "1.1",
    "work_mem": "16MB",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}
"""Every statement is planned once a connection (the facts cost 0.4 ms to plan and 0.1 ms to run), and every one is
a walk along an index: the planner knows nothing of how many rows a caller may see. Nobody waits long for what another
holds, nor holds it for ever: a process that stands still, or whose machine is gone, never ends its transaction."""

WAIT = 10.0
"""Seconds that a request waits for a connection, or a connection for the server."""
FAREWELL = 1.0


def unreachable(setting: str, error: BaseException) -> Unreachable:
    """The sentence for what connecting raised, or a first statement."""
    cause, away = error.__cause__ or error, False
    if isinstance(cause, asyncpg.InvalidAuthorizationSpecificationError):
        zh, en = "数据库不接受此用户或口令", "the database refuses this role or password"
    elif isinstance(cause, asyncpg.InvalidCatalogNameError):
        zh, en = "库名不存在", "there is no database of this name"
    elif isinstance(cause, UNMIGRATED):
        zh, en = (
            "结构缺失或过旧，或此用户不是 hub_app：请先运行 hub migrate",
            "schema missing or old, or the role not hub_app",
        )
        return Unreachable(f"{setting}：{zh} / {en}: run hub migrate first")
    elif isinstance(cause, asyncpg.InterfaceError | ValueError):
        zh = "应为 postgresql://用户:口令@主机:端口/库（口令中的 @ : / 等须百分号编码；verify-full 须有 PGSSLROOTCERT）"
        en = "must be postgresql://role:password@host:port/name, with @ : / in the password percent-encoded;"
        en += " verify-full needs the certificate that PGSSLROOTCERT names"
    else:
        away, zh = isinstance(cause, LOST), "连不上数据库，请检查主机、端口以及 PostgreSQL 是否在运行"
        en = f"no connection: check host and port, and that PostgreSQL runs ({type(cause).__name__})"
    return Unreachable(f"{setting}：{zh} / {en}", away=away)


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
    await connection.execute("SET enable_sort = off")  # entries stand in order in each of their indexes but for ties


@contextmanager
def _or_closed(connection: Connection) -> Iterator[None]:
    """What breaks in the block, or is waited for no more, breaks the connection: nobody knows in which state it is."""
    try:
        yield
    except BaseException:
        connection.terminate()
        raise


@asynccontextmanager
async def as_auditor(connection: Connection) -> AsyncIterator[None]:
    """For a block, who may read the log."""
    with _or_closed(connection):
        await connection.execute("SET ROLE hub_auditor")
        yield
        await connection.execute("RESET ROLE")


async def closed(connection: Connection) -> None:
    """In order, or not: a server that stands still answers no farewell, and nobody waits for it to stop a process."""
    with suppress(*LOST):
        await connection.close(timeout=FAREWELL)


class Pool:
    """At most `size` open connections of one role; whoever waits longest is served first.

    asyncpg's own pool costs 28 µs a use (a proxy, a shielded task, a reset): more than a small query. Nothing
    changes the state of a session that is in a pool, so it goes back as it is, unless its state is unknown.
    `shut`, it is to its users as if the database were away.
    """

    def __init__(self, url: str, size: int, prepare: Callable[[Connection], Awaitable[None]]) -> None:
        self.url, self._prepare = url, prepare
        self.slots, self.idle, self.shut = asyncio.Semaphore(size), list[Connection](), True

    def lease(self) -> "Lease":
        """`async with pool.lease() as connection`; raises `Unavailable` when the database is lost."""
        return Lease(self)

    async def open(self) -> Connection:
        connection = await asyncpg.connect(self.url, timeout=WAIT, command_timeout=30, server_settings=PLANS)
        with _or_closed(connection):
            await self._prepare(connection)
        return connection

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        async with Lease(self) as connection:
            return cast(list[Row], await connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        async with Lease(self) as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        async with Lease(self) as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        async with Lease(self) as connection:
            return str(await connection.execute(sql, *args))

    async def close(self) -> None:
        idle, self.idle = self.idle, []
        await asyncio.gather(*map(closed, idle))


class Lease:
    """One connection for the length of a block. What broke or was cancelled in the middle is thrown away."""

    __slots__ = ("_pool", "connection")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        pool = self._pool
        if pool.shut:
            raise _lost()
        try:
            if pool.slots.locked():
                async with asyncio.timeout(WAIT):
                    await pool.slots.acquire()
            else:
                await pool.slots.acquire()
        except TimeoutError as late:
            raise _lost() from late
        try:
            while pool.idle:
                self.connection = pool.idle.pop()
                if not self.connection.is_closed():
                    return self.connection
            self.connection = await pool.open()
        except BaseException as error:
            pool.slots.release()
            if isinstance(error, LOST):
                raise _lost() from error
            raise
        return self.connection

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> None:
        pool, broken = self._pool, kind is not None and (issubclass(kind, LOST) or not issubclass(kind, Exception))
        if broken:
            self.connection.terminate()
        elif not self.connection.is_closed():
            pool.idle.append(self.connection)
        pool.slots.release()
        if broken and isinstance(error, LOST):
            raise _lost() from error


def _lost() -> Unavailable:
    """Nobody was refused, and there is nothing to enter it in: whoever tried would wait for the log as well."""
    return entered(Unavailable("数据库暂不可用，请稍后重试。", "The database is not available. Retry shortly."))


async def _check_durability(connection: Connection) -> None:
    """Raise `Weakened` if server, database or role would lose an acknowledged write."""
    rows = await connection.fetch(
        "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"
    )
    weak = [r["name"] for r in rows if r["setting"] == "off"]
    if weak:
        raise Weakened(f"数据库持久性被削弱 / weakened durability: {', '.join(sorted(weak))}")


Check: TypeAlias = Callable[[Connection], Awaitable[None]]


class Database:
    """The pools of one process, shut until `connect` has found that the database keeps what it is given."""

    def __init__(self, url: str, size: int = 8) -> None:
        self.url = url
        self.main, self.audit = Pool(url, size, _prepare), Pool(url, size // 2, _prepare_audit)
        self.fetch, self.fetchrow, self.execute = self.main.fetch, self.main.fetchrow, self.main.execute

    @property
    def shut(self) -> bool:
        return self.main.shut

    async def connect(self, setting: str = "HUB_DATABASE_URL", *checks: Check) -> "Database":
        """Raises `Weakened`, what the `checks` raise, and `Unreachable`, naming the setting that holds the address."""
        connection = None
        try:
            connection = await self.main.open()
            for check in (_check_durability, *checks):
                await check(connection)
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            if isinstance(error, (*FAILED, ValueError)):
                raise unreachable(setting, error) from None
            raise
        self.main.idle.append(connection)
        self.main.shut = self.audit.shut = False
        return self

    async def close(self) -> None:
        await asyncio.gather(self.main.close(), self.audit.close())

    async def dedicated(self) -> Connection:
        """A connection outside the pools, for the log's committer."""
        connection = await asyncpg.connect(self.url, timeout=2, command_timeout=5, server_settings=PLANS)
        with _or_closed(connection):
            await connection.execute("SET synchronous_commit = on")
        return connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction, committed when the block ends well. Whatever takes more than one statement commits here.

        Raises `Conflict` (409) where an alert met the end of its case, which neither saw when it was asked for, and
        `Locked` where somebody holds what it needs.
        """
        async with self.main.lease() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except Exception as error:
                locked = isinstance(error, asyncpg.LockNotAvailableError)
                if locked or not isinstance(error, LOST):  # else its lease throws it away, as it does when cancelled
                    await transaction.rollback()
                if locked:
                    raise Locked from None
                if isinstance(error, asyncpg.CheckViolationError):  # `cases_alert_open`, the only one (schema 0011)
                    raise Conflict("个案刚有变动，请重试。", "The case has just changed. Retry.") from None
                raise
            await transaction.commit()


@cache
def insert_rows(table: str, names: tuple[str, ...], place: int = 1, *, known: bool = False) -> str:
    """The text that adds an array of rows, its argument `place`; one that may be `known` is left alone if it is there.
    An array a column costs both sides more, the server one pass over each."""
    columns, once = ", ".join(names), " ON CONFLICT DO NOTHING" if known else ""
    return f"INSERT INTO {table} ({columns}) SELECT {columns} FROM unnest(${place}::public.{table}[]){once}"
