"""How cases and records look in answers: JSON bytes, joined from what was opened. Nothing is decided here."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from hub.clock import from_micros
from hub.models.case import Moments
from hub.models.catalogue import ANONYMOUS, KINDS, fields_of
from hub.models.codes import RiskLevel, Stage, Status
from hub.models.directory import Directory
from hub.models.fields import INDEX, mask_text
from hub.models.party import Child
from hub.models.sealed import IN_ORDER

CLEAR, MASKED = 2, 1
STATUSES, STAGES, RISKS = ({word.value: word.zh for word in words} for words in (Status, Stage, RiskLevel))
NAMED = {kind: orjson.dumps({"kind": kind, "title": model.title})[1:-1] for kind, model in KINDS.items()}
Row = Mapping[str, Any]


def moment(at: datetime) -> bytes:
    """A time as answers hold it, in JSON."""
    return orjson.dumps(at, option=orjson.OPT_UTC_Z)


@lru_cache
def _words(status: str, stage: str, risk: str) -> bytes:
    """The closed words of a case, without braces."""
    words = {"stage": stage, "stage_text": STAGES[stage], "risk_level": risk, "risk_text": RISKS[risk]}
    return b"%b,%b" % (_status(status), orjson.dumps(words)[1:-1])


@lru_cache
def _status(status: str) -> bytes:
    return orjson.dumps({"status": status, "status_text": STATUSES[status]})[1:-1]


def case_head(
    row: Row,
    case_id: bytes,
    opened: bytes,
    routine: int,
    moments: Moments,
    directory: Directory,
    own_kinds: Sequence[str],
) -> bytes:
    """The `routine` part of a case, in the form its outcome allows, without the closing brace. `moments` unpacks when
    what the caller may see was touched: changes in withheld categories leave no trace."""
    if routine == CLEAR:
        return b'{"id":"%b",%b,%b,"number":"%b","opened_at":%b,"updated_at":%b,"kinds":[%b],"units":[%b]' % (
            case_id,
            _words(row["status"], row["stage"], row["risk_level"]),
            directory.place(row["region_code"]),
            row["number"].encode(),
            opened,
            moment(from_micros(max(moments(row["touched"])))),
            row["kinds"].encode(),
            directory.several(row["acting"]),
        )
    if routine == MASKED:
        return b'{"id":"%b",%b,"kinds":%b' % (case_id, _status(row["status"]), orjson.dumps(sorted(own_kinds)))
    return b'{"id":"%b"' % case_id


def record_head(row: Row, case_id: bytes, at: bytes, directory: Directory, *, authored: bool, kind: str) -> bytes:
    """Identity of a record, under the kind that the caller is shown; an anonymous one shows no unit."""
    unit = directory.shown(row["unit_id"]) if kind == row["kind"] else None
    return b'{"id":"%b","case_id":"%b",%b,"unit":%b,"at":%b,"authored":%b' % (
        str(row["id"]).encode(),
        case_id,
        NAMED[kind],
        unit or b"null",
        at,
        b"true" if authored else b"false",
    )


def _told() -> dict[str, str]:
    """Fields of an anonymous report with their categories, in the order in which answers hold them."""
    infos = sorted(fields_of(KINDS[ANONYMOUS]), key=lambda info: IN_ORDER.index(info.category))
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


def merged(parts: Sequence[bytes]) -> bytes:
    """Fields of records whose existence the caller may not know, newest value last and winning. They stand in the order
    of their names: the order in which records brought them would tell how many there are, and which holds what."""
    values: dict[str, Any] = {}
    for part in parts:
        values |= orjson.loads(b"{%b}" % part)
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
