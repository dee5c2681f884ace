"""The reading verbs on one case: open, records, history. Each is one call of the Gate and a rendering."""

from itertools import compress
from uuid import UUID

import orjson

from hub.audit.entry import Act
from hub.db import Row
from hub.errors import NotFound
from hub.models import views
from hub.models.catalogue import ANONYMOUS, KINDS
from hub.models.fields import INDEX
from hub.models.sealed import versions
from hub.policies import facts
from hub.policies.decide import CLEAR, MASKED
from hub.policies.gate import Gate
from hub.policies.query import Query, Seen
from hub.together import ROWS

A = facts.FIRST_FREE
ROUTINE, AUTHORED = INDEX["routine"], facts.BIT["authored"]
OWN_KINDS = (
    "(SELECT array_agg(DISTINCT o.kind) FROM record o WHERE o.case_id = c.id AND o.current"
    " AND o.unit_id = $1) AS own_kinds"
)
RECORDS_AT_ONCE, VERSIONS_AT_ONCE = 200, 1_000
ORIGINS = {kind: INDEX[model.origin] for kind, model in KINDS.items()}
"""What must be open to learn that a record is of this kind, by index."""
TOLD = ", ".join(f"'{kind}'" for kind, model in KINDS.items() if model.reports)


def _newest(most: int, which: str, order: str = "") -> tuple[str, str]:
    """A join and a condition: so many records of the caller's, and so many of others'. If these took places from the
    caller's own, or left some to them, an answer would tell how many there are that nobody may tell it of.

    What is told without an account gives way first: anybody could send so much that nobody saw what agencies filed. Who
    reported by duty gives way with it, else what stays would tell them apart.
    """
    place = f"PARTITION BY n.unit_id = $1 ORDER BY n.kind IN ({TOLD}), n.at DESC, n.id DESC{order}"
    rows = f"SELECT n.*, row_number() OVER ({place}) AS nth FROM record n WHERE n.case_id = c.id{which}"
    return f"CROSS JOIN LATERAL ({rows}) r", f"c.id = ${A}::uuid AND r.nth <= {most}"


RECORDS = _newest(RECORDS_AT_ONCE, " AND n.current")
VERSIONS = _newest(VERSIONS_AT_ONCE, "", ", n.version")


def etag(gate: Gate, body: bytes) -> str:
    """Keyed hash of what this caller sees: a hidden edit does not change it."""
    return f'"{gate.services.vault.tag(body)}"'


def record_etag(gate: Gate, item: Seen) -> str:
    """The same for a record, from the versions at which each visible category last changed."""
    row, decision = item.row, item.decision
    seen = list(compress(versions(row["last_changed"]), decision.outcomes))
    message = b"%b|%b|%b" % (
        row["id"].bytes,
        ",".join(decision.columns).encode(),
        orjson.dumps(seen),
    )
    return f'"{gate.services.vault.tag(message)}"'


async def open_case(gate: Gate, case_id: UUID) -> bytes:
    """One case with its records, newest version each, as far as granted."""
    join, where = RECORDS
    query = Query("case", where, (case_id,), join=join, extra=extra(gate), alike=True)
    seen = _in_time(await gate.read(Act.read, query, single=True))
    out: list[bytes] = []
    write_case(gate, seen, out)
    return b"".join(out)


def _in_time(seen: list[Seen]) -> list[Seen]:
    return sorted(seen, key=lambda item: (item.row["at"], item.row["id"], item.row["version"]))


def extra(gate: Gate) -> str:
    """Callers whom some fact shows `routine` masked need the kinds they submitted themselves; others do not."""
    return OWN_KINDS if any(row[ROUTINE] == MASKED for row in gate.table.matrix.values()) else ""


def write_case(gate: Gate, seen: list[Seen], out: list[bytes], *, lead: bool = False) -> None:
    """The case head, then its records, in pieces to be joined once; the head is decided without authorship. `lead`:
    with that record alone that opened it, and at whose moment it was opened."""
    row, decision = seen[0].row, seen[0].decision
    if decision.authored:
        decision = gate.table.decide(row["facts"] & ~AUTHORED)
    own = (row.get("own_kinds") or []) if decision.routine == MASKED else []
    called, opened = _called(gate, row), views.moment(row["opened_at"])
    head = views.case_head(row, called, opened, decision.routine, decision.moments, gate.services.directory, own)
    out += head, b',"records":['
    between = b""
    for item in seen:
        if _listable(item):
            out.append(between)
            _write_record(gate, item, called, opened if lead else views.moment(item.row["at"]), out)
            between = b","
    out.append(b"]")
    if decision.routine != CLEAR:  # of a list it would tell, beside the case, what other records hold
        hidden = [_told(gate, item) for item in seen if not lead and not _listable(item) and item.members]
        out += b',"shared":', views.merged(hidden)
    out += b",", decision.tail, b"}"


def _called(gate: Gate, row: Row) -> bytes:
    """What this caller is told that the case is called. One id on two receipts would tell that both reports came to one
    case, and another that somebody had reported before: so each receipt calls its case by a name of its own."""
    subject = gate.subject
    return (subject.key if subject.own_case is not None else str(row["case_id"])).encode()


def _listable(item: Seen) -> bool:
    """That a record exists is `routine`; who sees that masked may know only what it submitted itself."""
    return item.decision.routine == CLEAR or item.decision.authored


def _write_record(gate: Gate, item: Seen, called: bytes, at: bytes, out: list[bytes], tail: bytes = b"") -> None:
    """What is long stands apart: put into the pattern, it would be copied again and again as that grows."""
    row, decision, directory = item.row, item.decision, gate.services.directory
    out.append(views.record_head(row, called, at, directory, authored=decision.authored, kind=_shown_kind(item)))
    if decision.authored:
        out.append(b',"etag":%b' % orjson.dumps(record_etag(gate, item)))
        tail = tail or decision.tail
    out += b',"fields":{', _told(gate, item), b"}," if tail else b"}", tail, b"}"


def _record(gate: Gate, item: Seen, tail: bytes = b"") -> bytes:
    out: list[bytes] = []
    _write_record(gate, item, _called(gate, item.row), views.moment(item.row["at"]), out, tail)
    return b"".join(out)


def _told(gate: Gate, item: Seen) -> bytes:
    """The fields, in the words of an anonymous report when the record's origin is secret to the caller."""
    if origin_known(item):
        return item.members
    return views.anonymised(item.row, item.members, item.decision.outcomes, gate.services.directory)


async def list_records(gate: Gate, case_id: UUID, kind: str = "") -> bytes:
    """The records of one case, optionally of one kind: the kind that the caller is shown, chosen after reading,
    so that asking for a hidden kind tells nothing."""
    join, where = RECORDS
    query = Query("records", where, (case_id,), join=join, listed=True, alike=True)
    seen = _in_time(await gate.read(Act.list, query, single=True))
    shown = [item for item in seen if _listable(item) and kind in ("", _shown_kind(item))]
    decision = gate.table.decide(seen[0].row["facts"] & ~AUTHORED)
    return b'{"items":[%b],%b}' % (b",".join(_record(gate, item) for item in shown), decision.tail)


def _shown_kind(item: Seen) -> str:
    """The record's kind, or the word for records whose origin this caller may not learn."""
    kind: str = item.row["kind"]
    return kind if origin_known(item) else ANONYMOUS


def origin_known(item: Seen) -> bool:
    origin = ORIGINS[item.row["kind"]]
    return origin == ROUTINE or item.decision.authored or item.decision.outcomes[origin] == CLEAR


async def find_record(gate: Gate, record_id: UUID, case_id: UUID | None = None, act: Act = Act.read) -> Seen:
    """One record, current version; `NotFound` when absent, forbidden, in conflict or of another case."""
    where, args = f"r.id = ${A}::uuid", (record_id,)
    if case_id is not None:
        where, args = f"{where} AND c.id = ${A + 1}::uuid", (record_id, case_id)  # type: ignore[assignment]
    (item,) = await gate.read(act, Query("record" + str(len(args)), where, args, alike=True), single=True)
    if not _listable(item):
        raise NotFound
    return item


async def read_record(gate: Gate, record_id: UUID, case_id: UUID | None = None) -> tuple[bytes, str]:
    """One record and its ETag."""
    item = await find_record(gate, record_id, case_id)
    return _record(gate, item, item.decision.tail), record_etag(gate, item)


async def history(gate: Gate, case_id: UUID) -> bytes:
    """Every version of every record, as far as it changed something this caller can see.

    Versions are numbered for the caller: a version that changed only withheld categories leaves no gap. Where there are
    more than an answer holds, whole records give way, so that the numbers stay what they are, and of one with more
    versions than that the newest.
    """
    (join, where), more = VERSIONS, "r.made_at, r.changed, r.current"
    query = Query("history", where, (case_id,), join=join, extra=more, rows=ROWS, alike=True)
    seen = _in_time(await gate.read(Act.read, query, single=True))
    numbers: dict[UUID, int] = {}
    items = []
    for item in seen:
        if _listable(item) and _changed_visibly(item):
            number = numbers[item.row["id"]] = numbers.get(item.row["id"], 0) + 1
            made_at = orjson.dumps(item.row["made_at" if origin_known(item) else "at"], option=orjson.OPT_UTC_Z)
            items.append(b'{"version":%d,"made_at":%b,"record":%b}' % (number, made_at, _record(gate, item)))
    tail = gate.table.decide(seen[0].row["facts"] & ~AUTHORED).tail
    return b'{"items":[%b],%b}' % (b",".join(items), tail)


def _changed_visibly(item: Seen) -> bool:
    """The first version of a record that one may know always; what it holds besides is another matter.

    An anonymous report cannot be amended: what is shown as one has a single version, the newest.
    """
    if not origin_known(item):
        return bool(item.row["current"])
    return item.row["version"] == 1 or any(item.decision.outcomes[i] for i in item.row["changed"])
