"""One-click reports: accepted without an account, durable before the answer, never refused for our reasons.

They go through the writer like every record. When the database does not take them in time they go together, sealed,
to a file on this machine (fsynced), from which they are filed as soon as it does.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import structlog

from hub import cases, clock
from hub.audit.entry import Act
from hub.casework import find_record
from hub.db import FAILED
from hub.errors import Conflict, HubError, Unavailable
from hub.filing import Filing, Rows, Target, filled, finish
from hub.ids import new_id
from hub.keys import SealBroken
from hub.models.catalogue import ANONYMOUS, KINDS
from hub.models.codes import Stage
from hub.models.directory import UnitInfo
from hub.models.sealed import plain
from hub.parties import matching, recognise
from hub.policies.gate import Gate
from hub.policies.services import Services
from hub.policies.subject import REPORTER, Purpose, Subject
from hub.receipts import Receipt, receipt_for
from hub.spool import Spool, Spooled
from hub.writer import Filed, Submission, Writer

log = structlog.get_logger("hub")
BATCH = 128
DRAIN_SECONDS = 1.0
UNTAKEN = 8
"""So many reports that the database does not take in one round are no fault of theirs."""
LATE = timedelta(minutes=1)
"""Older than this when it is filed, a report counts as changed now, not when it was accepted: who pulls what changed
has been past that moment. Not below, since pulls overlap, and since it tells that nobody reported by duty."""


@dataclass(slots=True, eq=False)
class Accepted:
    """A report on its way to disk. Ids are fixed here, so writing it twice has one effect."""

    values: dict[str, Any]
    kind: str
    code_hash: bytes
    secret_hash: bytes
    at: datetime
    record_id: UUID = field(default_factory=new_id)
    known: Subject | None = None

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


def _words(values: dict[str, Any]) -> str:
    """All that is said, as one text: the same for the same words."""
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()


def handler_for(services: Services, values: dict[str, Any]) -> tuple[UnitInfo, str]:
    """The unit on duty for the place, and the case's region: by code, by name in the text, by nearness.

    Raises `Unavailable` where no unit is on duty.
    """
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
    """Where reports come in. `report` returns when the report is on disk, here or in the database."""

    def __init__(self, services: Services, writer: Writer) -> None:
        self.services, self.writer = services, writer
        self.spool = Spool(services.settings.spool, services.vault.misc)
        self._disk = ThreadPoolExecutor(1, "spool")
        """A thread of its own: in the common ones passwords are judged, of whoever tries and however many try."""
        self._left: list[tuple[Accepted, asyncio.Future[bool]]] = []
        self._waiting = self._untaken = 0
        self._spooling: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None

    async def start(self) -> None:
        try:
            self.spool.tidy()
            self.spool.probe()
        except OSError as error:  # while the database is there reports are taken all the same
            log.error("spool", error=type(error).__name__, folder=str(self.spool.folder))
        self._draining = asyncio.create_task(self._drain_for_ever())

    async def stop(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
        await asyncio.gather(*filter(None, (self._draining, self._spooling)), return_exceptions=True)

    async def report(self, fields: Any, key: str = "") -> Receipt:
        """Accept one report, once for one `key`. The receipt is good once this returns."""
        values, vault = plain(fields), self.services.vault
        receipt = receipt_for(vault, _words(values), key)
        accepted = Accepted(
            values,
            fields.kind,
            vault.lookup("receipt", receipt.code),
            vault.lookup("receipt_secret", receipt.code, receipt.secret),
            receipt.at,
            receipt.record_id,
        )
        await self.keep(accepted)
        return receipt

    async def add(self, gate: Gate, fields: Any, key: str = "") -> UUID:
        """What the reporter adds later, to the same case, once for one `key`. Where she reads her report no more, since
        the case is sealed, it would reach nobody: she is told so."""
        report, values = gate.subject.unit_id, plain(fields)
        assert report is not None
        item = await find_record(gate, report, act=Act.amend)
        accepted = Accepted(values, fields.kind, b"", b"", clock.now(), known=gate.subject)
        if key:
            accepted.record_id = self.services.vault.id_for("addition", str(report), key, _words(values))
        await self._file(accepted, cases.target_of(self.services.vault, item.row))
        return accepted.record_id

    async def keep(self, accepted: Accepted) -> None:
        """Database, else file; `Unavailable` only when neither takes it. The more are waiting, the longer it has."""
        self._waiting += 1
        patience = self.services.settings.intake_timeout + 0.001 * min(self._waiting, BATCH)
        try:
            async with asyncio.timeout(patience):
                await self._file(accepted)  # cancelled, it may be on disk twice; it is filed once
        except Exception:  # the database's fault or ours: either way the report is kept
            if not await self._spooled(accepted):
                text = "暂时无法保存，请直接拨打110。", "It could not be saved. Please call 110."
                raise Unavailable(*text) from None
        finally:
            self._waiting -= 1

    def _spooled(self, accepted: Accepted) -> "asyncio.Future[bool]":
        """Did the disk take it?"""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._left.append((accepted, future))
        if self._spooling is None or self._spooling.done():
            self._spooling = asyncio.create_task(self._spool())
        return future

    async def _spool(self) -> None:
        """Whatever is left by now, in one file: the disk needs as long for many as for one. Where there is no room for
        all there may be for each but the longest."""
        while self._left:
            batch, self._left = self._left[:BATCH], self._left[BATCH:]
            kept = await self._appended([accepted for accepted, _ in batch])
            for accepted, future in batch:
                took = kept or (len(batch) > 1 and await self._appended([accepted]))
                if not future.done():
                    future.set_result(took)

    async def _appended(self, batch: list[Accepted]) -> bool:
        try:
            spooled = [accepted.spooled() for accepted in batch]
            await asyncio.get_running_loop().run_in_executor(self._disk, self.spool.append, spooled)
        except Exception:
            return False
        return True

    def _file(self, accepted: Accepted, target: Target | None = None) -> "asyncio.Future[Filed]":
        """Give a report to the writer."""
        parties = recognise(self.services.vault, accepted.values, accepted.kind)
        subject = accepted.known or Subject(REPORTER, "reporter_receipt", unit_id=accepted.record_id)
        author = subject.unit_id or accepted.record_id
        now, at = clock.now(), accepted.at
        filing = Filing(accepted.kind, accepted.values, parties, at, author, record_id=accepted.record_id)
        filing.made_at = now if now - at > LATE else None
        duty = handler_for(self.services, accepted.values)[0].id if matching(parties, "victim") else None
        # Anybody can say that she is the victim. Whoever says so follows a case of her own: of one that was
        # there her receipt must show nothing, and a receipt that shows less would tell that it was there.
        apart = bool(accepted.values.get("reporter_is_victim"))
        adding = partial(self._rows, accepted, subject, filing, duty)
        return self.writer.file(Submission(filing, adding, duty=duty, target=target, apart=apart))

    def _rows(
        self, accepted: Accepted, subject: Subject, filing: Filing, duty: UUID | None, rows: Rows, target: Target
    ) -> None:
        """Everything one report writes: case or its update, record, receipt, outbox row, log entry."""
        services = self.services
        effects = cases.Effects(kind=ANONYMOUS, stage=Stage.received)
        filing.lead = filing.proven = target.new
        if target.new:
            handler, region = handler_for(services, accepted.values)
            effects.acting = [handler.id]
            cases.add_case(rows, target, filing, effects, handler, region, services.directory, alert=True, intake=True)
        else:
            effects.called = duty  # who works on it already reads who reported again; of an addition nobody is told
            told = {"new_record": True, "joins": False}
            cases.touch_case(rows, target, filing, effects, filled(filing), services.directory, **told)
        if accepted.known is None:
            # two may draw the same sixteen digits, once in millions: both are filed, the digits find the first
            rows.insert("receipt", accepted.receipt(target), known=True)
        draft = Gate(services, subject, Purpose.own_report).draft(Act.create)
        finish(rows, services.vault, draft, filing, target)

    async def _drain_for_ever(self) -> None:
        while True:
            await asyncio.sleep(DRAIN_SECONDS)
            try:
                await self.drain()
            except (*FAILED, HubError):
                continue
            except Exception as error:  # whatever it is, reports must not wait for a restart
                log.error("spool", error=type(error).__name__)

    async def drain(self) -> int:
        """File what the spool holds; each report once. Returns how many were filed. Raises `OSError` where the spool
        cannot be looked into."""
        filed, self._untaken = 0, 0
        try:
            paths = self.spool.files()
        except OSError as error:
            log.error("spool", error=type(error).__name__, folder=str(self.spool.folder))
            raise
        if paths:  # the units on duty as they are now: the database was away, or `hub worker` reads them here alone
            await self.services.directory.refresh()
        for path in paths:
            try:
                filed += await self._drain(path)
            except OSError as error:  # this file cannot be read, or not be put away: the others are filed
                log.error("spool", file=path.name, error=type(error).__name__)
        return filed

    async def _drain(self, path: Path) -> int:
        """File one file's reports. It goes once they are filed, and what nobody can read of it is set aside."""
        filed, whole, unreadable = 0, True, []
        for line in self.spool.lines(path):
            try:
                accepted = Accepted(*self.spool.opened(line))
            except (SealBroken, ValueError, TypeError):
                unreadable.append(line)
                continue
            try:
                filed += not (await self._file(accepted)).again
            except Conflict:  # another is at it, or holds what it needs
                whole = False
            except Unavailable:  # the database's fault or its own: then the others are filed
                self._untaken += 1
                if self._untaken > UNTAKEN:
                    raise
                await self.services.database.fetchrow("SELECT 1")
                whole = False
            except Exception as error:
                log.error("spool", file=path.name, error=type(error).__name__)
                whole = False
        if whole and unreadable:
            self.spool.set_aside(path, unreadable)
        if whole:
            path.unlink(missing_ok=True)
        if whole and unreadable:
            log.error("spool", file=path.name, error="unreadable", lines=len(unreadable))
        return filed


REPORT = KINDS["report"]
ADDITION = KINDS["report_addition"]
