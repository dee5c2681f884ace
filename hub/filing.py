"""Filing: what every submission shares. Recognise the parties, seal the fields, write all rows as one.

A change is one statement of data-modifying CTEs: case, parties, record, outbox row and log entry stand or fall
together, and a submission costs five round trips (begin, locks, look-up, write, commit).
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.dialects import postgresql

from hub import keys
from hub.audit.committer import COLUMNS, Draft, columns
from hub.models.catalogue import KINDS, fields_of
from hub.models.fields import CATEGORIES, INDEX, Stamp
from hub.models.sealed import CLEAR_COLUMNS, FIRST, MASKED_COLUMNS, split
from hub.tables import TABLES

ROLES = ("victim", "respondent", "child", "reporter")
MATCHING = ("id", "phone_name")
ROUTINE = INDEX["routine"]


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """How one party can be found again: role and keyed hashes by kind."""

    role: str
    keys: dict[str, bytes]


def recognise(vault: keys.Vault, values: dict[str, Any], kind: str) -> list[PartyKeys]:
    """The keyed hashes of every party that a record names."""
    people: dict[str, list[dict[str, str]]] = {}
    single: dict[str, dict[str, str]] = {}
    for info in fields_of(KINDS[kind]):
        value = values.get(info.name)
        if not info.lookup or value is None:
            continue
        role, _, attribute = info.lookup.partition(".")
        if attribute:
            single.setdefault(role, {})[attribute] = value
        else:
            people.setdefault(role, []).extend(value)
    for role, person in single.items():
        people.setdefault(role, []).append(person)
    found = [PartyKeys(role, _keys(vault, person)) for role, many in people.items() for person in many]
    return [party for party in found if party.keys]


def _keys(vault: keys.Vault, person: dict[str, str]) -> dict[str, bytes]:
    id_number, phone, name = person.get("id_number"), person.get("phone"), person.get("name")
    born = person.get("birth_date") or (f"{id_number[6:10]}-{id_number[10:12]}-{id_number[12:14]}" if id_number else "")
    made = {}
    if id_number:
        made["id"] = vault.lookup("id", id_number)
    if phone:
        made["phone"] = vault.lookup("phone", phone)
    if phone and name:
        made["phone_name"] = vault.lookup("phone_name", phone, name)
    if name and born:
        made["name_birth"] = vault.lookup("name_birth", name, born)
    return made


def matching(parties: list[PartyKeys], role: str) -> list[bytes]:
    """The keys by which a party makes two records one case: id number, else phone with name."""
    return [p.keys[k] for p in parties if p.role == role for k in MATCHING if k in p.keys]


def pair_lock(parties: list[PartyKeys]) -> int | None:
    """The lock under which records on one victim and respondent wait for each other, if they name both."""
    pair = matching(parties, "victim")[:1] + matching(parties, "respondent")[:1]
    if len(pair) < 2:
        return None
    return int.from_bytes(hashlib.sha256(b"".join(pair)).digest()[:8], "big", signed=True)


def conflict_keys(parties: list[PartyKeys]) -> list[bytes]:
    """What shows that a caller is a party: id numbers and phones of all but the reporter."""
    return [p.keys[k] for p in parties if p.role != "reporter" for k in ("id", "phone") if k in p.keys]


@dataclass(slots=True)
class Target:
    """The case a record goes to: an open one that was found, or a new one."""

    id: UUID
    ref: UUID
    wrapped: bytes
    key_id: str
    key: keys.CaseKey
    new: bool
    household: UUID | None = None
    persons: dict[bytes, UUID] = field(default_factory=dict)


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
    record_id: UUID = field(default_factory=uuid4)
    version: int = 1
    previous: bytes = bytes(32)
    changed: list[int] = field(default_factory=list)
    last_changed: bytes = FIRST
    made_at: datetime | None = None
    lead: bool = False
    carried: dict[str, bytes | None] = field(default_factory=dict)


def filled(filing: Filing) -> list[int]:
    """Indexes of the categories that the record has values in."""
    infos = fields_of(KINDS[filing.kind])
    return sorted({INDEX[i.category] for i in infos if filing.values.get(i.name) is not None})


def seal_fields(filing: Filing, key: keys.CaseKey) -> dict[str, bytes | None]:
    """Envelopes by column for every category the record fills, beside those carried over."""
    sealed, sealer = dict(filing.carried), key.data
    for name, members in split(KINDS[filing.kind], filing.values).items():
        sealed[name] = sealer.seal(members, keys.bind("record", filing.record_id, name, filing.version))
    return sealed


def stamps(kind: str, values: dict[str, Any]) -> dict[Stamp, Any]:
    """What a record's fields set on its case."""
    found: dict[Stamp, Any] = {}
    for info in fields_of(KINDS[kind]):
        if info.sets and (value := values.get(info.name)) is not None:
            found[Stamp(info.sets)] = value
    return found


DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


@cache
def column_types(table: str) -> dict[str, str]:
    """SQL type by column, from the classes that declare the tables."""
    columns = TABLES[table].columns
    return {column.name: column.type.compile(dialect=DIALECT) for column in columns}


@lru_cache(maxsize=1000)
def _insert(table: str, names: tuple[str, ...], first: int) -> str:
    types = column_types(table)
    places = ", ".join(f"${first + i}::{types[name]}" for i, name in enumerate(names))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"


class Statement:
    """A data-modifying statement put together from CTEs, with its arguments numbered as they come."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.args: list[Any] = []

    def arg(self, value: Any, cast: str = "") -> str:
        self.args.append(value)
        return f"${len(self.args)}" + (f"::{cast}" if cast else "")

    def insert(self, table: str, values: dict[str, Any]) -> None:
        """One row; the SQL types are those of the table's own columns."""
        self.add(_insert(table, tuple(values), len(self.args) + 1))
        self.args += values.values()

    def add(self, sql: str) -> None:
        self.parts.append(sql)

    def text(self) -> str:
        named = ", ".join(f"s{i} AS ({part})" for i, part in enumerate(self.parts[:-1]))
        return f"WITH {named} {self.parts[-1]}" if named else self.parts[-1]


def add_record(
    statement: Statement,
    filing: Filing,
    target: Target,
    sealed: dict[str, bytes | None],
    changed: list[int],
    leaf_hash: bytes,
) -> None:
    """The record version and its outbox row. Every sealed column is named, so the text stays the same."""
    made_at = filing.made_at or filing.at
    values: dict[str, Any] = {
        "id": filing.record_id,
        "version": filing.version,
        "case_id": target.id,
        "kind": filing.kind,
        "unit_id": filing.unit_id,
        "account_id": filing.account_id,
        "client_id": filing.client_id,
        "at": filing.at,
        "made_at": made_at,
        "current": True,
        "lead": filing.lead,
        "changed": changed,
        "last_changed": filing.last_changed,
        "leaf_hash": leaf_hash,
    }
    statement.insert("record", values | {name: sealed.get(name) for name in (*CLEAR_COLUMNS, *MASKED_COLUMNS)})
    outbox = {"record_id": filing.record_id, "version": filing.version, "case_id": target.id}
    statement.insert("change", outbox | {"categories": changed, "at": made_at})


def add_parties(statement: Statement, filing: Filing, target: Target) -> None:
    """The keys of all parties; one already known for the case and role is left alone."""
    found: list[tuple[bytes, str, str, UUID]] = []
    for party in filing.parties:
        person = next((target.persons[k] for k in party.keys.values() if k in target.persons), None) or uuid4()
        found += [(key, party.role, kind, person) for kind, key in party.keys.items()]
    keyed, roles, kinds, persons = (list(c) for c in zip(*found, strict=True)) if found else ([], [], [], [])
    a = statement.arg
    statement.add(
        f"INSERT INTO party_key (key, case_id, role, kind, person_id)"
        f" SELECT k, {a(target.id, 'uuid')}, r, t, p FROM unnest({a(keyed, 'bytea[]')}, {a(roles, 'text[]')},"
        f" {a(kinds, 'text[]')}, {a(persons, 'uuid[]')}) AS x (k, r, t, p)"
        f" ON CONFLICT DO NOTHING"
    )


def finish(statement: Statement, vault: keys.Vault, draft: Draft, filing: Filing, target: Target) -> None:
    """Record, parties, outbox and log entry, the entry on the record's own chain."""
    sealed, changed = seal_fields(filing, target.key), filing.changed or filled(filing)
    row, hashed = columns(
        vault, case_draft(draft, target, filing, changed), filing.record_id, filing.version, filing.previous
    )
    add_record(statement, filing, target, sealed, changed, hashed)
    add_parties(statement, filing, target)
    statement.insert("access_log", dict(zip(COLUMNS, row, strict=True)))


def case_draft(draft: Draft, target: Target, filing: Filing, changed: list[int]) -> Draft:
    """Complete a change's entry: which case, which record version, which categories."""
    draft.case_refs, draft.seal_with = [target.ref], target.key.log
    draft.body |= {
        "what": [
            {
                "clear": [CATEGORIES[i].value for i in changed],
                "rows": [f"{target.ref.hex}:{filing.record_id.hex}:{filing.version}"],
            }
        ],
        "kind": filing.kind,
        "count": 1,
    }
    return draft
