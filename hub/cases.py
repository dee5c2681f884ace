"""Cases as writing sees them: open one, and mark what a record changes."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from hub import clock, keys, marks
from hub.casework import TOLD
from hub.db import Connection
from hub.errors import Invalid
from hub.filing import ROUTINE, Filing, Rows, Target, setting, stamps
from hub.ids import new_id
from hub.marks import Said
from hub.models.case import moment, packed, packed_moment
from hub.models.catalogue import ANONYMOUS, KINDS
from hub.models.codes import RiskLevel, Stage, Status
from hub.models.directory import Directory, UnitInfo
from hub.models.fields import CATEGORIES, Stamp
from hub.parties import PAIR, conflict_keys, ids_of, party_rows

LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""What people copy by hand: without 0, 1, I, L, O and U."""


def letters(drawn: int, count: int) -> str:
    """That many letters, each as likely as any other, from 128 random bits, of which the rest is left over."""
    made = ""
    for _ in range(count):
        drawn, place = divmod(drawn, len(LETTERS))
        made += LETTERS[place]
    return made


def number(region_code: str, at: datetime) -> str:
    """A case number: county, year, eight random letters; nothing to count by."""
    return f"{region_code[:6]}-{at.astimezone(clock.CST).year}-{letters(secrets.randbits(128), 8)}"


TARGET = "id AS case_id, ref, key_wrapped, key_id, opened_at, region_code, alert_open"
"""What `target_of` needs of a case."""


def target_of(vault: keys.Vault, row: Any, persons: dict[bytes, UUID] | None = None) -> Target:
    """An existing case as a target, from a row that holds what `TARGET` names."""
    key = vault.case_key(row)
    known = (row["case_id"], row["ref"], row["key_wrapped"], row["key_id"], key, row["opened_at"], row["region_code"])
    return Target(*known, new=False, persons=persons or {}, alert=bool(row.get("alert_open")))


def new_target(vault: keys.Vault, at: datetime, household: UUID | None, persons: dict[bytes, UUID]) -> Target:
    """A case that is to be opened. Cases that share a person share a household."""
    case_id = new_id()
    key, wrapped = vault.new_case_key(case_id)
    ref = vault.pseudonym("case", case_id.bytes)
    return Target(case_id, ref, wrapped, vault.key_id, key, at, "", True, household or new_id(), persons)


@dataclass(slots=True)
class Effects:
    """What a record does to its case."""

    stage: str | None = None
    region_code: str | None = None
    relocated: bool | None = None
    marks: Said = field(default_factory=lambda: Said(set(), set()))
    called: UUID | None = None
    """The unit on duty, for a report that came to a case that was there: its intake reads who reported."""
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
    open_origin = not kind.reports
    effects = Effects(
        stage=kind.stage,
        relocated=set_.get(Stamp.relocated),
        marks=marks.said(filing, directory),
        kind=filing.kind if open_origin else ANONYMOUS,
        acting=[filing.unit_id] if open_origin else [],
    )
    if code := set_.get(Stamp.region):
        effects.region_code = known_region(code, directory)
    return effects


def known_region(code: str, directory: Directory) -> str:
    if code not in directory.regions:
        raise Invalid(errors=[{"pointer": "/region", "zh": "区划代码不在区划表中", "en": "unknown region code"}])
    return code


def _check_units(filing: Filing, directory: Directory) -> None:
    """Whoever a record names anew must be there to read it: else `Invalid` points at each code that is not."""
    unknown = []
    for name, stamp in setting(filing.kind):
        if stamp in marks.UNITS and (said := filing.values.get(name)) is not None:
            was, several = filing.was.get(name), isinstance(said, list)
            places = {f"/{name}/{i}": code for i, code in enumerate(said)} if several else {f"/{name}": said}
            before = was if isinstance(was, list) else [was]
            unknown += [p for p, code in places.items() if not directory.serves(code) and code not in before]
    if unknown:
        zh, en = "单位代码不存在，或单位已停用", "unknown unit code, or a unit out of service"
        raise Invalid(errors=[{"pointer": pointer, "zh": zh, "en": en} for pointer in unknown])


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
    row |= {"status": Status.open, "stage": effects.stage or Stage.handling, "risk_level": RiskLevel.unknown}
    row |= {"opened_at": filing.at, "touched": packed([clock.to_micros(filing.made_at or filing.at)] * len(CATEGORIES))}
    row |= {"handler_id": handler.id, "handler_path": handler.path, "handler_area": handler.area}
    row |= {"intake": [handler.id] if intake else [], "alert_open": alert, "relocated": bool(effects.relocated)}
    row |= {"reporting_unit_id": reporting, "household_id": target.household, "involved": involved}
    row |= {"kinds": f'"{effects.kind}"', "acting": ",".join(map(str, effects.acting or [handler.id]))}
    row |= {"key_wrapped": target.wrapped, "key_id": target.key_id}
    rows.insert("cases", row | _keys_of(filing))
    marks.settle(rows, filing, target, effects.marks)
    above = [directory.codes[code].id for code in handler.path.split("/") if code in directory.codes]
    _link(rows, target, [*involved, *effects.marks.units, *above], directory)


def _keys_of(filing: Filing) -> dict[str, list[bytes]]:
    """What of its parties' keys a case holds itself: who is in conflict, and whose id number is known, if it is proven.

    A report about a case that was there puts nobody in conflict but by the id numbers of the two. With the number that
    called him, anybody could have an officer taken for a party, who then found her case no more. So with a report by
    duty, else who finds it no more would know of which kind it was.
    """
    ids = {f"{role}_ids": ids_of(filing.parties, role) for role in PAIR}
    barred = [*chain(*ids.values())] if filing.tells else conflict_keys(filing.parties)
    return {"party_keys": barred} | (ids if filing.proven else {name: [] for name in ids})


_PLACES = {"id": "uuid", "changed": "int[]", "at": "bytea", "unit": "uuid", "called": "uuid", "joins": "bool"}
_PLACES |= {"acts": "bool", "kind": "text", "stage": "text", "relocated": "bool"}
_PLACES |= {"party_keys": "bytea[]", "victim_ids": "bytea[]", "respondent_ids": "bytea[]"}
_PLACES |= {"handed_over": "bool", "answered": "bool", "near": "bool", "new": "bool", "told": "bool"}
_SQL = {name: f"${i}::{cast}" for i, (name, cast) in enumerate(_PLACES.items(), 1)}
_SQL["called_in"] = "({called} IS NOT NULL AND NOT {called} = ANY(involved))".format(**_SQL)
"""Whether the unit on duty is called in now: where it works already, it has nothing to be called to."""
_SQL["too_late"] = "{told} AND (sealed_by IS NOT NULL OR status <> 'open' AND {called} IS NOT NULL)".format(**_SQL)
"""Whether a report, or what is added to one, comes to a case that has ended since it was looked up: nobody on duty
would find it. An alert is then what the CHECK does not allow."""
_SQL["left_to"] = "CASE WHEN {handed_over} THEN array_remove(intake, {unit}) ELSE intake END".format(**_SQL)

UPDATE = """
UPDATE cases SET
 touched = (SELECT string_agg(CASE WHEN i = ANY({changed}) THEN GREATEST(part, {at}) ELSE part END, '' ORDER BY i)
            FROM generate_series(0, octet_length(touched) / 8 - 1) i, substr(touched, 8 * i + 1, 8) part),
 involved = CASE WHEN {unit} = ANY(involved) OR NOT {joins} THEN involved ELSE involved || {unit} END
   || CASE WHEN {called_in} THEN ARRAY[{called}] END,
 acting = CASE WHEN {acts} AND strpos(acting, {unit}::text) = 0 THEN concat_ws(',', NULLIF(acting, ''), {unit})
   ELSE acting END,
 kinds = CASE WHEN strpos(kinds, {kind}) > 0 THEN kinds ELSE concat_ws(',', NULLIF(kinds, ''), {kind}) END,
 stage = CASE status WHEN 'open' THEN COALESCE({stage}, stage) ELSE stage END,
 relocated = relocated OR COALESCE({relocated}, FALSE),
 party_keys = ARRAY(SELECT DISTINCT unnest(party_keys || {party_keys})),
 victim_ids = ARRAY(SELECT DISTINCT unnest(victim_ids || {victim_ids})),
 respondent_ids = ARRAY(SELECT DISTINCT unnest(respondent_ids || {respondent_ids})),
 intake = {left_to} || CASE WHEN {called} IS NOT NULL AND NOT {called} = ANY({left_to}) THEN ARRAY[{called}] END,
 alert_open = {called_in} AND ({new} OR status = 'open' AND sealed_by IS NULL) OR {too_late}
   OR alert_open AND NOT ({answered} AND ({near} OR {unit} = ANY(intake)))
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
    """Mark on an existing case what this record changes. A refusal of a referral does not involve the unit: it is
    linked, since it finds its reply, and not shown as one that works on it.

    Only the unit on duty takes over from its intake; it answers an alert, or other police of the place do. A record
    that alerts finds the case as it was a moment ago: if it ended since, that is a conflict (`cases_alert_open`).
    """
    works = joins and not effects.marks.refuses
    stamped = set(changed) | ({ROUTINE} if new_record else set())
    at = packed_moment(clock.to_micros(filing.made_at or filing.at))
    values: dict[str, Any] = {"id": target.id, "changed": sorted(stamped), "at": at, "unit": filing.unit_id}
    values |= {"called": effects.called, "joins": works}
    values |= {"acts": bool(effects.acting) and works, "kind": f'"{effects.kind}"'}
    values["stage"] = None if effects.stage == Stage.received else effects.stage  # a case does not begin again
    values["relocated"] = effects.relocated
    values |= _keys_of(filing) | {"handed_over": handed_over, "answered": answered, "new": new_record}
    values["told"] = KINDS[filing.kind].reports and new_record
    values["near"] = directory.covers(filing.unit_id, target.region)
    rows.change(UPDATE, *(values[name] for name in _PLACES))
    marks.settle(rows, filing, target, effects.marks)
    called = [effects.called] if effects.called else []
    _link(rows, target, [*([filing.unit_id] if joins else []), *effects.marks.units, *called], directory)


UNNAME = """
DELETE FROM party_key WHERE case_id = $1::uuid AND record_id = $2::uuid
 AND (key, role, named) IN (SELECT * FROM unnest($3::bytea[], $4::text[], $5::bytea[]))
"""
_STILL = "ARRAY(SELECT k FROM unnest({0}) k WHERE NOT k = ANY($2::bytea[]) OR EXISTS (SELECT FROM party_key p"
_STILL += " LEFT JOIN record r ON r.id = p.record_id AND r.current WHERE p.key = k AND p.case_id = cases.id AND {1}))"
_BARS = "p.role <> 'reporter' AND (r.kind IS NULL OR r.lead OR NOT r.kind IN ({}) OR p.kind = 'id' AND p.role IN {})"
_PARTS = {f"{role}_ids": f"p.role = '{role}' AND p.finds" for role in PAIR}
_PARTS["party_keys"] = _BARS.format(TOLD, PAIR)
_LEFT = ", ".join(f"{column} = {_STILL.format(column, roles)}" for column, roles in _PARTS.items())
FORGET = f"UPDATE cases SET {_LEFT} WHERE id = $1::uuid"


def drop_parties(rows: Rows, filing: Filing, target: Target) -> None:
    """Whom this version names no more is a party only if another record says so: else a woman named by mistake would
    find her own records in the case of the other, and who was taken for a party would never read it."""
    if gone := party_rows(filing.before).keys() - party_rows(filing.parties).keys():
        keys_, roles, named = map(list, zip(*sorted(gone), strict=True))
        rows.follow(UNNAME, target.id, filing.record_id, keys_, roles, named)
        rows.follow(FORGET, target.id, keys_)


def _link(rows: Rows, target: Target, units: list[UUID], directory: Directory) -> None:
    """Units that may have to do with a case."""
    for unit in dict.fromkeys(units):
        row = _linked(unit, target.id, target.opened_at, target.region, directory)
        rows.insert("case_unit", row, known=not target.new)


def _linked(unit: UUID, case_id: UUID, opened_at: datetime, region: str, directory: Directory) -> dict[str, Any]:
    """A row of `case_unit`, which says too whether the case lies outside the unit's area."""
    return {"unit_id": unit, "opened_at": opened_at, "case_id": case_id, "outside": not directory.covers(unit, region)}


HAND_OVER = f"""
WITH moved AS (
 UPDATE cases SET
  intake = array_remove(intake, $2::uuid) || CASE WHEN NOT $3::uuid = ANY(intake) THEN ARRAY[$3::uuid] END,
  involved = involved || CASE WHEN NOT $3::uuid = ANY(involved) THEN ARRAY[$3::uuid] END,
  touched = overlay(touched PLACING GREATEST($4::bytea, {moment(ROUTINE, "cases")}) FROM {8 * ROUTINE + 1})
 WHERE id = $1::uuid AND $2::uuid = ANY(intake) RETURNING id)
INSERT INTO change (record_id, version, case_id, categories, at)
 SELECT r.id, r.version, r.case_id, '{{{ROUTINE}}}', $5::timestamptz
 FROM moved JOIN record r ON r.case_id = moved.id WHERE r.current AND r.lead
"""
"""For whoever pulls what changed, the case has changed: the unit on duty now has to see it."""


async def hand_over(connection: Connection, directory: Directory, unit: UUID) -> list[UUID]:
    """Reports that wait for a unit which is no more go to whoever is on duty for their place now, if anybody is. What
    the log calls the cases that did."""
    sql = "SELECT id, ref, region_code, opened_at FROM cases WHERE $1::uuid = ANY(intake)"
    waiting, rows, moved, now = await connection.fetch(sql, unit), Rows(), list[UUID](), clock.now()
    at = packed_moment(clock.to_micros(now))
    for row in waiting:
        duty = directory.duty_unit(row["region_code"])
        if duty is not None and duty.id != unit:
            link = _linked(duty.id, row["id"], row["opened_at"], row["region_code"], directory)
            rows.insert("case_unit", link, known=True)
            rows.change(HAND_OVER, row["id"], unit, duty.id, at, now)
            moved.append(row["ref"])
    await rows.write(connection)
    return moved
