"""The reading verbs: open, list, search, records, history. Each is one call of the Gate and a rendering."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from hub import cursors
from hub.audit.entry import Act
from hub.errors import NotFound
from hub.models import views
from hub.models.catalogue import ANONYMOUS, KINDS
from hub.models.fields import INDEX
from hub.models.region import area
from hub.policies import facts
from hub.policies.decide import CLEAR, MASKED
from hub.policies.gate import Gate
from hub.policies.query import Query, Seen

A = facts.FIRST_FREE
OWN_KINDS = (
    "(SELECT array_agg(DISTINCT o.kind) FROM record o WHERE o.case_id = c.id AND o.current"
    " AND o.unit_id = $1) AS own_kinds"
)
RECORDS_AT_ONCE = 200
NEWEST = f"ORDER BY r.at DESC, r.id DESC LIMIT {RECORDS_AT_ONCE}"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list may be narrowed by. All but status and `mine` need `routine` in clear."""

    region: str = ""
    status: str = ""
    risk: str = ""
    updated_since: datetime | None = None
    kind: str = ""
    mine: bool = False
    limit: int = 50
    cursor: str = ""


def etag(gate: Gate, body: bytes) -> str:
    """Keyed hash of what this caller sees: a hidden edit does not change it."""
    return f'"{gate.services.vault.tag(body)}"'


def record_etag(gate: Gate, item: Seen) -> str:
    """The same for a record, from the versions at which each visible category last changed."""
    row, decision = item.row, item.decision
    seen = [row["last_changed"][i] for i, outcome in enumerate(decision.outcomes) if outcome]
    message = b"%b|%b|%b" % (row["id"].bytes, ",".join(decision.columns).encode(), orjson.dumps(seen))
    return f'"{gate.services.vault.tag(message)}"'


async def open_case(gate: Gate, case_id: UUID) -> bytes:
    """One case with its records, newest version each, as far as granted."""
    query = Query(
        "case",
        f"c.id = ${A}",
        (case_id,),
        tail=NEWEST,
        extra=_extra(gate),
    )
    seen = (await gate.read(Act.read, query, single=True))[::-1]
    return _case(gate, seen, b"records")


def _extra(gate: Gate) -> str:
    """Callers who see `routine` masked need the kinds they submitted themselves; others do not."""
    return OWN_KINDS if gate.table.reachable_by_others[INDEX["routine"]] < CLEAR else ""


def _case(gate: Gate, seen: list[Seen], name: bytes) -> bytes:
    """The case head, then its records; the head is decided without authorship."""
    row = seen[0].row
    decision = gate.table.decide(row["facts"] & ~facts.BIT["authored"])
    own = (row.get("own_kinds") or []) if decision.outcome("routine") == MASKED else []
    head = views.case_head(row, decision.outcomes, gate.services.directory, own)
    listed = [_record(gate, item) for item in seen if _listable(item)]
    hidden = [_told(gate, item) for item in seen if not _listable(item) and item.members]
    body = b'%b,"%b":[%b]' % (head, name, b",".join(listed))
    if decision.outcome("routine") != CLEAR:
        body += b',"shared":' + views.merged(hidden)
    return b"%b,%b}" % (body, decision.tail)


def _listable(item: Seen) -> bool:
    """That a record exists is `routine`; who sees that masked may know only what it submitted itself."""
    return item.decision.outcome("routine") == CLEAR or "authored" in item.decision.facts


def _record(gate: Gate, item: Seen, tail: bytes = b"") -> bytes:
    row, decision = item.row, item.decision
    authored = "authored" in decision.facts
    head = views.record_head(row, gate.services.directory, authored=authored, kind=_shown_kind(item))
    if authored:
        head["etag"] = record_etag(gate, item)
        tail = tail or decision.tail
    return views.close_record(head, _told(gate, item), tail)


def _told(gate: Gate, item: Seen) -> bytes:
    """The fields, in the words of an anonymous report when the record's origin is secret to the caller."""
    if origin_known(item):
        return item.members
    return views.anonymised(item.row, item.members, item.decision.outcomes, gate.services.directory)


async def list_records(gate: Gate, case_id: UUID, kind: str = "") -> bytes:
    """The records of one case, optionally of one kind: the kind that the caller is shown, chosen after reading,
    so that asking for a hidden kind tells nothing."""
    query = Query("records", f"c.id = ${A}", (case_id,), tail=NEWEST, listed=True)
    seen = (await gate.read(Act.list, query, single=True))[::-1]
    shown = [item for item in seen if _listable(item) and kind in ("", _shown_kind(item))]
    decision = gate.table.decide(seen[0].row["facts"] & ~facts.BIT["authored"])
    return b'{"items":[%b],%b}' % (b",".join(_record(gate, item) for item in shown), decision.tail)


def _shown_kind(item: Seen) -> str:
    """The record's kind, or the word for records whose origin this caller may not learn."""
    kind: str = item.row["kind"]
    return kind if origin_known(item) else ANONYMOUS


def origin_known(item: Seen) -> bool:
    origin = KINDS[item.row["kind"]].origin
    return origin == "routine" or "authored" in item.decision.facts or item.decision.outcome(origin) == CLEAR


async def find_record(gate: Gate, record_id: UUID, case_id: UUID | None = None, act: Act = Act.read) -> Seen:
    """One record, current version; `NotFound` when absent, forbidden, in conflict or of another case."""
    where, args = f"r.id = ${A}", (record_id,)
    if case_id is not None:
        where, args = f"{where} AND c.id = ${A + 1}", (record_id, case_id)  # type: ignore[assignment]
    (item,) = await gate.read(act, Query("record" + str(len(args)), where, args), single=True)
    if not _listable(item):
        raise NotFound
    return item


async def read_record(gate: Gate, record_id: UUID, case_id: UUID | None = None) -> tuple[bytes, str]:
    """One record and its ETag."""
    item = await find_record(gate, record_id, case_id)
    return _record(gate, item, item.decision.tail), record_etag(gate, item)


async def list_cases(gate: Gate, filters: Filters) -> bytes:
    """Cases in the caller's scope, newest first, with the statement each was opened by."""
    clauses, args, name = await _narrow(gate, filters)
    if filters.cursor:
        opened, last = cursors.read(gate, "cases", filters.cursor)
        clauses.append(f"(c.opened_at, c.id) < (${A + len(args)}, ${A + len(args) + 1})")
        args, name = [*args, opened, last], name + ":after"
    query = Query(
        f"cases:{name}",
        " AND ".join(clauses),
        (*args, filters.limit),
        join="JOIN record r ON r.case_id = c.id AND r.current AND r.lead",
        tail=f"ORDER BY c.opened_at DESC, c.id DESC LIMIT ${A + len(args)}",
        listed=True,
        extra=_extra(gate),
    )
    seen = await gate.read(Act.list, query)
    return _page(gate, seen, full=len(seen) == filters.limit)


async def _narrow(gate: Gate, filters: Filters) -> tuple[list[str], list[Any], str]:
    """Filters as SQL. A filter needs the scope of its category as well: what is hidden selects nothing."""
    strict = bool(filters.region or filters.risk or filters.updated_since or filters.kind)
    if strict:
        await gate.require("routine")
    clauses = [gate.table.scope("routine", CLEAR if strict else MASKED)]
    args: list[Any] = []
    used = ["strict" if strict else ""]

    def add(clause: str, *values: Any, name: str) -> None:
        clauses.append(clause.format(*(f"${A + len(args) + i}" for i in range(len(values)))))
        args.extend(values)
        used.append(name)

    if filters.region:
        prefix = area(filters.region.ljust(12, "0"))
        column = {6: "c.county = {0}", 9: "c.township = {0}"}.get(len(prefix), "c.region_code ^@ {0}")
        add(column, prefix[:9] if len(prefix) == 12 else prefix, name=f"region{len(prefix)}")
    if filters.status:
        add("c.status = {0}", filters.status, name="status")
    if filters.risk:
        add("c.risk_level = {0}", filters.risk, name="risk")
    if filters.kind:
        add("c.kinds @> ARRAY[{0}]::varchar[]", filters.kind, name="kind")
    if filters.mine:
        add("c.involved @> ARRAY[$1::uuid]", name="mine")
    if filters.updated_since:
        add("c.touched_at >= {0} AND " + _visibly_touched(gate), filters.updated_since, name="since")
    return clauses, args, "+".join(used)


def _visibly_touched(gate: Gate) -> str:
    """Changed since, as this caller can see: some category in scope was touched."""
    parts = [
        f"(c.touched[{i + 1}] >= {{0}} AND {gate.table.scope(category)})"
        for category, i in INDEX.items()
        if gate.table.reachable_by_others[i]
    ]
    return "(" + " OR ".join(parts) + ")"


def _page(gate: Gate, seen: list[Seen], *, full: bool) -> bytes:
    items = [_case(gate, [item], b"records") for item in seen]
    last = seen[-1].row if full and seen else None
    after = cursors.make(gate, "cases", last["opened_at"], last["case_id"]) if last else None
    return b'{"items":[%b],"next":%b}' % (b",".join(items), orjson.dumps(after))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search: exact id number, phone or case number, or a name with a second attribute."""

    id_number: str = ""
    phone: str = ""
    case_number: str = ""
    name: str = ""
    birth_date: str = ""


async def search_cases(gate: Gate, wanted: Wanted) -> bytes:
    """Cases found by keyed hashes; only rows on which the caller reads the category searched by, in clear."""
    if wanted.case_number:
        await gate.require("routine")
        where = f"c.number = ${A} AND {gate.table.scope('routine', CLEAR, barring=False)}"
        return await _found(gate, "number", where, (wanted.case_number,))
    key, categories = _key(gate, wanted)
    for category in categories:
        await gate.require(category)
    by_role = {"victim": categories, "respondent": ("respondent",), "child": ("minor",)}
    scopes = " OR ".join(f"(k.role = '{role}' AND {_readable(gate, cs)})" for role, cs in by_role.items())
    where = f"EXISTS (SELECT FROM party_key k WHERE k.key = ${A} AND k.case_id = c.id AND ({scopes}))"
    return await _found(gate, "+".join(categories), where, (key,))


def _readable(gate: Gate, categories: tuple[str, ...]) -> str:
    """Cases on which all of these are read in clear; those in conflict are found too, to be denied and logged."""
    return " AND ".join(gate.table.scope(category, CLEAR, barring=False) for category in categories)


def _key(gate: Gate, wanted: Wanted) -> tuple[bytes, tuple[str, ...]]:
    """The keyed hash to look for, and the categories that a match would confirm about a victim."""
    lookup = gate.services.vault.lookup
    if wanted.id_number:
        return lookup("id", wanted.id_number), ("victim",)
    if wanted.name and wanted.phone:
        return lookup("phone_name", wanted.phone, wanted.name), ("contact", "victim")
    if wanted.phone:
        return lookup("phone", wanted.phone), ("contact",)
    return lookup("name_birth", wanted.name, wanted.birth_date), ("victim",)


async def _found(gate: Gate, name: str, where: str, args: tuple[Any, ...]) -> bytes:
    query = Query(
        f"search:{name}",
        where,
        args,
        join="JOIN record r ON r.case_id = c.id AND r.current AND r.lead",
        tail="ORDER BY c.opened_at DESC, c.id DESC LIMIT 50",
        listed=True,
        extra=_extra(gate),
    )
    return _page(gate, await gate.read(Act.search, query), full=False)


async def history(gate: Gate, case_id: UUID) -> bytes:
    """Every version of every record, as far as it changed something this caller can see.

    Versions are numbered for the caller: a version that changed only withheld categories leaves no gap.
    """
    join, order = "JOIN record r ON r.case_id = c.id", f"ORDER BY r.at, r.id, r.version LIMIT {RECORDS_AT_ONCE * 5}"
    query = Query("history", f"c.id = ${A}", (case_id,), join=join, tail=order, extra="r.current")
    seen = await gate.read(Act.read, query, single=True)
    numbers: dict[UUID, int] = {}
    items = []
    for item in seen:
        if _listable(item) and _changed_visibly(item):
            number = numbers[item.row["id"]] = numbers.get(item.row["id"], 0) + 1
            made_at = orjson.dumps(item.row["made_at" if origin_known(item) else "at"], option=orjson.OPT_UTC_Z)
            items.append(b'{"version":%d,"made_at":%b,"record":%b}' % (number, made_at, _record(gate, item)))
    tail = gate.table.decide(seen[0].row["facts"] & ~facts.BIT["authored"]).tail
    return b'{"items":[%b],%b}' % (b",".join(items), tail)


def _changed_visibly(item: Seen) -> bool:
    """The first version of a record that one may know always; what it holds besides is another matter.

    An anonymous report cannot be amended: what is shown as one has a single version, the newest.
    """
    if not origin_known(item):
        return bool(item.row["current"])
    return item.row["version"] == 1 or any(item.decision.outcomes[i] for i in item.row["changed"])
