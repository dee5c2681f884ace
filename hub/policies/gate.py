"""The one door (PEP). Nothing sealed is opened but through `Gate`, by whomever and for whatever; records are read by
`Gate.read`.

One SELECT brings rows still sealed with their facts; `decide` says what they open; the entry is made durable;
only then, against the release ticket, are the granted columns opened. There is no second way in: `locate` and
`facts_of` read a case's row and open nothing.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import chain
from typing import Any, NoReturn
from uuid import UUID, uuid4

import orjson

from hub import clock, ids, keys
from hub.audit.committer import NOBODY, Draft, insert_entry
from hub.audit.entry import GENESIS, Act, canonical, named
from hub.db import Row
from hub.errors import Forbidden, HubError, NotFound, entered
from hub.models.codes import Status
from hub.models.fields import CATEGORIES, INDEX
from hub.models.sealed import COMMON_COLUMN, places
from hub.policies import facts
from hub.policies.decide import CLEAR, Decision, Table
from hub.policies.query import CASE_COLUMNS, Query, Seen, entries_of, sealed, statement
from hub.policies.services import Services
from hub.policies.subject import SYSTEM, Purpose, Subject
from hub.settings import operator

CONFLICT = "party_conflict"
STANDING = sum(facts.BIT[f] for f in ("involved", "territorial", "referred_in", "named_in_order", "superior"))
"""Any of these lets a unit file under a case."""


@dataclass(slots=True)
class Gate:
    """One caller, one request, one purpose."""

    services: Services
    subject: Subject
    purpose: Purpose | None
    began: float = field(default_factory=clock.ticks)
    _table: Table | None = field(default=None, init=False)

    @property
    def table(self) -> Table:
        """The policy for this caller and purpose: one and the same for the whole request."""
        if self._table is None:
            assert self.purpose is not None
            subject = self.subject
            self._table = self.services.policy.table(subject.unit_type, subject.role, self.purpose)
        return self._table

    async def admit(self) -> None:
        """Refuse by shape a purpose that this caller may not state, before any SQL."""
        if self.purpose is None or not self.table.stateable:
            zh, en = "不得以此目的访问。", "You may not state this purpose."
            if self.purpose is Purpose.sync and self.subject.role != SYSTEM:
                zh, en = (
                    f"{zh}sync 为系统自身所用，不写 On-Behalf-Of。",
                    f"{en} sync is a system's own: no On-Behalf-Of.",
                )
            await self.refuse(Forbidden(zh, en, reason="purpose"))

    async def require(self, category: str, least: int = CLEAR) -> None:
        """Refuse by shape, before any SQL, a predicate on a category the caller can never read in a case.

        What it wrote itself does not count: a predicate ranges over everybody's records.
        """
        if self.table.reachable_by_others[INDEX[category]] < least:
            await self.refuse(
                Forbidden(
                    f"按规则不得以“{CATEGORIES[INDEX[category]].zh}”为条件。",
                    f"The policy does not let you filter or search by {category}.",
                    category=category,
                )
            )

    async def read(self, act: Act, query: Query, *, single: bool = False) -> list[Seen]:
        """The rows of `query` that the caller may see, opened as far as granted, logged before.

        Raises `NotFound` when `single` and nothing is visible: absent, forbidden and conflict alike.
        """
        table = self.table
        sql = statement(table, query)
        told = (*query.args, *table.given) if query.alike else query.args
        rows = await self.services.reads.fetch(sql, *self.subject.parameters(), *told, rows=query.rows)
        seen: list[Seen] = []
        denied: list[Seen] = []
        sought = query.sought
        for row in rows:
            decision = table.decide(row["facts"])
            (seen if decision.visible and (not sought or row[sought]) else denied).append(Seen(row, decision))
        if single and not seen:
            await self._deny(act, query, denied)
            raise entered(NotFound())
        if seen and denied and not sought:
            denied = [item for item in denied if CONFLICT in item.decision.facts]
        if denied:  # in one flush: how long it takes must not tell of what else there is
            await asyncio.gather(self._deny(act, query, denied), self._release(act, query, seen))
        else:
            await self._release(act, query, seen)
        if not seen:
            await self.even_out()
        return seen

    async def even_out(self) -> None:
        """Wait for the next of even steps (`HUB_EVEN_OUT`): how long nothing took must not tell what was there."""
        if step := self.services.settings.even_out:
            await asyncio.sleep((self.began - clock.ticks()) % step)

    async def _release(self, act: Act, query: Query, seen: list[Seen]) -> None:
        """Log what is about to be shown, then open it."""
        chunks = list(entries_of(seen)) or [[]]
        waiting = [self.services.committer.enter(self._draft(act, query, chunk)) for chunk in chunks]
        tickets = [await waiting[0]] if len(waiting) == 1 else await asyncio.gather(*waiting)
        for chunk, ticket in zip(chunks, tickets, strict=True):
            for item in chunk if query.records else ():
                self._open(item, ticket, query)

    def _draft(self, act: Act, query: Query, seen: list[Seen]) -> Draft:
        draft = self._asking(act, query)
        groups: dict[int, tuple[Decision, list[bytes]]] = {}
        refs: dict[UUID, None] = {}
        for item in seen:
            row, decision = item.row, item.decision
            ref: UUID = row["ref"]
            refs[ref] = None
            if (group := groups.get(id(decision))) is None:
                group = groups[id(decision)] = decision, []
            if query.records:
                record = row["id"], row["version"]
                group[1].append(named(ref, *record))
                draft.rows[record] = decision.granted
            else:
                group[1].append(named(ref))
        what, counts = [d.told for d, _ in groups.values()], [len(rows) for _, rows in groups.values()]
        draft.body |= {"what": what, "rows": counts, "count": len(seen)}
        draft.detail = b"".join(chain.from_iterable(rows for _, rows in groups.values()))
        draft.case_refs = list(refs)
        if len(refs) == 1:
            draft.seal_with = self.services.vault.case_key(seen[0].row).log
        return draft

    def _open(self, item: Seen, ticket: keys.Ticket, query: Query) -> None:
        row, decision = item.row, item.decision
        granted = decision.listed if query.listed else decision.columns
        common = decision.common and row[COMMON_COLUMN] is not None
        columns = places(granted, row["last_changed"], common)
        record, envelopes = (row["id"], row["version"]), row if common else sealed(row)
        item.members = b",".join(keys.open_row(ticket, self.services.vault.case_key(row), record, envelopes, columns))

    def draft(self, act: Act) -> Draft:
        """An entry that says who asks, for whom and why."""
        subject, vault = self.subject, self.services.vault
        who, actor = _identity(vault, subject)
        purpose = self.purpose.value if self.purpose else ""
        body = {"act": act.value, "who": who, "purpose": purpose, "policy": self.services.policy.version}
        unit = subject.unit_id if subject.account_id or subject.client_id else None  # else it is a report's id
        return Draft(act, body, actor=actor, purpose=purpose, unit_id=unit)

    def _asking(self, act: Act, query: Query) -> Draft:
        """The same, that also says what was asked for."""
        draft = self.draft(act)
        draft.body["query"] = query.name
        if query.asked:
            draft.body["asked"] = query.asked
        return draft

    async def refuse(
        self, error: HubError, act: Act = Act.deny, about: Iterable[UUID] = (), *, conflict: bool = False
    ) -> NoReturn:
        """Log a refusal, then raise it."""
        await self.enter_refusal(error, act, about, conflict=conflict)
        raise error

    async def enter_refusal(
        self, error: HubError, act: Act = Act.deny, about: Iterable[UUID] = (), *, conflict: bool = False
    ) -> None:
        """`about` are the pseudonyms of cases on which it tells something: that they can be found. A `conflict` of
        interest is marked for another unit's officer."""
        if error.entered:
            return
        error.entered = True
        draft = self.draft(act)
        draft.case_refs = list(about)
        if not draft.case_refs and self.subject.own_case is not None:  # a refusal may tell that the receipt is right
            draft.case_refs = [self.services.vault.pseudonym("case", self.subject.own_case.bytes)]
        draft.outcome, draft.status = "deny", error.status
        if conflict:
            draft.conflict()
        draft.body |= {"error": error.code, "about": {k: _brief(v) for k, v in error.extra.items()}}
        await self.services.committer.commit(draft)

    async def locate(self, column: str, value: Any) -> Row:
        """The open case to file under, sealed: one that lies in the unit's area or that it has to do with.

        Opens nothing; the filing itself is logged. Raises `NotFound` as `read` does.
        """
        told = (*self.subject.parameters(), value, *self.table.given[:2])
        row = await self.services.database.fetchrow(_locating(column), *told)
        closed = row is not None and row["status"] != Status.open.value
        if row is None or closed or not row["facts"] & STANDING or row["facts"] & self.table.hard:
            denied = [] if row is None else [Seen(row, self.table.decide(row["facts"]))]
            await self._deny(Act.create, Query("locate", ""), denied)
            raise entered(NotFound())
        return row

    async def facts_of(self, case: str) -> int:
        """The facts about this caller and a case (id or number), for explaining; opens nothing, and is logged."""
        known, named = facts.mask(facts.written(*self.table.who)), "id" if ids.is_uuid(case) else "number"
        sql = f"SELECT {known} AS facts, {CASE_COLUMNS} FROM cases c WHERE c.{named} = ${facts.FIRST_FREE}"
        row = await self.services.database.fetchrow(sql, *self.subject.parameters(), case)
        draft = self.draft(Act.policy)
        draft.actor, draft.unit_id = NOBODY, None  # the operator asks, about the account, which did nothing
        draft.body |= {"about": draft.body.pop("who"), "command": "policy explain", "by": operator()}
        if row is not None:
            draft.case_refs = [row["ref"]]
        draft.body |= {"query": "explain", "count": int(row is not None)}
        async with self.services.database.transaction() as connection:
            await insert_entry(connection, self.services.vault, draft, uuid4(), 1, GENESIS)
        if row is None:
            raise NotFound
        return int(row["facts"])

    async def _deny(self, act: Act, query: Query, denied: list[Seen]) -> None:
        """A look that found nothing it may show; a conflict of interest is marked for another unit's officer."""
        draft = self._asking(Act.deny, query)
        draft.outcome, draft.status = "deny", 404
        draft.case_refs = list({item.row["ref"]: None for item in denied})
        facts_true = sorted({name for item in denied for name in item.decision.facts})
        draft.body |= {
            "tried": act.value,
            "facts": facts_true,
            "cases": [ref.hex for ref in draft.case_refs],
            "alert": False,
        }
        if CONFLICT in facts_true:
            draft.conflict()
        await self.services.committer.commit(draft)

    async def release_files(self, item: Seen, category: str, files: list[UUID], columns: frozenset[str]) -> keys.Ticket:
        """A ticket for attachments of a record whose evidence this caller sees in clear; logged first."""
        draft, row = self.draft(Act.read), item.row
        draft.rows = {(file, 0): columns for file in files}
        draft.name(row["ref"], self.services.vault.case_key(row), *draft.rows)
        what = {"clear": [category], "parts": sorted(columns), "facts": item.decision.facts}
        draft.body |= {"what": [what], "query": "attachments", "count": len(files)}
        return await self.services.committer.commit(draft)


def _brief(value: object) -> str:
    """What an entry repeats of a refusal; of what was wrong with fields, where."""
    if isinstance(value, list):
        value = " ".join(str(e.get("pointer", "")) if isinstance(e, dict) else str(e) for e in value)
    return str(value)[:200]


@cache
def _locating(column: str) -> str:
    known = facts.mask(facts.given(facts.FIRST_FREE + 1))
    return f"SELECT {known} AS facts, {CASE_COLUMNS}, c.alert_open FROM cases c WHERE {column} = ${facts.FIRST_FREE}"


@lru_cache(maxsize=2_000)
def _identity(vault: keys.Vault, subject: Subject) -> tuple[orjson.Fragment, UUID]:
    """What an entry says of the caller, and its pseudonym: made once while the caller is remembered."""
    who = {
        "account": str(subject.account_id or ""),
        "client": subject.client_id or "",
        "key": subject.key,
        "role": subject.role,
        "session": subject.session,
        "unit": subject.unit_code,
        "unit_type": subject.unit_type,
    }
    return orjson.Fragment(canonical(who)), vault.pseudonym("actor", subject.actor)


def nobody(services: Services) -> Gate:
    """The gate of somebody not authenticated: for entries about failed logins, never for reading."""
    return Gate(services, Subject("-", "-"), None)
