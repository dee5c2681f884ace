"""How cases and records look in answers: JSON bytes, joined from what was opened. Nothing is decided here."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

import orjson

from hub.clock import from_micros
from hub.models.catalogue import ANONYMOUS, KINDS, fields_of
from hub.models.codes import RiskLevel, Stage, Status
from hub.models.directory import Directory
from hub.models.fields import INDEX, mask_text
from hub.models.party import Child

CLEAR, MASKED = 2, 1
ROUTINE = INDEX["routine"]
STATUSES, STAGES, RISKS = ({word.value: word.zh for word in words} for words in (Status, Stage, RiskLevel))
Row = Mapping[str, Any]


def touched_at(row: Row, outcomes: Sequence[int]) -> datetime:
    """The newest change that this caller can see: changes in withheld categories leave no trace."""
    return from_micros(max(compress(row["touched"], outcomes)))


def case_head(row: Row, outcomes: Sequence[int], directory: Directory, own_kinds: Sequence[str]) -> bytes:
    """The `routine` part of a case, in the form its outcome allows, without the closing brace."""
    head: dict[str, Any] = {"id": str(row["case_id"])}
    if outcomes[ROUTINE]:
        head |= {"status": row["status"], "status_text": STATUSES[row["status"]]}
    if outcomes[ROUTINE] == CLEAR:
        units = [directory.shown(unit) for unit in row["acting"]]
        region = row["region_code"][:9].ljust(12, "0")
        head |= {
            "number": row["number"],
            "stage": row["stage"],
            "stage_text": STAGES[row["stage"]],
            "risk_level": row["risk_level"],
            "risk_text": RISKS[row["risk_level"]],
            "region": region,
            "place": directory.place_name(region),
            "opened_at": row["opened_at"],
            "updated_at": touched_at(row, outcomes),
            "units": [unit for unit in units if unit],
            "kinds": row["kinds"],
        }
    elif outcomes[ROUTINE] == MASKED:
        head["kinds"] = sorted(own_kinds)
    return orjson.dumps(head, option=orjson.OPT_UTC_Z)[:-1]


def record_head(row: Row, directory: Directory, *, authored: bool, kind: str) -> dict[str, Any]:
    """Identity of a record, under the kind that the caller is shown; an anonymous one shows no unit."""
    unit = directory.shown(row["unit_id"]) if kind == row["kind"] else None
    head = {"id": str(row["id"]), "case_id": str(row["case_id"]), "kind": kind, "title": KINDS[kind].title}
    return head | {"unit": unit, "at": row["at"], "authored": authored}


def _told() -> dict[str, str]:
    """Fields of an anonymous report with their categories, in the order in which answers hold them."""
    infos = sorted(fields_of(KINDS[ANONYMOUS]), key=lambda info: INDEX[info.category])
    return {info.name: info.category for info in infos}


TOLD = _told()


def anonymised(row: Row, members: bytes, outcomes: Sequence[int], directory: Directory) -> bytes:
    """The fields of a record whose origin is secret, as an anonymous report would hold them.

    Every report says where, so the case's county stands for a place that this one does not give.
    """
    values: dict[str, Any] = orjson.loads(b"{%b}" % members)
    told: dict[str, Any] = {}
    child: dict[str, Any] = {}
    place = directory.place_name(row["region_code"][:6].ljust(12, "0"))
    if where := outcomes[INDEX["whereabouts"]]:
        told["place"] = place if where == CLEAR else mask_text(place)
    for info in fields_of(KINDS[row["kind"]]):
        name = info.told_as or (info.name if TOLD.get(info.name) == info.category else "")
        if name and info.name in values:
            (child if name.startswith("children.") else told)[name.removeprefix("children.")] = values[info.name]
    if child:
        in_order = {info.name: child[info.name] for info in fields_of(Child) if info.name in child}
        told["children"] = [*told.get("children", []), in_order]
    return orjson.dumps({name: told[name] for name in TOLD if name in told})[1:-1]


def close_record(head: dict[str, Any], members: bytes, tail: bytes = b"") -> bytes:
    """Head, fields, and the categories masked and withheld."""
    start = orjson.dumps(head, option=orjson.OPT_UTC_Z)[:-1]
    return b'%b,"fields":{%b}%b}' % (start, members, b"," + tail if tail else b"")


def merged(parts: Sequence[bytes]) -> bytes:
    """Fields of records whose existence the caller may not know, newest value last and winning."""
    values: dict[str, Any] = {}
    for part in parts:
        values |= orjson.loads(b"{%b}" % part)
    return orjson.dumps(values)
