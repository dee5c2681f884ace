"""Cases as writing sees them: open one, and mark what a record changes."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from hub import clock, keys
from hub.errors import Invalid
from hub.filing import PAIR, ROUTINE, Filing, Rows, Target, conflict_keys, ids_of, setting, stamps
from hub.models.case import packed, packed_moment
from hub.models.catalogue import ANONYMOUS, KINDS
from hub.models.codes import Stage, Status
from hub.models.directory import Directory, UnitInfo
from hub.models.fields import CATEGORIES, Stamp

LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""What people copy by hand: none looks like another."""


def letters(count: int) -> str:
    """That many letters, each as likely as any other, from one draw."""
    drawn, made = secrets.randbelow(len(LETTERS) ** count), ""
    for _ in range(count):
        drawn, place = divmod(drawn, len(LETTERS))
        made += LETTERS[place]
    return made


def number(region_code: str, at: datetime) -> str:
    """A case number: county, year, eight random letters; nothing to count by."""
    return f"{region_code[:6]}-{at.year}-{letters(8)}"


TARGET = "id AS case_id, ref, key_wrapped, key_id, opened_at, region_code"
"""What `target_of` needs of a case."""


def target_of(vault: keys.Vault, row: Any, persons: dict[bytes, UUID] | None = None) -> Target:
    """An existing case as a target, from a row that holds what `TARGET` names."""
    key = vault.case_key(row["case_id"], row["key_wrapped"], row["key_id"])
    known = (row["case_id"], row["ref"], row["key_wrapped"], row["key_id"], key, row["opened_at"], row["region_code"])
    return Target(*known, new=False, persons=persons or {})


def new_target(vault: keys.Vault, at: datetime, household: UUID | None, persons: dict[bytes, UUID]) -> Target:
    """A case that is to be opened. Cases that share a person share a household."""
    case_id = uuid4()
    key, wrapped = vault.new_case_key(case_id)
    ref = vault.pseudonym("case", case_id.bytes)
    return Target(case_id, ref, wrapped, vault.key_id, key, at, "", True, household or uuid4(), persons)


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
    unnamed: list[UUID] = field(default_factory=list)
    unreferred: list[UUID] = field(default_factory=list)
    """Units that the version before named or referred to, and this one does not."""
    kind: str = ""
    acting: list[UUID] = field(default_factory=list)


def effects_of(filing: Filing, directory: Directory) -> Effects:
    """Read the stamps; unit and region codes must exist, else `Invalid` names the field.

    A version sets what it changed of them and nothing else: else a word corrected in an old assessment would take the
    case back to the risk of that day.
    """
    _check_units(filing, directory)
    kind, said, before = KINDS[filing.kind], *(stamps(filing.kind, values) for values in (filing.values, filing.was))
    set_ = {stamp: value for stamp, value in said.items() if before.get(stamp) != value}
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
    if before.get(Stamp.reporter_confirmed) and Stamp.reporter_confirmed not in said:
        effects.reporter_confirmed = False  # what is no longer said is taken back
    if set_.get(Stamp.closed):
        effects.status, effects.stage = Status.closed.value, Stage.closed.value
    elif before.get(Stamp.closed) and not said.get(Stamp.closed):  # closed by mistake
        effects.status, effects.stage = Status.open.value, Stage.handling.value
    if code := set_.get(Stamp.region):
        effects.region_code = known_region(code, directory)
    effects.named, effects.unnamed = _moved(before.get(Stamp.named, []), said.get(Stamp.named, []), directory)
    once, now = ([s[Stamp.referred]] if Stamp.referred in s else [] for s in (before, said))
    effects.referred, effects.unreferred = _moved(once, now, directory)
    return effects


def _moved(before: list[str], now: list[str], directory: Directory) -> tuple[list[UUID], list[UUID]]:
    """The units that came, and those that went, as far as they are still known."""
    old, new = (
        [directory.codes[code].id for code in dict.fromkeys(s) if code in directory.codes] for s in (before, now)
    )
    return [unit for unit in new if unit not in old], [unit for unit in old if unit not in new]


def known_region(code: str, directory: Directory) -> str:
    if code not in directory.regions:
        raise Invalid(errors=[{"pointer": "/region", "zh": "区划代码不在区划表中", "en": "unknown region code"}])
    return code


def _check_units(filing: Filing, directory: Directory) -> None:
    """Whoever a record names must be known: else `Invalid` points at each code that is not."""
    unknown = []
    for name, stamp in setting(filing.kind):
        if stamp in (Stamp.named, Stamp.referred) and (said := filing.values.get(name)) is not None:
            places = (
                {f"/{name}/{i}": code for i, code in enumerate(said)} if isinstance(said, list) else {f"/{name}": said}
            )
            unknown += [place for place, code in places.items() if code not in directory.codes]
    if unknown:
        raise Invalid(errors=[{"pointer": p, "zh": "单位代码不存在", "en": "unknown unit code"} for p in unknown])


def add_case(
    rows: Rows,
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
    """A new case, and the units that may have to do with it."""
    involved = list(dict.fromkeys([handler.id, *effects.acting, *([reporting] if reporting else [])]))
    row: dict[str, Any] = {"id": target.id, "ref": target.ref, "number": number(region_code, filing.at)}
    row["region_code"] = target.region = region_code
    row |= {"status": effects.status or Status.open.value, "stage": effects.stage or Stage.handling.value}
    row |= {"risk_level": effects.risk_level or "unknown", "relocated": bool(effects.relocated)}
    row |= {"reporter_confirmed": bool(effects.reporter_confirmed)}
    row |= {"opened_at": filing.at, "touched": packed([clock.to_micros(filing.at)] * len(CATEGORIES))}
    row |= {"handler_id": handler.id, "handler_path": handler.path, "handler_area": handler.area}
    row |= {"duty_unit_id": handler.id if intake else None, "intake_open": intake, "alert_open": alert}
    row |= {"sealed_by": filing.unit_id if effects.sealed else None}
    row |= {"reporting_unit_id": reporting, "household_id": target.household, "involved": involved}
    row |= {"referred": effects.referred, "named": effects.named, "kinds": f'"{effects.kind}"'}
    row |= {"acting": ",".join(map(str, effects.acting or [handler.id]))}
    row |= {"key_wrapped": target.wrapped, "key_id": target.key_id}
    row |= _keys_of(filing)
    rows.insert("cases", row)
    above = [directory.codes[code].id for code in handler.path.split("/") if code in directory.codes]
    _link(rows, target, [*involved, *effects.referred, *effects.named, *above], directory)


def _keys_of(filing: Filing) -> dict[str, list[bytes]]:
    """What of its parties' keys a case holds itself: who is in conflict, and whose id number is known."""
    ids = {f"{role}_ids": ids_of(filing.parties, role) for role in PAIR}
    return {"party_keys": conflict_keys(filing.parties)} | ids


_PLACES = {"id": "uuid", "changed": "int[]", "at": "bytea", "unit": "uuid", "called": "uuid", "joins": "bool"}
_PLACES |= {"acts": "bool", "kind": "text", "stage": "text", "risk": "text", "status": "text", "relocated": "bool"}
_PLACES |= {"confirmed": "bool", "sealed": "bool", "named": "uuid[]", "accepted": "bool", "referred": "uuid[]"}
_PLACES |= {"party_keys": "bytea[]", "victim_ids": "bytea[]", "respondent_ids": "bytea[]"}
_PLACES |= {"handed_over": "bool", "answered": "bool", "near": "bool", "unnamed": "uuid[]", "unreferred": "uuid[]"}
_SQL = {name: f"${i}::{cast}" for i, (name, cast) in enumerate(_PLACES.items(), 1)}
_SQL["called_in"] = "({called} IS NOT NULL AND NOT {called} = ANY(involved))".format(**_SQL)
"""Whether the unit on duty is called in now: where it works already, it has nothing to be called to."""
_SQL["on_duty"] = "COALESCE(duty_unit_id = {unit}, FALSE)".format(**_SQL)
_SQL["waiting"] = "CASE WHEN {accepted} IS NULL THEN referred ELSE array_remove(referred, {unit}) END".format(**_SQL)


def _without(units: str, went: str) -> str:
    """Units less those that went: `named` and `referred` hold a unit once for each record that says so."""
    counted = f"SELECT u, row_number() OVER (PARTITION BY u) AS n FROM unnest({units}) u"
    return f"ARRAY(SELECT u FROM ({counted}) h WHERE n > 1 OR NOT u = ANY({went}))"


_SQL["still_named"] = _without("named", _SQL["unnamed"])
_SQL["still_referred"] = _without(_SQL["waiting"], _SQL["unreferred"])
UPDATE = """
UPDATE cases SET
 touched = (SELECT string_agg(CASE WHEN i = ANY({changed}) THEN GREATEST(part, {at}) ELSE part END, '' ORDER BY i)
            FROM generate_series(0, octet_length(touched) / 8 - 1) i, substr(touched, 8 * i + 1, 8) part),
 involved = CASE WHEN {unit} = ANY(involved) OR NOT {joins} THEN involved ELSE involved || {unit} END
   || CASE WHEN {called_in} THEN ARRAY[{called}] END,
 duty_unit_id = CASE WHEN {called_in} THEN {called} ELSE duty_unit_id END,
 acting = CASE WHEN {acts} AND strpos(acting, {unit}::text) = 0 THEN concat_ws(',', NULLIF(acting, ''), {unit})
   ELSE acting END,
 kinds = CASE WHEN strpos(kinds, {kind}) > 0 THEN kinds ELSE concat_ws(',', NULLIF(kinds, ''), {kind}) END,
 stage = CASE WHEN status = 'closed' AND {status} IS NULL THEN stage ELSE COALESCE({stage}, stage) END,
 risk_level = COALESCE({risk}, risk_level),
 status = COALESCE({status}, status), relocated = relocated OR COALESCE({relocated}, FALSE),
 reporter_confirmed = COALESCE({confirmed}, reporter_confirmed),
 sealed_by = CASE WHEN {sealed} THEN {unit} WHEN NOT {sealed} THEN NULL ELSE sealed_by END,
 named = {still_named} || {named},
 referred = {still_referred} || {referred},
 party_keys = ARRAY(SELECT DISTINCT unnest(party_keys || {party_keys})),
 victim_ids = ARRAY(SELECT DISTINCT unnest(victim_ids || {victim_ids})),
 respondent_ids = ARRAY(SELECT DISTINCT unnest(respondent_ids || {respondent_ids})),
 intake_open = {called_in} OR intake_open AND NOT ({handed_over} AND {on_duty}),
 alert_open = {called_in} OR alert_open AND NOT ({answered} AND ({near} OR {on_duty}))
WHERE id = {id}
""".format(**_SQL)


def touch_case(
    rows: Rows,
    target: Target,
    filing: Filing,
    effects: Effects,
    changed: list[int],
    directory: Directory,
    *,
    handed_over: bool = False,
    answered: bool = False,
    new_record: bool = False,
    joins: bool = True,
) -> None:
    """Mark on an existing case what this record changes. A refusal of a referral does not involve the unit.

    Only the unit on duty takes over from its intake; it answers an alert, or other police of the place do.
    """
    stamped = set(changed) | ({ROUTINE} if new_record or _routine(effects) else set())
    at = packed_moment(clock.to_micros(filing.made_at or filing.at))
    values: dict[str, Any] = {"id": target.id, "changed": sorted(stamped), "at": at, "unit": filing.unit_id}
    values |= {"called": effects.called, "joins": joins and effects.accepted is not False}
    values |= {"acts": bool(effects.acting), "kind": f'"{effects.kind}"', "stage": effects.stage}
    values |= {"risk": effects.risk_level, "status": effects.status, "relocated": effects.relocated}
    values |= {"confirmed": effects.reporter_confirmed, "sealed": effects.sealed, "named": effects.named}
    values |= {"accepted": effects.accepted, "referred": effects.referred}
    values |= {"unnamed": effects.unnamed, "unreferred": effects.unreferred}
    values |= _keys_of(filing) | {"handed_over": handed_over, "answered": answered}
    values["near"] = directory.covers(filing.unit_id, target.region)
    rows.change(UPDATE, *(values[name] for name in _PLACES))
    called = [effects.called] if effects.called else []
    _link(rows, target, [*([filing.unit_id] if joins else []), *effects.named, *effects.referred, *called], directory)


def _link(rows: Rows, target: Target, units: list[UUID], directory: Directory) -> None:
    """Units that may have to do with a case, and whether it lies outside their area."""
    for unit in dict.fromkeys(units):
        row = {"unit_id": unit, "opened_at": target.opened_at, "case_id": target.id}
        row["outside"] = not directory.covers(unit, target.region)
        rows.insert("case_unit", row, known=not target.new)


def _routine(effects: Effects) -> bool:
    return any((effects.risk_level, effects.status))
