"""Cases as writing sees them: find the one a record belongs to, open one, and mark what a record changes."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from hub import clock, keys
from hub.db import Connection
from hub.errors import Invalid
from hub.filing import ROUTINE, Filing, Statement, Target, conflict_keys, matching, stamps
from hub.models.case import packed
from hub.models.catalogue import ANONYMOUS, KINDS
from hub.models.codes import Stage, Status
from hub.models.directory import Directory, UnitInfo
from hub.models.fields import CATEGORIES, Stamp

_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

PAIR = ("victim", "respondent")
FIND = """
SELECT
 (SELECT array_agg(k.key || uuid_send(k.person_id)) FROM party_key k
   WHERE k.key = ANY($1::bytea[]) AND k.kind IN ('id', 'phone_name')) AS persons,
 (SELECT h.household_id FROM party_key k JOIN cases h ON h.id = k.case_id
   WHERE k.key = ANY($1::bytea[]) AND k.kind IN ('id', 'phone_name') AND k.role <> 'reporter'
     AND h.household_id IS NOT NULL LIMIT 1) AS household,
 i.digest, i.answer, c.*
FROM (SELECT) one
LEFT JOIN idempotency_key i ON i.key_hash = $2
LEFT JOIN LATERAL (
  SELECT id, ref, key_wrapped, key_id FROM (
    SELECT * FROM cases WHERE id IN (
      SELECT v.case_id FROM party_key v JOIN party_key r USING (case_id)
      WHERE v.key = ANY($3::bytea[]) AND v.role = 'victim' AND r.key = ANY($4::bytea[]) AND r.role = 'respondent')
    OFFSET 0) cases
  WHERE status = 'open' AND sealed_by IS NULL AND NOT party_keys && $5::bytea[]
    AND COALESCE((SELECT bool_or(o.key = ANY($6::bytea[])) FROM party_key o WHERE o.case_id = cases.id
                  AND o.role = 'victim' AND o.kind = 'id' AND cardinality($6::bytea[]) > 0), TRUE)
    AND COALESCE((SELECT bool_or(o.key = ANY($7::bytea[])) FROM party_key o WHERE o.case_id = cases.id
                  AND o.role = 'respondent' AND o.kind = 'id' AND cardinality($7::bytea[]) > 0), TRUE)
    AND ($8::uuid IS NULL OR involved @> ARRAY[$8::uuid])
  ORDER BY opened_at LIMIT 1) c ON TRUE
"""


def number(region_code: str, at: datetime) -> str:
    """A case number: county, year, eight random letters; nothing to count by."""
    return f"{region_code[:6]}-{at.year}-{''.join(secrets.choice(_LETTERS) for _ in range(8))}"


async def find(
    connection: Connection,
    vault: keys.Vault,
    filing: Filing,
    key_hash: bytes,
    own: tuple[bytes, ...],
    duty: UnitInfo | None = None,
) -> tuple[Target | None, Any]:
    """The open case with the same victim and respondent, never one in conflict with the caller.

    Phone with name counts only while no id number contradicts it: two people may share a name and a phone.
    A report joins only a case on which the unit on `duty` for its place works: else that unit would not learn of it.
    """
    victims, respondents = matching(filing.parties, "victim"), matching(filing.parties, "respondent")
    known = [k for p in filing.parties for n, k in p.keys.items() if n in ("id", "phone_name")]
    ids = [[p.keys["id"] for p in filing.parties if p.role == role and "id" in p.keys] for role in PAIR]
    on_duty = duty.id if duty is not None else None
    row = await connection.fetchrow(FIND, known, key_hash, victims, respondents, list(own), *ids, on_duty)
    persons = {bytes(pair[:16]): UUID(bytes=bytes(pair[16:])) for pair in row["persons"] or []}
    if row["id"] is None:
        return None, (row, persons)
    return target_of(vault, row, persons), (row, persons)


def target_of(vault: keys.Vault, row: Any, persons: dict[bytes, UUID] | None = None) -> Target:
    """An existing case as a target."""
    key = vault.case_key(row["id"], row["key_wrapped"], row["key_id"])
    return Target(row["id"], row["ref"], row["key_wrapped"], row["key_id"], key, False, None, persons or {})


def new_target(vault: keys.Vault, household: UUID | None, persons: dict[bytes, UUID]) -> Target:
    case_id = uuid4()
    key, wrapped = vault.new_case_key(case_id)
    ref = vault.pseudonym("case", case_id.bytes)
    return Target(case_id, ref, wrapped, vault.key_id, key, True, household, persons)


def ordered_id() -> UUID:
    """For what is named inside the hub alone: in order of time, so that an index grows at one end."""
    return UUID(bytes=clock.micros().to_bytes(8, "big") + secrets.token_bytes(8))


@dataclass(slots=True)
class Effects:
    """What a record does to its case."""

    stage: str | None = None
    risk_level: str | None = None
    region_code: str | None = None
    status: str | None = None
    relocated: bool | None = None
    sealed: bool | None = None
    accepted: bool | None = None
    reporter_confirmed: bool | None = None
    called: UUID | None = None
    """The unit on duty, for a report that came to a case on which it does not work yet."""
    named: list[UUID] = field(default_factory=list)
    referred: list[UUID] = field(default_factory=list)
    kind: str = ""
    acting: list[UUID] = field(default_factory=list)


def effects_of(filing: Filing, directory: Directory) -> Effects:
    """Read the stamps; unit and region codes must exist, else `Invalid` names the field."""
    kind, set_ = KINDS[filing.kind], stamps(filing.kind, filing.values)
    open_origin = kind.origin == "routine" and kind.public
    effects = Effects(
        stage=kind.stage.value if kind.stage else None,
        risk_level=set_.get(Stamp.risk_level),
        relocated=set_.get(Stamp.relocated),
        sealed=set_.get(Stamp.sealed),
        accepted=set_.get(Stamp.accepted),
        reporter_confirmed=set_.get(Stamp.reporter_confirmed),
        kind=filing.kind if open_origin else ANONYMOUS,
        acting=[filing.unit_id] if open_origin else [],
    )
    if set_.get(Stamp.closed):
        effects.status, effects.stage = Status.closed.value, Stage.closed.value
    if code := set_.get(Stamp.region):
        effects.region_code = known_region(code, directory)
    effects.named = _unit_ids(set_.get(Stamp.named, []), directory)
    effects.referred = _unit_ids([set_[Stamp.referred]] if Stamp.referred in set_ else [], directory)
    return effects


def known_region(code: str, directory: Directory) -> str:
    if code not in directory.regions:
        raise Invalid(errors=[{"pointer": "/region", "zh": "区划代码不在区划表中", "en": "unknown region code"}])
    return code


def _unit_ids(codes: list[str], directory: Directory) -> list[UUID]:
    if any(code not in directory.codes for code in codes):
        raise Invalid(errors=[{"pointer": "/", "zh": "单位代码不存在", "en": "unknown unit code"}])
    return [directory.codes[code].id for code in codes]


def add_case(
    statement: Statement,
    target: Target,
    filing: Filing,
    effects: Effects,
    handler: UnitInfo,
    region_code: str,
    directory: Directory,
    *,
    alert: bool = False,
    intake: bool = False,
    reporting: UUID | None = None,
) -> None:
    """A new case, with its household when no known person brings one."""
    household = target.household or ordered_id()
    if target.household is None:
        statement.insert("household", {"id": household, "opened_at": filing.at})
    involved = list(dict.fromkeys([handler.id, *effects.acting, *([reporting] if reporting else [])]))
    row: dict[str, Any] = {"id": target.id, "ref": target.ref, "number": number(region_code, filing.at)}
    row["region_code"] = region_code
    row |= {"status": effects.status or Status.open.value, "stage": effects.stage or Stage.handling.value}
    row |= {"risk_level": effects.risk_level or "unknown", "relocated": bool(effects.relocated)}
    row |= {"reporter_confirmed": bool(effects.reporter_confirmed)}
    row |= {"opened_at": filing.at, "touched": packed([clock.to_micros(filing.at)] * len(CATEGORIES))}
    row |= {"handler_id": handler.id, "handler_path": handler.path, "handler_area": handler.area}
    row |= {"duty_unit_id": handler.id if intake else None, "intake_open": intake, "alert_open": alert}
    row |= {"reporting_unit_id": reporting, "household_id": household, "involved": involved}
    row |= {"referred": effects.referred, "named": effects.named, "acting": effects.acting or [handler.id]}
    row |= {"kinds": [effects.kind], "party_keys": conflict_keys(filing.parties)}
    row |= {"key_wrapped": target.wrapped, "key_id": target.key_id}
    statement.insert("cases", row)
    above = [directory.codes[code].id for code in handler.path.split("/") if code in directory.codes]
    units = list(dict.fromkeys([*involved, *effects.referred, *effects.named, *above]))
    statement.add(
        LINK.format(
            statement.arg(units, "uuid[]"),
            opened=statement.arg(filing.at, "timestamptz"),
            id=statement.arg(target.id, "uuid"),
        )
    )


LINK = """
INSERT INTO case_unit (unit_id, opened_at, case_id) SELECT u, {opened}, {id} FROM unnest({0}) u ON CONFLICT DO NOTHING
"""
LINK_KNOWN = """
INSERT INTO case_unit (unit_id, opened_at, case_id)
SELECT u, c.opened_at, c.id FROM cases c, unnest({0}) u WHERE c.id = {id} ON CONFLICT DO NOTHING
"""
UPDATE = """
UPDATE cases SET
 touched = (SELECT string_agg(CASE WHEN i = ANY({changed}) THEN GREATEST(part, {at}) ELSE part END, '' ORDER BY i)
            FROM generate_series(0, octet_length(touched) / 8 - 1) i, substr(touched, 8 * i + 1, 8) part),
 involved = CASE WHEN {unit} = ANY(involved) OR NOT {joins} THEN involved ELSE involved || {unit} END
   || CASE WHEN {called_in} THEN ARRAY[{called}] END,
 duty_unit_id = CASE WHEN {called_in} THEN {called} ELSE duty_unit_id END,
 acting = CASE WHEN {acts} AND NOT {unit} = ANY(acting) THEN acting || {unit} ELSE acting END,
 kinds = CASE WHEN {kind} = ANY(kinds) THEN kinds ELSE kinds || {kind} END,
 stage = COALESCE({stage}, stage), risk_level = COALESCE({risk}, risk_level),
 status = COALESCE({status}, status), relocated = relocated OR COALESCE({relocated}, FALSE),
 reporter_confirmed = COALESCE({confirmed}, reporter_confirmed),
 sealed_by = CASE WHEN {sealed} THEN {unit} WHEN NOT {sealed} THEN NULL ELSE sealed_by END,
 named = ARRAY(SELECT DISTINCT unnest(named || {named})),
 referred = ARRAY(SELECT DISTINCT unnest(
   CASE WHEN {accepted} IS NULL THEN referred ELSE array_remove(referred, {unit}) END || {referred})),
 party_keys = ARRAY(SELECT DISTINCT unnest(party_keys || {party_keys})),
 intake_open = {called_in} OR intake_open AND NOT {handed_over},
 alert_open = {called_in} OR alert_open AND NOT {answered}
WHERE id = {id}
"""


def touch_case(
    statement: Statement,
    target: Target,
    filing: Filing,
    effects: Effects,
    changed: list[int],
    *,
    handed_over: bool,
    answered: bool,
    new_record: bool,
    joins: bool = True,
) -> None:
    """Mark on an existing case what this record changes. A refusal of a referral does not involve the unit."""
    stamped = set(changed) | ({ROUTINE} if new_record or _routine(effects) else set())
    a = statement.arg
    statement.add(
        UPDATE.format(
            **_called(a(effects.called, "uuid")),
            changed=a(sorted(stamped), "int[]"),
            at=a(clock.to_micros(filing.made_at or filing.at).to_bytes(8, "big"), "bytea"),
            unit=a(filing.unit_id, "uuid"),
            joins=a(joins and effects.accepted is not False, "bool"),
            acts=a(bool(effects.acting), "bool"),
            kind=a(effects.kind, "text"),
            stage=a(effects.stage, "text"),
            risk=a(effects.risk_level, "text"),
            status=a(effects.status, "text"),
            relocated=a(effects.relocated, "bool"),
            confirmed=a(effects.reporter_confirmed, "bool"),
            sealed=a(effects.sealed, "bool"),
            named=a(effects.named, "uuid[]"),
            accepted=a(effects.accepted, "bool"),
            referred=a(effects.referred, "uuid[]"),
            party_keys=a(conflict_keys(filing.parties), "bytea[]"),
            handed_over=a(handed_over, "bool"),
            answered=a(answered, "bool"),
            id=a(target.id, "uuid"),
        )
    )
    _link(statement, target, effects, [filing.unit_id] if joins else [])


def _called(unit: str) -> dict[str, str]:
    """The unit on duty, and whether it is called in now: where it works already, it has nothing to be called to."""
    return {"called": unit, "called_in": f"({unit} IS NOT NULL AND NOT {unit} = ANY(involved))"}


def _link(statement: Statement, target: Target, effects: Effects, units: list[UUID]) -> None:
    """More units that may have to do with a case."""
    many = [*units, *effects.named, *effects.referred, *([effects.called] if effects.called else [])]
    statement.add(LINK_KNOWN.format(statement.arg(many, "uuid[]"), id=statement.arg(target.id, "uuid")))


def _routine(effects: Effects) -> bool:
    return any((effects.risk_level, effects.status))
