"""The committer: one task, one connection a process; the only writer of read entries.

It flushes whatever is queued (at most 256) as one array insert with synchronous_commit on, then hands every
waiter its release ticket. Counters are issued at flush, so they have no gaps. A flush whose outcome is unknown
is retried with the same keys; after `timeout` seconds all waiters get 503 and the process leaves the ready
pool until a flush succeeds again. There is no lock and no chain head in the database on this path.
"""

import asyncio
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hub import clock, keys
from hub.audit.entry import (
    BODY_LIMIT,
    CLOSES,
    DEAD,
    GENESIS,
    OPENING,
    OURS,
    Act,
    Entry,
    bound_to,
    canonical,
    detail_bound_to,
    leaf_bytes,
    leaf_hash,
    named,
)
from hub.db import FAILED, Connection, Database, UniqueViolation, as_auditor, closed, insert_rows
from hub.errors import Unavailable
from hub.ids import new_id
from hub.together import fail, settled

BATCH = 256
STOPPING = 3.0
"""Seconds that a process which is told to stop takes for its last entry."""
NOBODY = UUID(int=0)

_NAMES = tuple(column.name for column in Entry.__table__.columns)  # type: ignore[attr-defined]
INSERT, AGAIN = (insert_rows("access_log", _NAMES, known=known) for known in (False, True))
"""What adds entries, and what adds those that may be there already."""
FIRST = f"WITH told AS ({insert_rows('log_writer', ('w', 'event', 'at', 'n'), 2, known=True)})"
"""Before either of them: what a chain's first entries bring with them."""


@dataclass(slots=True)
class Draft:
    """An entry before it has a counter. `rows` is what its ticket will cover; `detail` names them (`entry.named`) and
    is sealed `seal_with` the key of the one case that it is about, else with the log's."""

    act: Act
    body: dict[str, Any]
    actor: UUID = NOBODY
    unit_id: UUID | None = None
    purpose: str = ""
    outcome: str = "permit"
    status: int = 200
    case_refs: list[UUID] = field(default_factory=list)
    detail: bytes = b""
    seal_with: keys.Sealer | None = None
    rows: dict[tuple[UUID, int], frozenset[str]] = field(default_factory=dict)

    def name(self, ref: UUID, key: keys.CaseKey, *records: tuple[UUID, int]) -> None:
        """Records, or attachments (version 0), of the one case that it is about: one group of rows."""
        self.case_refs, self.seal_with = [ref], key.log
        self.detail = b"".join(named(ref, *record) for record in records)
        self.body["rows"] = [len(records)]

    def conflict(self) -> None:
        """Mark a conflict of interest, for another unit's officer."""
        self.outcome = "conflict"
        self.body["alert"] = True


def columns(
    vault: keys.Vault, draft: Draft, w: UUID, n: int, previous: bytes, at_us: int | None = None
) -> tuple[dict[str, Any], bytes]:
    """The row of one entry, of now unless told when, and its leaf hash."""
    at_us, detail = at_us or clock.micros(), None
    at = clock.from_micros(at_us)
    log = vault.log(at)
    if len(draft.detail) > BODY_LIMIT:
        raise ValueError("log detail above 8 KiB")
    if draft.detail:
        detail = (draft.seal_with or log).seal(draft.detail, detail_bound_to(w, n))
        draft.body["detail"] = hashlib.sha256(detail).hexdigest()
    opening, body = os.urandom(OPENING), canonical(draft.body)
    leaf = leaf_bytes(w, n, previous, at_us, keys.commitment(opening, body))
    row: dict[str, Any] = {
        "w": w,
        "n": n,
        "at": at,
        "act": draft.act,
        "purpose": draft.purpose,
        "outcome": draft.outcome,
        "status": draft.status,
        "actor": draft.actor,
        "unit_id": draft.unit_id,
        "case_refs": draft.case_refs,
        "leaf": leaf,
        "body": log.seal(opening + body, bound_to(w, n)),
        "detail": detail,
    }
    return row, leaf_hash(leaf)


async def insert_entry(
    connection: Connection, vault: keys.Vault, draft: Draft, record: UUID, version: int, previous: bytes
) -> bytes:
    """Write a change's entry inside the transaction of the change; returns its leaf hash."""
    row, hashed = columns(vault, draft, record, version, previous)
    await connection.execute(INSERT, [row])
    return hashed


Waiting = tuple[Draft, "asyncio.Future[keys.Ticket]"]


class Committer:
    """Queue, flush, tickets. `ready` is False while the log cannot be written."""

    def __init__(self, database: Database, vault: keys.Vault, timeout: float = 2.0) -> None:
        self.database, self.vault, self.timeout = database, vault, timeout
        self.w, self.ready, self.last = new_id(), False, (0, GENESIS)
        self._queue: list[Waiting] = []
        self._closing: list[tuple[Any, ...]] = []
        self._wake = asyncio.Event()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take a new chain and write the `start` entries, which say where those of dead processes end. One statement
        makes it so: were it two, a start that broke off between them would leave an end that no entry names."""
        ends = await self._ends(await self._connect())  # on the connection that flushes use: none may begin meanwhile
        self._task = asyncio.create_task(self._run(), name="committer")
        self._closing = [(UUID(end["w"]), "close", clock.now(), end["n"]) for end in ends]
        groups = [ends[i : i + CLOSES] for i in range(0, len(ends), CLOSES)] or [[]]
        drafts = [Draft(Act.start, {"act": "start", "closes": group, "pid": os.getpid()}) for group in groups]
        await asyncio.gather(*map(self.enter, drafts))

    async def stop(self) -> None:
        if self._task is not None:
            if self.ready:
                with suppress(Unavailable, TimeoutError):  # then it is a dead one's, which the next start closes
                    await asyncio.wait_for(self.enter(Draft(Act.stop, {"act": "stop"})), STOPPING)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._fail([])
        if self._connection is not None:
            await closed(self._connection)

    def enter(self, draft: Draft) -> "asyncio.Future[keys.Ticket]":
        """Queue an entry. When it is durable the future holds its ticket, which releases what it names, once."""
        if self._task is None or self._task.done():
            raise Unavailable
        future: asyncio.Future[keys.Ticket] = asyncio.get_running_loop().create_future()
        self._queue.append((draft, future))
        self._wake.set()
        return future

    async def commit(self, draft: Draft) -> keys.Ticket:
        """Wait until the entry is durable."""
        return await self.enter(draft)

    async def probe(self) -> bool:
        """Try to write again after a failure, so that a process without traffic becomes ready."""
        try:
            await self.commit(Draft(Act.start, {"act": "start", "probe": True}))
        except Unavailable:
            return False
        return True

    async def _ends(self, connection: Connection) -> list[dict[str, Any]]:
        """The last entries of dead processes' chains. Their locks stay with this connection: else one that was only
        away would go on behind the end."""
        ends = []
        async with as_auditor(connection):
            for row in await connection.fetch(DEAD, self.w):
                w, last = row["w"], "SELECT n, leaf FROM access_log WHERE w = $1 ORDER BY n DESC LIMIT 1"
                if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _lock_of(w)):
                    n, leaf = await connection.fetchrow(last, w)
                    ends.append({"w": w.hex, "n": n, "p": leaf_hash(leaf).hex()})
        return ends

    async def _connect(self) -> Connection:
        """The committer's own connection; holding its advisory lock says that this chain's writer lives."""
        if self._connection is None or self._connection.is_closed():
            if self._closing:
                raise Unavailable  # with the connection went the locks of those that it was to close
            self._connection = await self.database.dedicated()
            await self._connection.execute("SELECT pg_advisory_lock($1)", _lock_of(self.w))
            ended = "SELECT 1 FROM log_writer WHERE w = $1 AND event = 'close'"
            if await self._connection.fetchval(ended, self.w):
                raise Unavailable  # while it was away another took it for dead: what fails begins a new chain
        return self._connection

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await settled(self._queue, BATCH)  # a flush costs 150 µs of CPU and a row in it 20
                batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
                try:
                    await self._flush(batch)
                except asyncio.CancelledError:
                    self._fail(batch)
                    raise
                except Exception:  # a fault of ours: nobody waits for ever, and the writer lives on
                    await self._drop()
                    self._fail(batch)

    async def _flush(self, batch: list[Waiting]) -> None:
        rows, position, granted = [], self.last, []
        for draft, future in batch:
            if future.done():
                continue
            n = position[0] + 1
            try:
                row, hashed = columns(self.vault, draft, self.w, n, position[1])
            except (ValueError, TypeError):  # too large, or not canonical: this one alone is refused
                future.set_exception(Unavailable())
                continue
            rows.append(row)
            granted.append((future, keys.Ticket((self.w, n), draft.rows)))
            position = (n, hashed)
        if not rows:
            return
        if not await self._insert(rows):
            self._fail(batch)
            return
        self.last, self.ready = position, True
        for future, ticket in granted:
            if not future.done():
                future.set_result(ticket)

    async def _insert(self, rows: list[dict[str, Any]]) -> bool:
        """One array insert; an unknown outcome is retried with the same keys until the time is up.

        Whoever took over the service's role could add rows of its own where ours are to come: what was there before the
        first attempt, or is there after the last and not ours, is no entry, and this chain ends.
        """
        deadline = asyncio.get_running_loop().time() + self.timeout
        statement, attempt = INSERT, 0
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    connection = await self._connect()
                    await self._write(connection, statement, rows)
                    if attempt == 0 or await self._ours(connection, rows):
                        return True
                await self._drop()
                return False
            except UniqueViolation:
                await self._drop()
                return False
            except FAILED:
                statement, attempt = AGAIN, attempt + 1
                await self._drop()
                if asyncio.get_running_loop().time() + 0.05 * attempt >= deadline:
                    return False
                await asyncio.sleep(0.05 * attempt)

    async def _write(self, connection: Connection, statement: str, rows: list[dict[str, Any]]) -> None:
        """A chain is told of with its first entries, not before: each attempt of an outage has one of its own."""
        if rows[0]["n"] > 1:
            await connection.execute(statement, rows)
        else:
            await connection.execute(f"{FIRST} {statement}", rows, [(self.w, "open", clock.now(), 0), *self._closing])
            self._closing = []

    async def _ours(self, connection: Connection, rows: list[dict[str, Any]]) -> bool:
        """Are these there, as they are? Asked as who may read the log, after an attempt whose outcome nobody knows."""
        async with as_auditor(connection):
            found = await connection.fetchval(OURS, *([row[name] for row in rows] for name in ("w", "n", "leaf")))
        return bool(found == len(rows))

    async def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _fail(self, batch: list[Waiting]) -> None:
        """Nothing is released. The chain is abandoned: its last rows may or may not exist."""
        self.ready, self.w, self.last, self._closing = False, new_id(), (0, GENESIS), []
        queued, self._queue = self._queue, []
        fail(batch + queued, Unavailable())


def _lock_of(w: UUID) -> int:
    return int.from_bytes(w.bytes[:8], "big", signed=True)
