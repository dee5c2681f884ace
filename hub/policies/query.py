"""What is read: one SELECT of sealed rows with their facts as one integer, and the rows that came of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.audit.entry import NAMED_BYTES
from hub.db import Row
from hub.models.fields import CATEGORIES
from hub.models.sealed import APART, CLEAR_COLUMNS, COMMON, COMMON_COLUMN, MASKED_COLUMNS
from hub.policies import facts
from hub.policies.decide import CLEAR, GIVEN, MASKED, Decision, Table, condition
from hub.together import FEW

CASE_COLUMNS = (
    "c.id AS case_id, c.ref, c.key_wrapped, c.key_id, c.number, c.status, c.stage, c.risk_level,"
    " c.region_code, c.opened_at, c.touched, c.acting, c.kinds"
)
RECORD_COLUMNS = "r.id, r.version, r.kind, r.unit_id, r.last_changed"
LEAD = (
    "CROSS JOIN LATERAL (SELECT * FROM record l"
    " WHERE l.at = c.opened_at AND l.case_id = c.id AND l.current AND l.lead OFFSET 0) r"
)
"""The record that opened a case, of the same moment: leads are indexed in the order in which cases are listed."""
ROW_BYTES, ENTRY_BYTES = NAMED_BYTES + 16, 7000
"""What a row takes in an entry at most, in its detail and among its references, and how full of rows and decisions an
entry may get: a body holds 8 KiB, and an entry that fits a page of the database stays in one piece."""
ALONE = "alone"
"""The array of what `COMMON` holds, one by one, in the order of `APART`."""
WHOLE = "SELECT *, count(*) OVER () FROM ({}) page"
"""A page is put together before it leaves: row by row, every two of them wake the reader anew, which costs as
much as finding them."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to read: SQL from FROM on, arguments from `facts.FIRST_FREE` on, and a name that keys the text.

    `records` joins record rows, `lead` of each case only the one that opened it; `listed` leaves `refuge` out, as in
    every list, export and feed. `rows` is about how many it brings, and tells what goes together (`hub/together.py`).
    `alike` has one text for every kind of caller, of which `Table.given` tells it after `args`: where few rows come,
    planning a text costs more than reading them. Where many come each kind has its own, what it may see written in.
    `asked` is what an entry says was asked for. With `sought` there is a column of that name: a row where it is false
    is not found, and denied as one that the caller may not see: who was looked for is found among the looks at her.
    """

    name: str
    where: str
    args: tuple[Any, ...] = ()
    records: bool = True
    source: str = "cases c"
    lead: bool = False
    join: str = "JOIN record r ON r.case_id = c.id AND r.current"
    tail: str = ""
    listed: bool = False
    extra: str = ""
    rows: int = FEW
    alike: bool = False
    asked: Mapping[str, Any] | None = None
    sought: str = ""


@dataclass(slots=True)
class Seen:
    """One row that the caller may see: its decision and the opened members, joined, without braces."""

    row: Row
    decision: Decision
    members: bytes = b""


def statement(table: Table, query: Query) -> str:
    """The SELECT, made once per query, and per kind of caller unless it is `alike`.

    Facts are computed once a row; what they do not open stays in the database.
    """
    known, key = (table.judge.alike if query.alike else table.statements), (query.name, query.extra)
    text = known.get(key)
    if text is None:
        text = known[key] = _given(query) if query.alike else _written(table, query)
    return text


def _written(table: Table, query: Query) -> str:
    """With what this kind of caller may see."""
    needed = {table.opening(category, CLEAR) for category in COMMON}
    least = [bits for bits in sorted(needed) if not any(other < bits and other & bits == other for other in needed)]
    together = "" if 0 in needed else condition(least, table.closing(COMMON, CLEAR))
    fetched = _fetched(query, lambda *what: str(table.opening(*what) or ""), together)
    return _text(query, facts.written(*table.who), fetched)


def _given(query: Query) -> str:
    """With places for what a kind of caller may see: `Table.given`."""
    first = facts.FIRST_FREE + len(query.args)

    def mask(category: str, outcome: int) -> str:
        return f"m.a[{GIVEN.index((category, outcome)) + 1}]"

    clear = " AND ".join(f"f.facts & {mask(category, CLEAR)} <> 0" for category in COMMON)
    fetched = _fetched(query, mask, f"{clear} AND f.facts & m.a[{len(GIVEN) + 1}] = 0")
    masks = f"(SELECT ${first + 2}::text::int[] AS a OFFSET 0) m CROSS JOIN "
    return _text(query, facts.given(first), fetched, masks)


def _text(query: Query, who: facts.Who, fetched: list[str], masks: str = "") -> str:
    columns, join = ["f.facts", CASE_COLUMNS], ""
    if query.records:
        join = LEAD if query.lead else query.join
        columns += [RECORD_COLUMNS, *([] if query.lead else ["r.at"]), *fetched]
    columns += [query.extra] if query.extra else []
    text = (
        f"SELECT {', '.join(columns)} FROM {masks}{query.source} {join}"
        f" CROSS JOIN LATERAL (SELECT {facts.mask(who, records=query.records)} AS facts OFFSET 0) f"
        f" WHERE {query.where} {query.tail}"
    )
    return WHOLE.format(text) if query.listed else text


def entries_of(seen: list[Seen]) -> Iterator[list[Seen]]:
    """Rows cut so that each part fits one entry."""
    chunk: list[Seen] = []
    size, told = 0, set[int]()
    for item in seen:
        decision = item.decision
        more = ROW_BYTES + (0 if id(decision) in told else decision.size)
        if chunk and size + more > ENTRY_BYTES:
            yield chunk
            chunk, told, size, more = [], set(), 0, ROW_BYTES + decision.size
        chunk.append(item)
        told.add(id(decision))
        size += more
    if chunk:
        yield chunk


def _fetched(query: Query, opening: Callable[[str, int], str], common: str) -> list[str]:
    """Sealed columns, each only of the rows whose facts may open it in that form: `opening` says in SQL which do,
    `common` where all of `COMMON` is clear; empty for none, for nowhere. These come as the one envelope, else as one
    array: a column costs the same where nothing is in it."""
    each = {}
    for category, clear, masked in zip(CATEGORIES, CLEAR_COLUMNS, MASKED_COLUMNS, strict=True):
        if category == "refuge" and query.listed:
            continue
        opened, shown = opening(category, CLEAR), opening(category, MASKED)
        if opened:
            each[clear] = f"CASE WHEN f.facts & {opened} <> 0 THEN r.{clear} END"
        if shown != opened and category != "routine":
            only = f"f.facts & {opened} = 0 AND " if opened else ""
            each[masked] = f"CASE WHEN {only}f.facts & {shown} <> 0 THEN r.{masked} END"
    if common:
        together, apart = f"{common} AND r.{COMMON_COLUMN} IS NOT NULL", [each.pop(c, "NULL") for c in APART]
        each[COMMON_COLUMN] = f"CASE WHEN {together} THEN r.{COMMON_COLUMN} END"
        each[ALONE] = f"CASE WHEN NOT ({together}) THEN ARRAY[{', '.join(apart)}]::bytea[] END"
    return [f"{sql} AS {column}" for column, sql in each.items()]


def sealed(row: Row) -> Mapping[str, bytes | None]:
    """The envelopes of a row by column, also where those of `COMMON` came as an array."""
    alone = row.get(ALONE)
    return row if alone is None else dict(row) | dict(zip(APART, alone, strict=True))
