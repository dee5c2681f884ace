"""Marks: what the current versions of a case's records say about the case itself, in words that stand on it in clear.

Risk, closing, sealing, who was confirmed, which units are named or referred to: each mark is a row that a version adds
and a later one takes back, and the case has what they say together. So whatever the order in which records are
corrected, it says what their texts say.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hub.clock import to_micros
from hub.filing import ROUTINE, Filing, Rows, Target, setting
from hub.models.case import moment, packed_moment
from hub.models.directory import Directory
from hub.models.fields import Stamp

UNITS = frozenset({Stamp.named, Stamp.referred})
MARKS = UNITS | {Stamp.risk_level, Stamp.accepted, Stamp.sealed, Stamp.closed, Stamp.reporter_confirmed}
BEFORE = UUID(int=0)
"""Stands for whichever records said it before there were marks (schema 0009)."""

_NEWEST = (
    "(SELECT {} FROM mark m WHERE m.case_id = $1::uuid AND m.stamp = '{}' ORDER BY m.at DESC, m.record_id DESC LIMIT 1)"
)
_CLOSED = "EXISTS (SELECT FROM mark m WHERE m.case_id = $1::uuid AND m.stamp = 'closed' AND m.value = 'true')"
_UNITS = "ARRAY(SELECT m.value::uuid FROM mark m WHERE m.case_id = $1::uuid AND m.stamp = '{}'{})"
_WAITING = (
    " AND NOT EXISTS (SELECT FROM mark r WHERE r.case_id = c.id AND r.stamp = 'accepted'"
    " AND r.unit_id = m.value::uuid AND r.said > m.said)"
)
"""A reply answers every referral that was there when it was made."""
SETTLE = f"""
UPDATE cases c SET
 risk_level = s.risk,
 sealed_by = s.sealing,
 reporter_confirmed = COALESCE({_NEWEST.format("m.value = 'true'", "reporter_confirmed")}, FALSE),
 named = {_UNITS.format("named", "")},
 referred = {_UNITS.format("referred", _WAITING)},
 stage = CASE WHEN s.closed THEN 'closed' WHEN status = 'closed' THEN 'handling' ELSE stage END,
 status = CASE WHEN s.closed THEN 'closed' ELSE 'open' END,
 touched = CASE WHEN (s.risk, s.closed, s.sealing IS NULL) IS DISTINCT FROM
   (risk_level, status = 'closed', sealed_by IS NULL)
   THEN overlay(touched PLACING GREATEST($2::bytea, {moment(ROUTINE, "c")}) FROM {8 * ROUTINE + 1}) ELSE touched END
FROM (SELECT COALESCE({_NEWEST.format("m.value", "risk_level")}, 'unknown') AS risk, {_CLOSED} AS closed,
 {_NEWEST.format("CASE m.value WHEN 'true' THEN m.unit_id END", "sealed")} AS sealing) s
WHERE id = $1::uuid
"""
"""Of these, whoever sees the `routine` of a case is shown risk and status: it has changed where they have, and only
there, and where it is sealed no more for those who see it again. A second record that closes a closed case changes
nothing that anybody may see."""
TAKE_BACK = f"""
DELETE FROM mark WHERE case_id = $1::uuid AND record_id IN ($2::uuid, '{BEFORE}')
 AND (stamp, value) IN (SELECT * FROM unnest($3::text[], $4::text[]))
"""

Mark = tuple[Stamp, str]


def marks_of(kind: str, values: dict[str, Any], directory: Directory) -> set[Mark]:
    """What fields of a record say, units by id."""
    made: set[Mark] = set()
    for name, stamp in setting(kind):
        said = values.get(name)
        if stamp not in MARKS or said is None:
            continue
        for one in said if isinstance(said, list) else [said]:
            if stamp not in UNITS:
                made.add((stamp, str(one).lower()))
            elif one in directory.codes:
                made.add((stamp, str(directory.codes[one].id)))
    return made


@dataclass(frozen=True, slots=True)
class Said:
    """What a version says anew, and what it says no more. What it leaves as it was stays as old as it is."""

    new: set[Mark]
    gone: set[Mark]

    @property
    def units(self) -> list[UUID]:
        """Units that it names or refers to."""
        return [UUID(value) for stamp, value in sorted(self.new) if stamp in UNITS]

    @property
    def ends(self) -> bool:
        """It closes or seals the case: whoever was called finds it no more."""
        return any((stamp, "true") in self.new for stamp in (Stamp.closed, Stamp.sealed))

    @property
    def accepts(self) -> bool:
        return (Stamp.accepted, "true") in self.new

    @property
    def refuses(self) -> bool:
        return (Stamp.accepted, "false") in self.new


def said(filing: Filing, directory: Directory) -> Said:
    """A unit that named itself would open to itself what its own part in the case does not."""
    before, now = (marks_of(filing.kind, values, directory) for values in (filing.was, filing.values))
    itself = {(stamp, str(filing.unit_id)) for stamp in UNITS}
    return Said(now - before - itself, before - now)


def settle(rows: Rows, filing: Filing, target: Target, marks: Said) -> None:
    """Write what a version says, and what the case has of it now."""
    row: dict[str, Any] = {"case_id": target.id, "record_id": filing.record_id, "unit_id": filing.unit_id}
    row |= {"at": filing.at, "said": filing.made_at or filing.at}
    for stamp, value in sorted(marks.new):
        rows.insert("mark", {"stamp": stamp.value, "value": value} | row)
    if marks.gone:
        stamps, values = zip(*sorted(marks.gone), strict=True)
        rows.follow(TAKE_BACK, target.id, filing.record_id, list(stamps), list(values))
    if marks.new or marks.gone:
        rows.follow(SETTLE, target.id, packed_moment(to_micros(row["said"])))
