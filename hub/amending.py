"""Amending: a new version of one's own record, beside the old one."""

from copy import copy
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError, create_model

from hub import cases, clock
from hub.audit.entry import Act
from hub.cases import target_of
from hub.casework import AUTHORED, find_record, record_etag
from hub.errors import Forbidden, HubError, PreconditionRequired, StaleVersion
from hub.exchange import may_close, may_end, may_find, written
from hub.filing import Filing, Rows, finish, stamps
from hub.models.base import RecordFields
from hub.models.catalogue import KINDS, fields_of
from hub.models.fields import INDEX, Stamp
from hub.models.sealed import COMMON, COMMON_COLUMN, LAST, advanced, plain
from hub.parties import are_others, lookups, recognise
from hub.policies.decide import CLEAR
from hub.policies.gate import STANDING, Gate
from hub.policies.query import Seen


async def amend(gate: Gate, record_id: UUID, patch: dict[str, Any], if_match: str) -> None:
    """A new version of one's own record (RFC 7396 merge patch); no version when nothing changed.

    Raises `PreconditionRequired` (428) without If-Match, or where that takes any version (`*`), `StaleVersion` (412) on
    a stale one.
    """
    if if_match.strip() in ("", "*"):
        await gate.refuse(PreconditionRequired())
    item = await find_record(gate, record_id, act=Act.amend)
    if "authored" not in item.decision.facts:
        await gate.refuse(Forbidden("只能修改本单位提交的记录。", "Only the unit that submitted a record amends it."))
    if if_match.strip() != record_etag(gate, item):
        await gate.refuse(StaleVersion())
    try:
        filing, changed = _merge(gate, item, patch)
        if changed:
            _may_amend(gate, item, filing)
            await _write_version(gate, item, filing, changed)
    except HubError as error:
        await gate.refuse(error)


def _may_amend(gate: Gate, item: Seen, filing: Filing) -> None:
    """As a new record could be submitted: the kind is one of the unit's, and who accepts has something to accept."""
    if not gate.services.policy.may_write(gate.subject.unit_type, filing.kind):
        raise Forbidden("本类单位不更正此类记录。", "Not a kind that your unit amends.", kind=filing.kind)
    may_close(gate, item.row["facts"] & ~AUTHORED, filing)
    may_find(filing, Stamp.reporter_confirmed)  # to what case it came is not known any more
    accepted = (stamps(filing.kind, values).get(Stamp.accepted) for values in (filing.values, filing.was))
    if tuple(accepted) == (True, False) and not item.row["facts"] & STANDING:
        raise Forbidden("转介已不在本单位，须重新转介。", "No referral to you is open any more; ask for a new one.")


def _merge(gate: Gate, item: Seen, patch: dict[str, Any]) -> tuple[Filing, list[int]]:
    """The next version: clear fields patched and validated; masked and withheld categories stay as they are."""
    row, model = item.row, KINDS[item.row["kind"]]
    infos = {info.name: info for info in fields_of(model)}
    hidden = {n for n, i in infos.items() if item.decision.outcome(i.category) != CLEAR}
    old = {n: v for n, v in orjson.loads(b"{%b}" % item.members).items() if n not in hidden}
    _may_patch(model.kind, infos, patch, hidden)
    merged = {k: v for k, v in (old | patch).items() if v is not None}
    try:
        new = plain(model.model_validate_json(orjson.dumps(merged)))
    except ValidationError as error:
        if any(e["type"] != "missing" or e["loc"][0] not in hidden for e in error.errors()):
            raise
        new = plain(_partial(model).model_validate_json(orjson.dumps(merged)))
    changed = sorted({INDEX[i.category] for n, i in infos.items() if old.get(n) != new.get(n)})
    version = row["version"] + 1
    if version > LAST:
        raise Forbidden("此记录不能再有新的版本。", "This record can have no further version.")
    kept, was = ({n: v for n, v in values.items() if INDEX[infos[n].category] in changed} for values in (new, old))
    filing = Filing(
        row["kind"],
        kept,
        recognise(gate.services.vault, new, row["kind"]),
        row["at"],
        row["unit_id"],
        gate.subject.account_id,
        gate.subject.client_id,
        record_id=row["id"],
        version=version,
        changed=changed,
        last_changed=advanced(row["last_changed"], changed, version),
        made_at=clock.now(),
        was=was,
        before=recognise(gate.services.vault, old, row["kind"]),
    )
    return filing, changed


def _may_patch(kind: str, infos: dict[str, Any], patch: dict[str, Any], hidden: set[str]) -> None:
    """What is hidden is not changed, nor one part of that by which a party is found when the purpose hides another: the
    key made of both would stay, and another woman's records be filed here."""
    if unseen := sorted(hidden & patch.keys()):
        zh, en = "此目的下不得修改该类数据。", "This purpose does not open that category."
        raise Forbidden(zh, en, category=infos[unseen[0]].category)
    roles = {name: role for name, role, _ in lookups(kind)}
    corrected = {roles[name] for name in patch if name in roles}
    for name in sorted(hidden):
        if roles.get(name) in corrected:
            zh, en = (
                "更正当事人须能看到其全部识别信息，请换用其他目的。",
                "To correct a party, state a purpose that opens all it is found by.",
            )
            raise Forbidden(zh, en, category=infos[name].category)


@cache
def _partial(model: type[RecordFields]) -> type[RecordFields]:
    """The kind with nothing required: what a purpose hides is missing from what it lets one amend."""
    loose: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.is_required():
            annotation: Any = field.annotation
            loose[name] = (annotation | None, copy(field))
            loose[name][1].default = None
    made: type[RecordFields] = create_model(model.__name__, __base__=model, **loose)
    return made


async def _write_version(gate: Gate, item: Seen, filing: Filing, changed: list[int]) -> None:
    """Insert the version beside the old one; unchanged envelopes are carried over as they are sealed."""
    services, row = gate.services, item.row
    async with services.database.transaction() as connection:
        current = await connection.fetchrow("SELECT * FROM record WHERE id = $1 AND current FOR UPDATE", row["id"])
        if current is None or current["version"] != row["version"]:
            raise StaleVersion
        await connection.execute("UPDATE record SET current = FALSE WHERE id = $1 AND current", row["id"])
        filing.previous, filing.lead = bytes(current["leaf_hash"]), current["lead"]
        if not filing.lead:
            others = await are_others(connection, row["case_id"], row["id"], filing.parties, filing.before)
            filing.proven = not (filing.tells or others)
        filing.carried = {
            f"{form}_{c}": current[f"{form}_{c}"] for c, i in INDEX.items() if i not in changed for form in "cm"
        }
        if not any(INDEX[category] in changed for category in COMMON):
            filing.carried[COMMON_COLUMN] = current[COMMON_COLUMN]
        effects = cases.effects_of(filing, services.directory)
        effects.stage = None  # a correction moves a case only by closing it, or opening it again: a mark does that
        if effects.region_code and not effects.acting:  # a report that named the wrong place
            duty = services.directory.duty_unit(effects.region_code)
            effects.called = duty.id if duty else None
        rows, target = Rows(), target_of(services.vault, row)
        if effects.marks.ends:
            waits = await connection.fetchrow("SELECT alert_open FROM cases WHERE id = $1", target.id)
            target.alert = waits is None or waits["alert_open"]
            may_end(effects, target)
        joins = effects.marks.accepts  # who filed the record works on the case, or refused to
        cases.touch_case(rows, target, filing, effects, changed, services.directory, joins=joins)
        finish(rows, services.vault, written(gate, Act.amend, filing), filing, target)
        cases.drop_parties(rows, filing, target)
        await rows.write(connection)
