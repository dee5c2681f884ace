"""What administration shares: faults named by row and column, what a list did, and the entry in the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import orjson

from hub.audit.committer import Draft, insert_entry
from hub.audit.entry import GENESIS, Act
from hub.db import Connection
from hub.errors import Invalid
from hub.policies.services import Services
from hub.settings import operator


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one column of one row (counted from 0) of what was given."""

    row: int
    column: str
    zh: str
    en: str


class Refused(Invalid):
    """An administrative command that cannot be carried out; the text says why, or each of its `faults` does."""

    def __init__(self, zh: str, en: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(zh, en, errors=[])
        self.faults = faults


class Faults(list[Fault]):
    """Gathered row by row, so that whoever corrects a file sees all of them at once."""

    def found(self, row: int, column: str, zh: str, en: str) -> None:
        self.append(Fault(row, column, zh, en))

    def bad(self, row: int) -> bool:
        return bool(self) and self[-1].row == row

    def settle(self) -> None:
        """Raises `Refused` if there are any."""
        if self:
            raise Refused("；".join(f.zh for f in self), "; ".join(f.en for f in self), tuple(self))


@dataclass(frozen=True, slots=True)
class Counted:
    """What a list did: all of it in one transaction, or nothing."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


async def lock(connection: Connection, noun: str) -> None:
    """One change of a kind at a time: what was compared still holds when it is written. A person's list is waited for,
    and may take its time between two statements, longer than what a request does (`PLANS`)."""
    await connection.execute("SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '5min'")
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", noun)


AT_ONCE = 30
"""So many does an entry name: a body holds 8 KiB."""


async def log(
    connection: Connection, services: Services, command: str, *, cases: Sequence[UUID] = (), **about: Any
) -> None:
    """The entry that stands or falls with the change; of `cases` by what the log calls them, where it concerns some."""
    told = orjson.loads(orjson.dumps(about, default=str))
    body = {"act": "admin", "command": command, "by": operator(), "about": told}
    draft = Draft(Act.admin, body, case_refs=list(cases))
    await insert_entry(connection, services.vault, draft, uuid4(), 1, GENESIS)


async def log_all(
    connection: Connection, services: Services, command: str, noun: str, made: Sequence[dict[str, Any]]
) -> None:
    """As `log`, about each of many, in as many entries as that takes."""
    for i in range(0, len(made), AT_ONCE):
        about: dict[str, Any] = {noun: made[i : i + AT_ONCE], "count": len(made)}
        await log(connection, services, command, **about)
