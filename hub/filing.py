"""Filing: what every submission shares. Recognise the parties, seal the fields, write all rows as one.

Case, parties, record, outbox row and log entry of a filing are rows of one statement of data-modifying CTEs, which
takes those of many filings as it takes those of one (see `hub/writer.py`).
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from hub import keys
from hub.audit.committer import Draft, columns
from hub.db import Connection, insert_rows
from hub.ids import new_id
from hub.models.catalogue import KINDS, fields_of
from hub.models.fields import CATEGORIES, INDEX, Stamp
from hub.models.sealed import FIRST, SEALED_COLUMNS, split
from hub.parties import PartyKeys, party_rows

ROUTINE = INDEX["routine"]
NOTHING_SEALED = dict.fromkeys(SEALED_COLUMNS)


@cache
def setting(kind: str) -> list[tuple[str, Stamp]]:
    """Fields that set something on their case."""
    return [(info.name, Stamp(info.sets)) for info in fields_of(KINDS[kind]) if info.sets]


@cache
def _indexes(kind: str) -> dict[str, int]:
    """Category index by field."""
    return {info.name: INDEX[info.category] for info in fields_of(KINDS[kind])}


@dataclass(slots=True)
class Target:
    """The case a record goes to: an open one that was found, or a new one."""

    id: UUID
    ref: UUID
    wrapped: bytes
    key_id: str
    key: keys.CaseKey
    opened_at: datetime
    region: str
    new: bool
    household: UUID | None = None
    persons: dict[bytes, UUID] = field(default_factory=dict)
    alert: bool = False


@dataclass(slots=True)
class Filing:
    """One record version about to be written. `changed` lists category indexes, if not all that are filled."""

    kind: str
    values: dict[str, Any]
    parties: list[PartyKeys]
    at: datetime
    unit_id: UUID
    account_id: UUID | None = None
    client_id: str | None = None
    record_id: UUID = field(default_factory=new_id)
    version: int = 1
    previous: bytes = bytes(32)
    changed: list[int] = field(default_factory=list)
    last_changed: bytes = FIRST
    made_at: datetime | None = None
    lead: bool = False
    carried: dict[str, bytes | None] = field(default_factory=dict)
    was: dict[str, Any] = field(default_factory=dict)
    """What stood before in the categories that it changes."""
    before: list[PartyKeys] = field(default_factory=list)
    """The parties that the version before named."""
    digest: bytes | None = None
    """Of the request, by which its repetition is known again."""
    proven: bool = True
    """Its parties are those of its case, so that more records on them are filed there. Not what somebody tells of a
    case that was there, nor what names its case, and other people: theirs would be read by whoever reads this one."""

    @property
    def tells(self) -> bool:
        """It is a report that came to a case which was there."""
        return KINDS[self.kind].reports and not self.lead


def filled(filing: Filing) -> list[int]:
    """Indexes of the categories that the record has values in."""
    index = _indexes(filing.kind)
    return sorted({index[name] for name, value in filing.values.items() if value is not None})


def seal_fields(filing: Filing, key: keys.CaseKey) -> dict[str, bytes | None]:
    """Envelopes by column for every category the record fills, beside those carried over."""
    parts = split(KINDS[filing.kind], filing.values, whole=filing.version == 1)
    return filing.carried | keys.seal_row(key, (filing.record_id, filing.version), parts)


def stamps(kind: str, values: dict[str, Any]) -> dict[Stamp, Any]:
    """What a record's fields set on its case."""
    return {stamp: value for name, stamp in setting(kind) if (value := values.get(name)) is not None}


def _in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: tuple(row.values()))


OUTBOX = (
    "INSERT INTO change (record_id, version, case_id, categories, at)"
    " SELECT id, version, case_id, changed, made_at FROM unnest(${}::public.record[])"
)
"""Beside every new record version stands a row in the outbox of changes."""


class Rows:
    """What filings write: new rows by table, and what they change of rows that are there. Of several filings together
    only new records: a version, which may take marks back, is written alone."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, bool], list[dict[str, Any]]] = defaultdict(list)
        self.changes: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.after: dict[str, list[tuple[Any, ...]]] = defaultdict(list)

    def insert(self, table: str, values: dict[str, Any], *, known: bool = False) -> None:
        """One row; those of a table name the same columns. One that may be `known` is left alone if it is there."""
        self.tables[table, known].append(values)

    def change(self, sql: str, *args: Any) -> None:
        """An UPDATE of the row with the id `$1`."""
        self.changes[sql].append(args)

    def follow(self, sql: str, *args: Any) -> None:
        """A statement about the case with the id `$1`, new or changed here, for when all else is written: it works
        something out from that."""
        self.after[sql].append(args)

    def add(self, other: "Rows") -> None:
        for ours, theirs in ((self.changes, other.changes), (self.after, other.after)):
            for sql, many in theirs.items():
                ours[sql] += many
        for where, rows in other.tables.items():
            self.tables[where] += rows

    async def write(self, connection: Connection) -> None:
        """One statement for all new rows, an array of rows a table. Then the changes, by id: whoever locks more
        than one row locks them in that order. Rows that may be known come in order too: who adds the same waits."""
        tables = {where: _in_order(rows) if where[1] else rows for where, rows in sorted(self.tables.items())}
        parts = []
        for i, ((table, known), rows) in enumerate(tables.items(), 1):
            parts.append(insert_rows(table, tuple(rows[0]), i, known=known))
            if table == "record":
                parts.append(OUTBOX.format(i))
        if parts:
            named = ", ".join(f"s{i} AS ({part})" for i, part in enumerate(parts[:-1]))
            await connection.execute(f"WITH {named} {parts[-1]}" if named else parts[-1], *tables.values())
        for sql, many in (*self.changes.items(), *self.after.items()):
            await connection.executemany(sql, sorted(many, key=itemgetter(0)))


def add_record(
    rows: Rows,
    filing: Filing,
    target: Target,
    sealed: dict[str, bytes | None],
    changed: list[int],
    leaf_hash: bytes,
) -> None:
    """The record version. Every sealed column is named, so that all rows name the same."""
    values: dict[str, Any] = {
        "id": filing.record_id,
        "version": filing.version,
        "case_id": target.id,
        "kind": filing.kind,
        "unit_id": filing.unit_id,
        "account_id": filing.account_id,
        "client_id": filing.client_id,
        "at": filing.at,
        "made_at": filing.made_at or filing.at,
        "current": True,
        "lead": filing.lead,
        "changed": changed,
        "last_changed": filing.last_changed,
        "leaf_hash": leaf_hash,
        "digest": filing.digest,
    }
    rows.insert("record", values | NOTHING_SEALED | sealed)


def add_parties(rows: Rows, filing: Filing, target: Target) -> None:
    """The keys of all parties that the record names; what an earlier version named too is left alone."""
    persons: dict[int, UUID] = {}
    for (key, role, named), (kind, party) in party_rows(filing.parties).items():
        if (person := persons.get(id(party))) is None:
            known = (target.persons[k] for k in party.keys.values() if k in target.persons)
            person = persons[id(party)] = next(known, None) or new_id()
        row = {"key": key, "case_id": target.id, "role": role, "named": named}
        row |= {"record_id": filing.record_id, "kind": kind, "person_id": person, "finds": filing.proven}
        rows.insert("party_key", row, known=filing.version > 1)


def finish(rows: Rows, vault: keys.Vault, draft: Draft, filing: Filing, target: Target) -> None:
    """Record, parties, outbox and log entry, the entry on the record's own chain."""
    sealed, changed = seal_fields(filing, target.key), filing.changed or filled(filing)
    row, hashed = columns(
        vault, case_draft(draft, target, filing, changed), filing.record_id, filing.version, filing.previous
    )
    add_record(rows, filing, target, sealed, changed, hashed)
    add_parties(rows, filing, target)
    rows.insert("access_log", row)


def case_draft(draft: Draft, target: Target, filing: Filing, changed: list[int]) -> Draft:
    """Complete a change's entry: which case, which record version, which categories."""
    draft.name(target.ref, target.key, (filing.record_id, filing.version))
    what = {"clear": [CATEGORIES[i].value for i in changed]}
    draft.body |= {"what": [what], "kind": filing.kind, "count": 1}
    return draft
