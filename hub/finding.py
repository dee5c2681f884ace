"""The reading verbs that range over cases: list and search. Candidates come by an index, in the order in which
they are shown; facts and policy then decide about each, as for a single case."""

from datetime import timedelta
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub import clock, cursors
from hub.audit.entry import Act
from hub.casework import extra, write_case
from hub.models.case import Case, moment, packed_moment
from hub.models.catalogue import ANONYMOUS, Kind
from hub.models.codes import RiskLevel, Status
from hub.models.fields import INDEX
from hub.models.region import prefix_of
from hub.models.values import IdNumber, Moment, PastDay, Phone, Short
from hub.policies import facts
from hub.policies.decide import CLEAR, MASKED
from hub.policies.gate import Gate
from hub.policies.query import Query, Seen
from hub.together import ROWS

A = facts.FIRST_FREE


class Filters(BaseModel):
    """What a list may be narrowed by. All but status and `mine` need `routine` in clear."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: (
        Annotated[str, Field(pattern="^[1-9][0-9]{1,11}$", description="区划代码，2至12位 region code, 2 to 12 digits")]
        | None
    ) = None
    status: Status | None = Field(None, description="状态 status")
    risk: RiskLevel | None = Field(None, description="风险等级 risk level")
    updated_since: Moment | None = Field(None, description="此后有所见变动 changed since, as you can see")
    kind: Kind | None = None
    mine: bool = Field(False, description="仅本单位参与处置的 only those your unit is involved in")
    limit: int = Field(50, ge=1, le=1000, description="每页条数 items a page")
    cursor: str = Field("", max_length=500, description="上页的 next the last page's next")


async def list_cases(gate: Gate, filters: Filters) -> bytes:
    """Cases in the caller's scope, newest first, with the statement each was opened by."""
    source, walked, key = _candidates(gate, filters)
    clauses, args, name = await _narrow(gate, filters, key)
    if filters.cursor:
        clauses.append(f"({key}.opened_at, {key}.id) < (${A + len(args)}::timestamptz, ${A + len(args) + 1}::uuid)")
        args, name = [*args, *cursors.read(gate, "cases", filters.cursor)], name + ":after"
    query = Query(
        f"cases:{name}:{walked}",
        " AND ".join(clauses),
        (*args, filters.limit),
        source=source,
        lead=True,
        tail=f"ORDER BY {key}.opened_at DESC, {key}.id DESC LIMIT ${A + len(args)}::bigint",
        listed=True,
        extra=extra(gate),
        rows=ROWS if _sparse(filters, walked) else filters.limit,
        asked=filters.model_dump(mode="json", exclude_defaults=True, exclude={"limit", "cursor"}),
    )
    seen = await gate.read(Act.list, query)
    return _page(gate, seen, full=len(seen) == filters.limit)


def _sparse(filters: Filters, walked: str) -> bool:
    """A page narrowed by what no index keeps may be long in coming: it goes alone."""
    if filters.region and (walked or len(_prefix(filters)) < 6):  # not walked by itself, or by no index of its own
        return True
    return bool(filters.status or filters.risk or filters.updated_since or filters.kind or filters.mine)


async def _narrow(gate: Gate, filters: Filters, key: str) -> tuple[list[str], list[Any], str]:
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

    if since := filters.updated_since:  # the first argument, as `CHANGED` has it
        at = packed_moment(clock.to_micros(since))
        add("{0}::timestamptz IS NOT NULL AND " + _visibly_touched(gate), since, at, name="since")
    if prefix := _prefix(filters):
        add(_within("c", len(prefix) if key == "c" else 0), prefix, name=f"region{len(prefix)}")
    if filters.status:
        add("c.status = {0}::text", filters.status.value, name="status")
    if filters.risk:
        add("c.risk_level = {0}::text", filters.risk.value, name="risk")
    if filters.kind:
        add("strpos(c.kinds, {0}::text) > 0", f'"{filters.kind}"', name="kind")
    if filters.mine:
        add("$1::uuid = ANY(c.involved)", name="mine")
    return clauses, args, "+".join(used)


def _visibly_touched(gate: Gate) -> str:
    """Changed since, as this caller can see: some category in scope was touched. `routine` bars for all."""
    by_scope: dict[str, list[str]] = {}
    for category, i in INDEX.items():
        if gate.table.reachable_by_others[i]:
            scope = gate.table.scope(category, barring=False)
            by_scope.setdefault(scope, []).append(f"{moment(i, 'c')} >= {{1}}::bytea")
    return "(" + " OR ".join(f"({' OR '.join(touched)}) AND {scope}" for scope, touched in by_scope.items()) + ")"


def _prefix(filters: Filters) -> str:
    return prefix_of(filters.region or "")


def _within(table: str, digits: int) -> str:
    """Cases of a division whose prefix is `{0}`, by the index that keeps them in order where there is one."""
    if digits < 6:
        return f"starts_with({table}.region_code, {{0}}::text)"
    if digits == 6:
        return f"{table}.county = {{0}}::text"
    if digits < 9:
        return f"{table}.county = left({{0}}::text, 6) AND starts_with({table}.region_code, {{0}}::text)"
    within = "" if digits == 9 else f" AND starts_with({table}.region_code, {{0}}::text)"
    return f"{table}.township = left({{0}}::text, 9){within}"


RECENT = timedelta(days=1)
PICKED = "(SELECT n.* FROM cases n WHERE {} OFFSET 0) c"
"""Few cases, found first and put in order after: else, for the order's sake, all cases would be walked."""
CHANGED = PICKED.format(f"n.id IN (SELECT case_id FROM change WHERE at >= ${A}::timestamptz)")
LINKED = (
    "(SELECT l.case_id AS id, l.opened_at FROM case_unit l WHERE l.unit_id = $1::uuid) k JOIN cases c ON c.id = k.id"
)
"""The cases that a unit has to do with, in the order of its links."""


def _columns(**instead: str) -> str:
    """The columns of a case, some taken from elsewhere: from the index that is walked, so that a cursor bounds it."""
    return ", ".join(instead.get(column.name, f"n.{column.name}") for column in Case.__table__.columns)  # type: ignore[attr-defined]


MERGED = (
    f"((SELECT {_columns()} FROM cases n WHERE {{}} ORDER BY n.opened_at DESC, n.id DESC) UNION ALL"
    f" (SELECT {_columns(id='l.case_id', opened_at='l.opened_at')} FROM case_unit l JOIN cases n ON n.id = l.case_id"
    " WHERE l.unit_id = $1::uuid AND l.outside AND NOT starts_with(n.region_code, $2)"
    " ORDER BY l.opened_at DESC, l.case_id DESC)) c"
)
"""The cases of a unit's area, merged with those beyond it that it has to do with: each in order, none twice."""


def _candidates(gate: Gate, filters: Filters) -> tuple[str, str, str]:
    """What to walk, newest first: the source, a name for it, and the alias whose order is followed.

    What changed of late is taken from the outbox of changes. A region inside the caller's own area is walked by
    itself. Where place alone opens anything, the area is, merged with the cases beyond it that the unit has to do
    with; elsewhere all that it has to do with.
    """
    own, prefix, since = gate.subject.area, _prefix(filters), filters.updated_since
    if since and since > clock.now() - RECENT:
        return CHANGED, "changed", "c"
    if not (gate.table.local and own):
        return LINKED, "linked", "k"
    if prefix.startswith(own):
        return "cases c", "", "c"
    return MERGED.format(_within("n", len(own)).format("$2")), f"around{len(own)}", "c"


def _page(gate: Gate, seen: list[Seen], *, full: bool) -> bytes:
    out = [b'{"items":[']
    for n, item in enumerate(seen):
        if n:
            out.append(b",")
        write_case(gate, [item], out, lead=True)
    last = seen[-1].row if full and seen else None
    after = cursors.make(gate, "cases", last["opened_at"], last["case_id"]) if last else None
    out += b'],"next":', orjson.dumps(after), b"}"
    return b"".join(out)


class Wanted(BaseModel):
    """Exactly one of: id_number, phone, case_number, or name with phone or birth_date."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id_number: IdNumber | None = None
    phone: Phone | None = None
    case_number: Short | None = None
    name: Short | None = None
    birth_date: PastDay | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = frozenset(name for name, value in self if value is not None)
        ways = ({"id_number"}, {"phone"}, {"case_number"}, {"name", "phone"}, {"name", "birth_date"})
        if given not in [frozenset(way) for way in ways]:
            raise ValueError(
                "请用身份证号、电话、案号之一，或姓名加电话或出生日期 / "
                "give id_number, phone or case_number, or name with phone or birth_date"
            )
        return self


async def search_cases(gate: Gate, wanted: Wanted) -> bytes:
    """Cases found by keyed hashes; only rows on which the caller reads the category searched by, in clear."""
    if wanted.case_number:
        await gate.require("routine")
        where = gate.table.scope("routine", CLEAR, barring=False)
        return await _found(gate, "number", f"n.number = ${A}::text", where, wanted.case_number)
    keys, categories = _keys(gate, wanted)
    for category in categories:
        await gate.require(category)
    by_role = {"victim": categories, "respondent": ("respondent",), "child": ("minor",)}
    scopes = " OR ".join(f"(k.role = '{role}' AND {_readable(gate, cs)})" for role, cs in by_role.items())
    matched = f"k.key = ${A}::bytea" + (f" AND k.named = ${A + 1}::bytea" if len(keys) > 1 else "")
    where = f"EXISTS (SELECT FROM party_key k WHERE {matched} AND k.case_id = c.id AND ({scopes}))"
    among = f"n.id IN (SELECT k.case_id FROM party_key k WHERE {matched})"
    return await _found(gate, "+".join(categories), among, where, *keys)


def _readable(gate: Gate, categories: tuple[str, ...]) -> str:
    """Cases on which all of these are read in clear; those in conflict are found too, to be denied and logged."""
    return " AND ".join(gate.table.scope(category, CLEAR, barring=False) for category in categories)


def _keys(gate: Gate, wanted: Wanted) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """The keyed hash to look for, with the narrower one beside it, and what a match would confirm about a victim."""
    lookup = gate.services.vault.lookup
    if wanted.id_number:
        return (lookup("id", wanted.id_number),), ("victim",)
    if wanted.phone and wanted.name:
        both = lookup("phone", wanted.phone), lookup("phone_name", wanted.phone, wanted.name)
        return both, ("contact", "victim")
    if wanted.phone:
        return (lookup("phone", wanted.phone),), ("contact",)
    return (lookup("name_birth", wanted.name or "", str(wanted.birth_date)),), ("victim",)


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


async def _found(gate: Gate, name: str, among: str, where: str, *sought: Any) -> bytes:
    """The newest, but after all others those that hold nothing but reports: of these anybody could send so many, each
    in her name, that her case would be found no more. Who may not know what a case holds is not told by the order."""
    reports = f"{gate.table.scope('routine', CLEAR, barring=False)} AND c.kinds = '\"{ANONYMOUS}\"'"
    found = f"{where} AS found"
    for_whom = [str(gate.services.vault.pseudonym("sought", _bytes(value))) for value in sought]
    query = Query(
        f"search:{name}",
        "TRUE",
        sought,
        source=PICKED.format(among),
        lead=True,
        tail=f"ORDER BY found DESC, {reports}, c.opened_at DESC, c.id DESC LIMIT 50",
        listed=True,
        extra=f"{own}, {found}" if (own := extra(gate)) else found,
        asked={"sought": for_whom},
        sought="found",
    )
    return _page(gate, await gate.read(Act.search, query), full=False)
