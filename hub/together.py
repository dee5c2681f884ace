"""Reads that come together go together: one statement for many callers at once.

A SELECT costs PostgreSQL 45 µs before it does anything, and this process 30; a row found by its key costs a few. So a
read waits for whatever is ready to run, then goes with all of the same text, as one statement with arrays of arguments,
each set of which finds its own rows, told apart by `place`. Nothing waits for a timer or for another statement: a read
that comes alone goes as it is.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence, Sized
from copy import copy
from functools import lru_cache
from typing import Any

from hub.db import Pool, Row
from hub.errors import Unavailable

ROWS = 400
"""About how many rows a statement for many may bring: what it brings is held until the last of them is answered."""
FEW = 10
"""About how many rows a read by key brings."""
_PLACE, PUT = re.compile(r"\$(\d+)(?:::(\w+(?:\[\])?))?"), r"q.p\1"
Waiting = tuple[tuple[Any, ...], "asyncio.Future[list[Row]]"]


async def settled(queue: Sized, most: int) -> None:
    """Let whatever is ready to run come first, as long as that brings more. Nothing is waited for that is not there
    already."""
    seen = 0
    while seen < len(queue) < most:
        seen = len(queue)
        await asyncio.sleep(0)


def array_text(keys: Iterable[bytes]) -> str:
    """An array in PostgreSQL's own notation: arrays of different lengths do not come as one array."""
    return "{" + ",".join([f'"\\\\x{key.hex()}"' for key in keys]) + "}"


@lru_cache(maxsize=1_000)
def for_many(sql: str) -> tuple[str, tuple[bool, ...]]:
    """The text that answers `sql` for many sets of arguments, and which of these are arrays, which come as text."""
    types = dict(sorted((int(n), kind) for n, kind in _PLACE.findall(sql) if kind))
    arrays = tuple(kind.endswith("[]") for kind in types.values())
    given = ", ".join(f"${n}::{'text' if kind.endswith('[]') else kind}[]" for n, kind in types.items())
    names, made = ", ".join(f"p{n}" for n in types), ", ".join(f"p{n}::{kind} AS p{n}" for n, kind in types.items())
    # `OFFSET 0`: arrays are made from their text once for each set, not again for each row that it finds
    sets = f"SELECT {made}, place FROM unnest({given}) WITH ORDINALITY AS u ({names}, place) OFFSET 0"
    return f"SELECT x.*, q.place FROM ({sets}) q CROSS JOIN LATERAL ({_PLACE.sub(PUT, sql)}) x", arrays


def fail(waiting: Sequence[tuple[Any, "asyncio.Future[Any]"]], error: Exception) -> None:
    """Tell whoever still waits. Each gets an error of his own: that it is in the log is noted on it."""
    for _, future in waiting:
        if not future.done():
            future.set_exception(copy(error) if len(waiting) > 1 else error)


class Reads:
    """Reads through one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._queues: dict[tuple[str, int], list[Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def fetch(self, sql: str, *args: Any, rows: int = FEW) -> list[Row]:
        """As `Pool.fetch`. The text tells the type of each argument, at one of its places at least. `rows` is about how
        many it brings; what brings many goes alone."""
        most = ROWS // rows
        if most < 2:
            return await self._pool.fetch(sql, *args)
        future: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        key = sql, most  # pages of several sizes share a text, and are counted apart
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = []
            task = asyncio.create_task(self._run(key, queue), name="reads")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        queue.append((args, future))
        if len(queue) == most:
            del self._queues[key]
        return await future

    async def _run(self, key: tuple[str, int], queue: list[Waiting]) -> None:
        try:
            await settled(queue, key[1])
            if self._queues.get(key) is queue:
                del self._queues[key]
            await self._answer(key[0], [waiting for waiting in queue if not waiting[1].done()])
        except BaseException:  # whatever ends this task, nobody waits for ever
            fail(queue, Unavailable())
            raise

    async def _answer(self, sql: str, group: list[Waiting]) -> None:
        """Each alone if one spoils it for all, but not when the database is lost."""
        try:
            found = await self._found(sql, group)
        except Exception as error:
            if len(group) == 1 or isinstance(error, Unavailable):
                fail(group, error)
                return
        else:
            for (_, future), rows in zip(group, found, strict=True):
                if not future.done():
                    future.set_result(rows)
            return
        for waiting in group:  # outside `except`: the error holds everybody's arguments, and is chained to nobody's own
            await self._answer(sql, [waiting])

    async def _found(self, sql: str, group: list[Waiting]) -> list[list[Row]]:
        if len(group) < 2:
            return [await self._pool.fetch(sql, *args) for args, _ in group]
        text, arrays = for_many(sql)
        columns = zip(*(args for args, _ in group), strict=True)
        given = [[*map(array_text, c)] if array else list(c) for c, array in zip(columns, arrays, strict=True)]
        found: list[list[Row]] = [[] for _ in group]
        for row in await self._pool.fetch(text, *given):
            found[row["place"] - 1].append(row)
        return found
