"""What an auditor (审计管理员) sees: entries of the access log, each look an entry itself."""

from contextlib import suppress
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from hub import clock, cursors, ids, keys
from hub.audit.committer import Draft
from hub.audit.entry import OPENING, Act, bound_to, detail_bound_to, rows_of
from hub.db import FAILED
from hub.errors import Forbidden, Invalid, NotFound, Unavailable, entered
from hub.models.values import NO_NUL, Moment
from hub.people import still_lives, still_living
from hub.policies.gate import Gate
from hub.policies.subject import Purpose
from hub.together import FEW, ROWS


class LogFilters(BaseModel):
    """What to look for. `who` is an account's id or login, with `unit` also its name there, or a client's id; `case`
    is a case's id or number, or its reference in the log. From `since` on, and before `until`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: str = Field(
        "", max_length=64, pattern=NO_NUL, description="账号编号、登录名、单位内账号名，或客户端编号 account or client"
    )
    unit: str = Field("", max_length=64, pattern=NO_NUL, description="单位代码 unit code")
    case: str = Field(
        "", max_length=40, pattern=NO_NUL, description="个案编号、案号，或其在日志中的代号 case id, number or reference"
    )
    since: Moment | None = None
    until: Moment | None = None
    act: Act | None = None
    purpose: Purpose | None = None
    outcome: Literal["permit", "deny", "conflict"] | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str = Field("", max_length=500)


class Reason(BaseModel):
    """Why one entry is opened; it stands in the entry about that."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    reason: str = Field(min_length=2, max_length=200, description="事由或工单号 the reason, or a ticket")


COLUMNS = (
    "l.w, l.n, l.at, l.act, l.purpose, l.outcome, l.status, l.actor, l.unit_id,"
    " array_to_string(l.case_refs, ',') AS cases, l.body"
)
"""`_shown` takes these in their order."""

FEW_CASES = 5
"""A page about no more than these is a look at each of them: by time and person one could follow a case unseen."""
OF_CASE = "(SELECT * FROM access_log WHERE case_refs && ARRAY[$1::uuid, $2::uuid] OFFSET 0) l"
"""A case's entries, found first and put in order after: else, for the order's sake, the whole log would be walked."""


async def entries(gate: Gate, filters: LogFilters) -> bytes:
    """Entries, newest first: who looked, why, at which case by pseudonym, at what of it. The look is logged before the
    answer leaves; a look at few cases is an access to each, found among its entries, and at one case whatever it finds.
    Entries that name a case to which he is a party are not there for him."""
    _only_auditors(gate)
    filters = await _known(gate, filters)
    actors = [gate.services.vault.pseudonym("actor", _actor(who)) for who in filters.who.split(",") if who]
    where, args = _where(gate, filters, actors)
    source = OF_CASE if filters.case else "access_log l"
    tail = f"ORDER BY l.at DESC, l.w DESC, l.n DESC LIMIT {filters.limit}"
    sql = f"SELECT {COLUMNS} FROM {source} WHERE {where} AND {{living}} {tail}"
    rows = await _fetched(gate, sql, args, ROWS if _sparse(filters) else filters.limit)
    draft = gate.draft(Act.audit_read)
    draft.body |= {"query": "log:" + "+".join(_given(filters)), "count": len(rows), "asked": _asked(filters, actors)}
    draft.case_refs = _few(rows)
    if filters.case:  # the first arguments are what it is called by
        named = await gate.services.database.fetch(NAMED, *args[:2])
        draft.case_refs = [row["ref"] for row in named]
        if gate.subject.barred.intersection(draft.case_refs):
            _conflict(draft)
    await gate.services.committer.commit(draft)
    last = rows[-1] if len(rows) == filters.limit else None
    after = cursors.make(gate, "log", last["at"], last["w"], last["n"]) if last else None
    return orjson.dumps({"items": _shown(gate, rows), "next": after}, option=orjson.OPT_UTC_Z)


OPENED = (
    f"SELECT {COLUMNS}, l.case_refs, l.detail, c.id AS case_id, c.key_wrapped, c.key_id FROM access_log l"
    " LEFT JOIN cases c ON cardinality(l.case_refs) = 1 AND c.ref = l.case_refs[1]"
    " WHERE l.w = $1::uuid AND l.n = $2::bigint AND {living}"
)


async def entry(gate: Gate, chain: UUID, n: int, why: Reason) -> bytes:
    """One entry with the rows that it names, for a reason; an access to their cases, and logged as one (T12).

    `rows` is null where the key of the case is gone. Raises `NotFound`.
    """
    _only_auditors(gate)
    rows = await _fetched(gate, OPENED, [chain, n])
    if not rows:
        raise NotFound
    (row,) = rows
    draft = gate.draft(Act.audit_read)
    draft.case_refs = list(row["case_refs"])
    draft.body |= {"query": "entry", "entry": f"{chain}:{n}", "reason": why.reason, "count": 1}
    if barred := gate.subject.barred.intersection(draft.case_refs):
        draft.case_refs = list(barred)
        _conflict(draft)
    await gate.services.committer.commit(draft)
    if barred:
        raise entered(NotFound())
    key = _key_of(gate, row)
    (shown,) = _shown(gate, rows, key)
    return orjson.dumps(shown | {"rows": _rows(row, key)}, option=orjson.OPT_UTC_Z)


def _conflict(draft: Draft) -> None:
    draft.conflict()
    draft.status, draft.body["count"] = 404, 0


def _few(rows: list[Any]) -> list[UUID]:
    """The cases that these entries are about, if they are few."""
    refs: dict[str, None] = {}
    for row in rows:
        if cases := row["cases"]:
            refs.update(dict.fromkeys(cases.split(",")))
            if len(refs) > FEW_CASES:
                return []
    return [ids.of_text(ref) for ref in refs]


NARROWED = ("who", "unit", "case", "since", "until", "act", "purpose", "outcome", "cursor")


def _given(filters: LogFilters) -> dict[str, Any]:
    """What the page was narrowed by."""
    return {name: value for name in NARROWED if (value := getattr(filters, name))}


def _asked(filters: LogFilters, actors: list[UUID]) -> dict[str, Any]:
    """What was asked for, as an entry says it: people and systems by pseudonym; the case is among those it names."""
    said = {name: value for name, value in _given(filters).items() if name not in ("case", "cursor")}
    said |= {name: clock.text(said[name]) for name in ("since", "until") if name in said}
    return said | {"who": list(map(str, actors))} if actors else said


def _only_auditors(gate: Gate) -> None:
    """Who logged in here with a second factor: no agency's system can vouch for an auditor."""
    if gate.subject.role != "auditor" or not gate.subject.session:
        raise Forbidden("仅审计管理员可查访问日志。", "Only auditors read the access log.")


ACTOR = """
SELECT id::text AS id, FALSE AS named FROM account WHERE login = $1
UNION ALL SELECT a.id::text, TRUE FROM account a JOIN unit u ON u.id = a.unit_id WHERE a.name = $1 AND u.code = $2
UNION ALL SELECT id, FALSE FROM client WHERE id = $1
"""
NAMED = "SELECT ref FROM cases WHERE ref IN ($1::uuid, $2::uuid)"
NUMBERED = "SELECT id::text AS id, FALSE AS named, ref FROM cases WHERE number = $1"


async def _known(gate: Gate, filters: LogFilters) -> LogFilters:
    """The same with ids for names. Whom or what nobody knows is `Invalid`: an empty page would say that he looked at
    nothing. So it is with the number of a case to which he is a party; under that it is entered that he asked. A unit
    in which a name was looked up is no condition beside: who has changed units looked from another."""
    found: dict[str, str] = {}
    named, barred = False, list[UUID]()
    for name, sql, *args in (("who", ACTOR, filters.who, filters.unit), ("case", NUMBERED, filters.case)):
        if args[0] and not ids.is_uuid(args[0]):
            rows = await gate.services.database.fetch(sql, *args)  # one's login may be another's name, or a system's id
            barred += [row["ref"] for row in rows if name == "case" and row["ref"] in gate.subject.barred]
            rows = [] if barred else rows
            in_unit = [row for row in rows if row["named"]]
            found[name] = ",".join(dict.fromkeys(row["id"] for row in in_unit or rows))
            named |= bool(in_unit)
    if filters.unit and filters.unit not in gate.services.directory.codes:
        found["unit"] = ""
    if unknown := [name for name, known in found.items() if not known]:
        zh, en = "没有这个编号或名称", "nothing is known by it"
        nobody = Invalid(errors=[{"pointer": f"/{name}", "zh": zh, "en": en} for name in unknown])
        await still_lives(gate.services, gate.subject)
        await gate.refuse(nobody, about=barred, conflict=bool(barred))
    return filters.model_copy(update=found | ({"unit": ""} if named else {})) if found else filters


def _sparse(filters: LogFilters) -> bool:
    """What no index keeps may be long in coming: it goes alone."""
    keys = sum(map(bool, (filters.who, filters.unit, filters.case)))  # each has an index, two together have none
    return bool(filters.act or filters.purpose or filters.outcome) or keys > 1


async def _fetched(gate: Gate, sql: str, args: list[Any], rows: int = FEW) -> list[Any]:
    """Rows of the log, for whoever has not left since the session was looked up."""
    living, session = still_living(gate.services, gate.subject, len(args) + 1)
    try:
        found: list[Any] = await gate.services.reviews.fetch(sql.format(living=living), *args, *session, rows=rows)
    except FAILED as lost:
        raise Unavailable from lost
    if not found:
        await still_lives(gate.services, gate.subject)
    return found


def _where(gate: Gate, filters: LogFilters, actors: list[UUID]) -> tuple[str, list[Any]]:
    clauses: list[str] = []
    args: list[Any] = []

    def add(clause: str, *values: Any) -> None:
        clauses.append(clause.format(*(f"${len(args) + 1 + i}" for i in range(len(values)))))
        args.extend(values)

    vault, directory = gate.services.vault, gate.services.directory
    if filters.case:  # the first arguments, as `OF_CASE` has it
        case = ids.of_text(filters.case)
        args += [case, vault.pseudonym("case", case.bytes)]
    if actors:
        add(f"l.actor IN ({', '.join(f'{{{i}}}::uuid' for i in range(len(actors)))})", *actors)
    if filters.unit:
        add("l.unit_id = {0}::uuid", directory.codes[filters.unit].id)
    if filters.since:
        add("l.at >= {0}::timestamptz", filters.since)
    if filters.until:
        add("l.at < {0}::timestamptz", filters.until)
    for name in ("act", "purpose", "outcome"):
        if value := getattr(filters, name):
            add(f"l.{name} = {{0}}::text", value)
    if filters.cursor:
        add("(l.at, l.w, l.n) < ({0}::timestamptz, {1}::uuid, {2}::bigint)", *cursors.read(gate, "log", filters.cursor))
    if barred := gate.subject.barred:
        add("NOT l.case_refs && {0}::text::uuid[]", f"{{{','.join(map(str, barred))}}}")
    return " AND ".join(clauses) or "TRUE", args


def _actor(who: str) -> bytes:
    try:
        return ids.of_text(who).bytes
    except ValueError:
        return who.encode()


def _shown(gate: Gate, rows: list[Any], case_key: keys.Sealer | None = None) -> list[dict[str, Any]]:
    """Entries: head from the columns, and the body, which is null where no key opens it. A page is one walk: a call for
    each part of each entry took a sixth of the time."""
    units, log, items = gate.services.directory.units, gate.services.vault.log, []
    for w, n, at, act, purpose, outcome, status, actor, unit_id, cases, sealed, *_ in rows:
        unit, place = units.get(unit_id), bound_to(w, n)
        try:
            body = log(at).open(sealed, place)[OPENING:]
        except keys.SealBroken:
            body = _older(gate.services.vault, sealed, place, case_key)
        item = {
            "act": act,
            "purpose": purpose,
            "outcome": outcome,
            "at": at,
            "status": status,
            "actor": str(actor),
            "unit": unit.code if unit else None,
            "cases": cases.split(",") if cases else [],
            "chain": str(w),
            "n": n,
            "body": orjson.Fragment(body),
        }
        items.append(item)
    return items


def _older(vault: keys.Vault, sealed: bytes, place: bytes, case_key: keys.Sealer | None) -> bytes:
    """Before details stood apart, bodies were sealed with the whole log's key, or, about one case, with that case's."""
    for key in (vault.whole_log, case_key) if case_key else (vault.whole_log,):
        with suppress(keys.SealBroken):
            return key.open(sealed, place)[OPENING:]
    return b"null"


def _key_of(gate: Gate, row: Any) -> keys.Sealer | None:
    """What opens the detail: the key of its one case, if there is one and it is not gone, else the log's."""
    vault = gate.services.vault
    try:
        if row["case_id"] is not None:
            return vault.case_key(row).log
    except keys.SealBroken:
        return None
    return vault.log(row["at"])


def _rows(row: Any, key: keys.Sealer | None) -> list[dict[str, Any]] | None:
    if key is None or row["detail"] is None:
        return None
    try:
        detail = key.open(row["detail"], detail_bound_to(row["w"], row["n"]))
    except keys.SealBroken:
        return None
    return [{"case": case, "record": record, "version": version} for case, record, version in rows_of(detail)]
