"""Parties: how the people whom a record names are found again, by keyed hashes of what it says of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from hub import keys
from hub.db import Connection, Database
from hub.models.catalogue import KINDS, fields_of

PAIR = ("victim", "respondent")
NAMED = "phone_name"
"""Kept beside the phone, of which it is the narrower form."""
MATCHING = ("id", NAMED)


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """How one party can be found again: role and keyed hashes by kind."""

    role: str
    keys: dict[str, bytes]


@cache
def lookups(kind: str) -> list[tuple[str, str, str]]:
    """Fields that find a party again: name, role, attribute."""
    return [(info.name, *info.lookup.partition(".")[::2]) for info in fields_of(KINDS[kind]) if info.lookup]


def recognise(vault: keys.Vault, values: dict[str, Any], kind: str) -> list[PartyKeys]:
    """The keyed hashes of every party that a record names."""
    people: dict[str, list[dict[str, str]]] = {}
    single: dict[str, dict[str, str]] = {}
    for name, role, attribute in lookups(kind):
        value = values.get(name)
        if value is None:
            continue
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
        made[NAMED] = vault.lookup("phone_name", phone, name)
    if name and born:
        made["name_birth"] = vault.lookup("name_birth", name, born)
    return made


def matching(parties: list[PartyKeys], role: str) -> list[bytes]:
    """The keys by which a party makes two records one case: id number, else phone with name."""
    return [p.keys[k] for p in parties if p.role == role for k in MATCHING if k in p.keys]


def ids_of(parties: Sequence[PartyKeys], role: str) -> list[bytes]:
    """Id numbers of a role: what contradicts a match by phone and name."""
    return [p.keys["id"] for p in parties if p.role == role and "id" in p.keys]


def stored_keys(parties: list[PartyKeys], role: str) -> list[bytes]:
    """Where `party_key` has what `matching` goes by: a phone with a name stands under the phone, the name beside it."""
    return ids_of(parties, role) + [p.keys["phone"] for p in parties if p.role == role and NAMED in p.keys]


def conflict_keys(parties: list[PartyKeys]) -> list[bytes]:
    """What shows that a caller is a party: id numbers and phones of all but the reporter."""
    return [p.keys[k] for p in parties if p.role != "reporter" for k in ("id", "phone") if k in p.keys]


def party_rows(parties: list[PartyKeys]) -> dict[tuple[bytes, str, bytes], tuple[str, PartyKeys]]:
    """The keys by which parties are found, each with its role and what stands beside it: their kind, and whose."""
    found: dict[tuple[bytes, str, bytes], tuple[str, PartyKeys]] = {}
    for party in parties:
        for kind, key in party.keys.items():
            if kind != NAMED:
                named = party.keys.get(NAMED, b"") if kind == "phone" else b""
                found.setdefault((key, party.role, named), (kind, party))
    return found


OTHERS = """
WITH said AS (
 SELECT k.key, k.role, k.named FROM party_key k
 WHERE k.key = ANY($2::bytea[] || $7::bytea[]) AND k.case_id = $1::uuid AND k.record_id <> $8::uuid AND k.finds
  AND k.role IN ('victim', 'respondent') AND (k.kind = 'id' OR k.named <> ''))
SELECT NOT EXISTS (SELECT FROM unnest($2::bytea[], $3::text[], $4::bytea[]) AS o (key, role, named)
  JOIN said s USING (key, role, named))
 AND EXISTS (SELECT FROM cases c, unnest(CASE WHEN $5::bool THEN c.victim_ids END
    || CASE WHEN $6::bool THEN c.respondent_ids END) AS known
  WHERE c.id = $1::uuid AND (NOT known = ANY($7::bytea[]) OR known IN (SELECT key FROM said)))
"""


async def are_others(
    database: Database | Connection,
    case_id: UUID,
    record_id: UUID,
    parties: list[PartyKeys],
    before: Sequence[PartyKeys] = (),
) -> bool:
    """Whether these are not the pair of the case, by what else than this record, as it was `before`, lies in it: an id
    number says so, and nothing that they share. One of the two may be known by a wrong number."""
    known = [bool(ids_of(parties, role)) for role in PAIR]
    if not any(known):
        return False
    keys_, roles, named = map(list, zip(*party_rows(parties), strict=True))
    own = [key for role in PAIR for key in ids_of(before, role)]
    row = await database.fetchrow(OTHERS, case_id, keys_, roles, named, *known, own, record_id)
    return row is not None and bool(row[0])
