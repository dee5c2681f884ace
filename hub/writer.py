"""The writer: one a process; every new record goes through it, in groups.

Whatever is queued when it is free becomes one transaction: locks, look-up, one statement for all rows, commit. These
cost nearly the same for thirty records as for one. Nothing waits for a timer: a record that comes alone is a group of
one. What is answered is on disk; what is refused for a reason of its own refuses nobody else.
"""

import asyncio
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from hub import ids
from hub.cases import TARGET, new_target, target_of
from hub.db import Connection, Row
from hub.errors import Conflict, Locked, Unavailable
from hub.filing import Filing, Rows, Target
from hub.marks import SETTLE
from hub.models.catalogue import KINDS
from hub.parties import NAMED, PAIR, PartyKeys, ids_of, matching, stored_keys
from hub.policies.services import Services
from hub.together import array_text, settled

GROUP = 32

LOCK = """
SELECT ARRAY(SELECT pg_try_advisory_xact_lock(k) FROM unnest($1::bigint[]) k),
       ARRAY(SELECT pg_advisory_xact_lock(k)::text FROM unnest($2::bigint[]) k)
"""
"""Copies of a request exclude each other at once; records on one pair wait for each other, in one order everywhere."""

FIND = """
SELECT r.case_id AS filed, r.digest, p.persons, p.household, c.*
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::uuid[]) WITH ORDINALITY
  AS q (record, known, names, victims, respondents, victim_named, respondent_named, victim_ids, respondent_ids, own,
        duty, place)
LEFT JOIN record r ON r.id = q.record AND r.version = 1
CROSS JOIN LATERAL (
  SELECT array_agg(CASE k.kind WHEN 'id' THEN k.key ELSE k.named END || uuid_send(k.person_id)) AS persons,
         (array_agg(h.household_id) FILTER (WHERE k.role <> 'reporter' AND h.household_id IS NOT NULL))[1] AS household
  FROM party_key k LEFT JOIN cases h ON h.id = k.case_id
  WHERE k.key = ANY(q.known::bytea[]) AND (k.kind = 'id' OR k.named = ANY(q.names::bytea[]))) p
LEFT JOIN LATERAL (
  SELECT {target} FROM (
    SELECT * FROM cases WHERE id = ANY(ARRAY(
      SELECT v.case_id FROM party_key v JOIN party_key r ON r.case_id = v.case_id
      WHERE v.key = ANY(q.victims::bytea[]) AND v.role = 'victim' AND v.finds AND r.finds
        AND (v.kind = 'id' OR v.named = ANY(q.victim_named::bytea[]))
        AND r.key = ANY(q.respondents::bytea[]) AND r.role = 'respondent'
        AND (r.kind = 'id' OR r.named = ANY(q.respondent_named::bytea[]))))
    OFFSET 0) cases
  WHERE status = 'open' AND sealed_by IS NULL AND NOT party_keys && q.own::bytea[]
    AND (victim_ids = '{}' OR q.victim_ids = '{}' OR victim_ids && q.victim_ids::bytea[])
    AND (respondent_ids = '{}' OR q.respondent_ids = '{}' OR respondent_ids && q.respondent_ids::bytea[])
    AND (q.duty IS NULL OR q.duty = ANY(involved))
  ORDER BY opened_at LIMIT 1) c ON TRUE
ORDER BY q.place
""".replace("{target}", TARGET)
"""For each record of a group: where it was filed, if it was; who of its parties is known; and the open case with the
same victim and respondent, never one in conflict with the caller. Phone with name counts only while no id number
contradicts it: two people may share a name and a phone. And only the name of that role: one phone may be both's."""


def pair_locks(parties: list[PartyKeys]) -> frozenset[int]:
    """The locks under which records on one victim and respondent wait for each other, if they name both: one a key
    of the victim, since two records may share any of them."""
    if not matching(parties, "respondent"):
        return frozenset()
    return frozenset(int.from_bytes(key[:8], "big", signed=True) for key in matching(parties, "victim"))


class Filed(NamedTuple):
    """Where a record lies. `digest` is that of the request which brought it there; `again` when it did so before."""

    case_id: UUID
    digest: bytes | None
    again: bool = False


@dataclass(slots=True, eq=False)
class Submission:
    """A record on its way: what the look-up needs, and what adds its rows once its case is known."""

    filing: Filing
    rows: Callable[[Rows, Target], None]
    """Raises `HubError` when the record must not be written."""
    own: tuple[bytes, ...] = ()
    """Keys of the caller's person: no case of his own is found."""
    duty: UUID | None = None
    """A report joins only a case on which the unit on duty for its place works: else it would not learn of it."""
    target: Target | None = None
    """The case it goes to, where that is known already."""
    apart: bool = False
    """It gets a case of its own, whatever is there."""
    pair: frozenset[int] = field(init=False)
    people: frozenset[bytes] = field(init=False)
    done: "asyncio.Future[Filed]" = field(init=False)

    def __post_init__(self) -> None:
        parties = self.filing.parties
        self.pair, self.done = pair_locks(parties), asyncio.get_running_loop().create_future()
        self.people = frozenset(k for p in parties if p.role != "reporter" for k in matching([p], p.role))

    @property
    def id(self) -> UUID:
        return self.filing.record_id

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def sought(self) -> tuple[Any, ...]:
        """The arguments of `FIND`."""
        parties = self.filing.parties
        victims, respondents = ([], []) if self.target or self.apart else (stored_keys(parties, r) for r in PAIR)
        by_role = ([p.keys[NAMED] for p in parties if p.role == role and NAMED in p.keys] for role in PAIR)
        names = [p.keys[NAMED] for p in parties if NAMED in p.keys]
        ids = (ids_of(parties, role) for role in PAIR)
        known = (k for party in parties for k in stored_keys([party], party.role))
        return (self.id, *map(array_text, (known, names, victims, respondents, *by_role, *ids, self.own)), self.duty)


def _apart(filed: list[tuple[Submission, Filed]], rows: Rows) -> None:
    """`Conflict`, so that each goes alone, if a report comes with what may end its case: for this
    group the case is still open, and nobody on duty finds what is filed under one that is not."""
    settled_ = {args[0] for args in rows.after.get(SETTLE, ())}
    if any(KINDS[s.filing.kind].reports and where.case_id in settled_ for s, where in filed):
        raise Conflict


class Writer:
    """The queue of one process, and the task that is there while anything is queued."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._queue: dict[UUID, Submission] = {}
        self._writing: dict[UUID, Submission] = {}
        self._task: asyncio.Task[None] | None = None

    def file(self, submission: Submission) -> "asyncio.Future[Filed]":
        """Queue a record; the future tells where it went once that is on disk. Cancelled, it is not begun any more.

        Raises `Conflict` (409), here or by the future, while a copy is in progress.
        """
        if submission.id in self._queue or submission.id in self._writing:
            raise Conflict
        self._queue[submission.id] = submission
        submission.done.add_done_callback(lambda _: self._forget(submission))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="writer")
        return submission.done

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for submission in [*self._writing.values(), *self._queue.values()]:
            submission.fail(Unavailable())

    def _forget(self, submission: Submission) -> None:
        if self._queue.get(submission.id) is submission:
            del self._queue[submission.id]

    async def _run(self) -> None:
        while self._queue:
            await settled(self._queue, GROUP)
            self._writing = self._next()
            await self._settle(list(self._writing.values()))
            self._writing = {}

    def _next(self) -> dict[UUID, Submission]:
        """The next group. The second record on a person must find what the first brought (the case of the pair, else
        the household), so it waits for its turn. Reporters do not count: one reports about many."""
        group: dict[UUID, Submission] = {}
        people: set[bytes] = set()
        for record, submission in self._queue.items():
            if people.isdisjoint(submission.people):
                group[record] = submission
            people |= submission.people
            if len(group) == GROUP:
                break
        for record in group:
            del self._queue[record]
        return group

    async def _settle(self, group: list[Submission], *, again: bool = False) -> None:
        """Write a group; each alone when one spoils it for all, but not when the database is lost. One whose case has
        ended at this moment (`Database.transaction`) looks for its case `again`."""
        group = [submission for submission in group if not submission.done.done()]
        try:
            if group:
                await self._write(group)
        except Exception as error:
            ended = isinstance(error, Conflict) and not isinstance(error, Locked) and not again
            if (len(group) == 1 and not ended) or isinstance(error, Unavailable):
                for submission in group:
                    submission.fail(copy(error))
            else:
                for submission in group:
                    await self._settle([submission], again=len(group) == 1)

    async def _write(self, group: list[Submission]) -> None:
        filed = []
        async with self.services.database.transaction() as connection:
            group, rows = await self._lock(connection, group), Rows()
            if not group:  # copies, all of them
                return
            found = await connection.fetch(FIND, *map(list, zip(*(s.sought() for s in group), strict=True)))
            for submission, row in zip(group, found, strict=True):
                try:
                    filed.append((submission, self._add(rows, submission, row)))
                except Exception as error:  # its own: the others are written
                    submission.fail(error)
            _apart(filed, rows)
            await rows.write(connection)
        for submission, where in filed:
            if not submission.done.done():
                submission.done.set_result(where)

    async def _lock(self, connection: Connection, group: list[Submission]) -> list[Submission]:
        copies = [int.from_bytes(s.id.bytes[:8], "big", signed=True) for s in group]
        alone, _ = await connection.fetchrow(LOCK, copies, sorted(lock for s in group for lock in s.pair))
        for submission, got in zip(group, alone, strict=True):
            if not got:
                submission.fail(Conflict())
        return [submission for submission, got in zip(group, alone, strict=True) if got]

    def _add(self, rows: Rows, submission: Submission, row: Row) -> Filed:
        """Where a record goes, and its rows; none if it was filed before."""
        if row["filed"] is not None:
            return Filed(row["filed"], row["digest"], again=True)
        vault, filing, target, own = self.services.vault, submission.filing, submission.target, Rows()
        persons = {bytes(pair[:16]): ids.of_bytes(pair[16:]) for pair in row["persons"] or []}
        if target is not None:
            target.persons = persons
        elif row["case_id"] is not None:
            target = target_of(vault, row, persons)
        else:
            target = new_target(vault, filing.at, row["household"], persons)
        submission.rows(own, target)
        rows.add(own)
        return Filed(target.id, filing.digest)
