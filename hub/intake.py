"""One-click reports: accepted without an account, durable before the answer, never refused for our reasons.

Reports that arrive together are written together, one commit for many. When the database does not take them
in time they go, sealed, to a file on this machine (fsynced), from which they are filed as soon as it does.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog

from hub import cases, clock
from hub.audit.entry import Act
from hub.db import FAILED, Connection
from hub.errors import HubError, Unavailable
from hub.filing import Filing, Statement, Target, filled, finish, matching, pair_lock, recognise
from hub.models.catalogue import ANONYMOUS, KINDS
from hub.models.codes import Stage
from hub.models.directory import UnitInfo
from hub.models.sealed import plain
from hub.policies.gate import Gate
from hub.policies.services import Services
from hub.policies.subject import REPORTER, Purpose, Subject
from hub.receipts import Receipt, new_receipt
from hub.spool import Spool, Spooled

log = structlog.get_logger("hub")
BATCH = 128
DRAIN_SECONDS = 1.0


@dataclass(slots=True)
class Accepted:
    """A report on its way to disk. Ids are fixed here, so writing it twice has one effect."""

    values: dict[str, Any]
    kind: str
    code_hash: bytes
    secret_hash: bytes
    at: datetime
    record_id: UUID = field(default_factory=uuid4)
    known: Subject | None = None
    on_a_pair: bool = False

    def receipt(self, target: Target) -> dict[str, Any]:
        """The row by which the holder of the receipt finds the case."""
        return {
            "code_hash": self.code_hash,
            "secret_hash": self.secret_hash,
            "record_id": self.record_id,
            "case_id": target.id,
            "reporter_is_victim": target.new and bool(self.values.get("reporter_is_victim")),
            "at": self.at,
        }

    def spooled(self) -> Spooled:
        return (self.values, self.kind, self.code_hash, self.secret_hash, self.at, self.record_id)


def handler_for(services: Services, values: dict[str, Any]) -> tuple[UnitInfo, str]:
    """The unit on duty for the place, and the case's region: by code, by name in the text, by nearness."""
    directory = services.directory
    region = values.get("region") or ""
    if region not in directory.regions:
        region = directory.locate(values.get("place") or "")
    if not region and "latitude" in values and "longitude" in values:
        near = directory.nearest(values["latitude"], values["longitude"])
        if near:
            return near, near.region_code
    unit = directory.duty_unit(region)
    if unit is None:
        raise Unavailable("尚无值班单位。", "No unit is on duty yet.")
    return unit, region or unit.region_code


class Intake:
    """The queue of one process. `report` returns when the report is on disk, here or in the database."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.spool = Spool(services.settings.spool, services.vault.misc)
        self._queue: list[tuple[Accepted, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._drain_for_ever())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def report(self, fields: Any) -> Receipt:
        """Accept one report. The receipt is good once this returns."""
        receipt, vault = new_receipt(), self.services.vault
        accepted = Accepted(
            plain(fields),
            fields.kind,
            vault.lookup("receipt", receipt.code),
            vault.lookup("receipt_secret", receipt.code, receipt.secret),
            receipt.at,
        )
        await self._enqueue(accepted)
        return receipt

    async def add(self, subject: Subject, fields: Any) -> UUID:
        """What the reporter adds later, to the same case."""
        accepted = Accepted(plain(fields), fields.kind, b"", b"", clock.now(), known=subject)
        async with self.services.database.transaction() as connection:
            await self._write(connection, accepted)
        return accepted.record_id

    async def _enqueue(self, accepted: Accepted) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((accepted, future))
        self._wake.set()
        await future

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
                error = await self._keep([accepted for accepted, _ in batch])
                for _, future in batch:
                    if future.done():
                        continue
                    if error:
                        future.set_exception(error)
                    else:
                        future.set_result(None)

    async def _keep(self, batch: list[Accepted]) -> HubError | None:
        """Database, else file; only when both fail is a report refused, and then it says so."""
        writing = asyncio.create_task(self._write_batch(batch))
        await asyncio.wait({writing}, timeout=self.services.settings.intake_timeout + 0.001 * len(batch))
        if writing.done() and await writing:
            return None
        writing.cancel()  # and not waited for: a server that hangs answers no cancellation either
        try:
            await asyncio.to_thread(self.spool.append, [a.spooled() for a in batch])
            return None
        except Exception:
            return Unavailable("暂时无法保存，请直接拨打110。", "It could not be saved. Please call 110.")

    async def _write_batch(self, batch: list[Accepted]) -> bool:
        try:
            async with self.services.database.transaction() as connection:
                await self._write_many(connection, batch)
        except Exception:  # the database's fault or ours: either way the report is kept
            return False
        return True

    async def _write_many(self, connection: Connection, batch: list[Accepted]) -> None:
        """Reports on a pair one by one, so that the second finds the case of the first; all others as one."""
        others: dict[str, list[list[Any]]] = {}
        for accepted in batch:
            statement = await self._statement(connection, accepted)
            if accepted.on_a_pair:
                await connection.execute(statement.text(), *statement.args)
            else:
                others.setdefault(statement.text(), []).append(statement.args)
        for text, many in others.items():
            await connection.executemany(text, many)

    async def _write(self, connection: Connection, accepted: Accepted) -> None:
        statement = await self._statement(connection, accepted)
        await connection.execute(statement.text(), *statement.args)

    async def _statement(self, connection: Connection, accepted: Accepted) -> Statement:
        """Everything one report writes: case or its update, record, receipt, outbox row, log entry."""
        services, statement = self.services, Statement()
        vault = services.vault
        subject = accepted.known or Subject(REPORTER, "reporter_receipt", unit_id=accepted.record_id)
        parties = recognise(vault, accepted.values, accepted.kind)
        author = subject.unit_id or accepted.record_id
        filing = Filing(accepted.kind, accepted.values, parties, accepted.at, author, record_id=accepted.record_id)
        effects = cases.Effects(kind=ANONYMOUS, stage=None if accepted.known else Stage.received.value)
        target = await self._target(connection, accepted, filing)
        if target.new:
            handler, region = handler_for(services, accepted.values)
            filing.lead, effects.acting = True, [handler.id]
            cases.add_case(
                statement, target, filing, effects, handler, region, services.directory, alert=True, intake=True
            )
        else:
            quiet = {"handed_over": False, "answered": False, "new_record": True, "joins": False}
            cases.touch_case(statement, target, filing, effects, filled(filing), **quiet)
        if accepted.known is None:
            statement.insert("receipt", accepted.receipt(target))
        draft = Gate(services, subject, Purpose.own_report).draft(Act.create)
        finish(statement, vault, draft, filing, target)
        return statement

    async def _target(self, connection: Connection, accepted: Accepted, filing: Filing) -> Target:
        vault = self.services.vault
        if accepted.known is not None:
            row = await connection.fetchrow(
                "SELECT id, ref, key_wrapped, key_id FROM cases WHERE id = $1", accepted.known.own_case
            )
            return cases.target_of(vault, row)
        persons: dict[bytes, UUID] = {}
        household = None
        lock = pair_lock(filing.parties)
        accepted.on_a_pair = lock is not None
        if lock is not None:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", lock)
        if matching(filing.parties, "victim"):
            duty, _ = handler_for(self.services, accepted.values)
            found, (row, persons) = await cases.find(connection, vault, filing, b"", (), duty)
            # Anybody can say that she is the victim. Whoever says so follows a case of her own: of one that was
            # there her receipt must show nothing, and a receipt that shows less would tell that it was there.
            if found is not None and not accepted.values.get("reporter_is_victim"):
                return found
            household = row["household"]
        return cases.new_target(vault, household, persons)

    async def _drain_for_ever(self) -> None:
        while True:
            await asyncio.sleep(DRAIN_SECONDS)
            try:
                await self.drain()
            except (*FAILED, HubError):
                continue

    async def drain(self) -> int:
        """File what the spool holds; each report once. Returns how many were filed."""
        filed = 0
        for path in self.spool.files():
            whole = True
            for line in self.spool.lines(path):
                try:
                    filed += await self._file_once(Accepted(*self.spool.opened(line)))
                except HubError:
                    raise
                except Exception as error:  # the file stays for a person to look at; all other reports go on
                    log.error("spool", file=path.name, error=type(error).__name__)
                    whole = False
            if whole:
                path.unlink(missing_ok=True)
        return filed

    async def _file_once(self, accepted: Accepted) -> bool:
        async with self.services.database.transaction() as connection:
            await connection.execute(
                "SELECT pg_advisory_xact_lock($1)", int.from_bytes(accepted.code_hash[:8], "big", signed=True)
            )
            known = await connection.fetchval("SELECT 1 FROM receipt WHERE code_hash = $1", accepted.code_hash)
            if known is None:
                await self._write(connection, accepted)
            return known is None


REPORT = KINDS["report"]
ADDITION = KINDS["report_addition"]
