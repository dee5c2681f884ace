"""What is read: one SELECT of sealed rows with their facts as one integer, and the rows that came of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.audit.entry import NAMED_BYTES
from hub.db import Row
from hub.models.fields import CATEGORIES
from hub.models.sealed import APART, CLEAR_COLUMNS, COMMON_COLUMN, MASKED_COLUMNS
from hub.policies import facts
from hub.policies.decide import CLEAR, MASKED, Decision, Table
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


@dataclass(slots=True)
class Seen:
    """One row that the caller may see: its decision and the opened members, joined, without braces."""

    row: Row
    decision: Decision
    members: bytes = b""


def statement(table: Table, query: Query) -> str:
    """The SELECT, made once per kind of caller and query and kept with the compiled policy.

    Facts are computed once a row; what they do not open stays in the database.
    """
    known: dict[str, str] = table.statements
    text = known.get(query.name)
    if text is None:
        columns, join = ["f.facts", CASE_COLUMNS], ""
        if query.records:
            join = LEAD if query.lead else query.join
            columns += [RECORD_COLUMNS, *([] if query.lead else ["r.at"]), *_fetched(table, query)]
        columns += [query.extra] if query.extra else []
        held = facts.mask(table.who, records=query.records)
        text = (
            f"SELECT {', '.join(columns)} FROM {query.source} {join}"
            f" CROSS JOIN LATERAL (SELECT {held} AS facts OFFSET 0) f"
            f" WHERE {query.where} {query.tail}"
        )
        text = known[query.name] = WHOLE.format(text) if query.listed else text
    return text


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


def _fetched(table: Table, query: Query) -> list[str]:
    """Sealed columns, each only of the rows whose facts may open it in that form. Those of `COMMON` come as the one
    envelope, else as one array: a column costs the same where nothing is in it."""
    each = {}
    for category, clear, masked in zip(CATEGORIES, CLEAR_COLUMNS, MASKED_COLUMNS, strict=True):
        if category == "refuge" and query.listed:
            continue
        opened, shown = table.opening(category, CLEAR), table.opening(category, MASKED)
        if opened:
            each[clear] = f"CASE WHEN f.facts & {opened} <> 0 THEN r.{clear} END"
        if shown != opened and category != "routine":
            only = f"f.facts & {opened} = 0 AND " if opened else ""
            each[masked] = f"CASE WHEN {only}f.facts & {shown} <> 0 THEN r.{masked} END"
    if table.common:
        together, apart = f"{table.common} AND r.{COMMON_COLUMN} IS NOT NULL", [each.pop(c, "NULL") for c in APART]
        each[COMMON_COLUMN] = f"CASE WHEN {together} THEN r.{COMMON_COLUMN} END"
        each[ALONE] = f"CASE WHEN NOT ({together}) THEN ARRAY[{', '.join(apart)}]::bytea[] END"
    return [f"{sql} AS {column}" for column, sql in each.items()]


def sealed(row: Row) -> Mapping[str, bytes | None]:
    """The envelopes of a row by column, also where those of `COMMON` came as an array."""
    alone = row.get(ALONE)
    return row if alone is None else dict(row) | dict(zip(APART, alone, strict=True))
