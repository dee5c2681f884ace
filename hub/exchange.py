"""Submitting and amending records: what an agency's system or caseworker sends."""

from copy import copy
from functools import cache, partial
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError, create_model

from hub import cases, clock
from hub.audit.entry import Act
from hub.cases import target_of
from hub.casework import find_record, record_etag
from hub.errors import Forbidden, HubError, Invalid, PreconditionRequired, StaleVersion, Unavailable
from hub.filing import Filing, Rows, Target, filled, finish, recognise, setting, stamps
from hub.models.base import RecordFields
from hub.models.catalogue import KINDS, fields_of
from hub.models.directory import UnitInfo
from hub.models.fields import INDEX, Stamp
from hub.models.sealed import COMMON, COMMON_COLUMN, LAST, advanced, plain
from hub.policies.decide import CLEAR
from hub.policies.gate import STANDING, Gate
from hub.policies.query import Seen
from hub.writer import Filed, Submission, Writer


async def submit(
    gate: Gate,
    writer: Writer,
    fields: RecordFields,
    *,
    idempotency_key: str,
    digest: bytes,
    case_number: str = "",
) -> dict[str, Any]:
    """File one record in the caller's name; the same key again answers the same without a second effect.

    The record's id is a keyed hash of the caller and the key, so a repetition finds the record itself. The answer
    holds identifiers only, and looks alike whether the case was there or was opened now.
    Raises `Conflict` (409) while a copy is in progress, `Invalid` (422) for a key used with other content.
    """
    services, subject, kind = gate.services, gate.subject, type(fields).kind
    if not services.policy.may_write(subject.unit_type, kind):
        await gate.refuse(Forbidden("本类单位不提交此类记录。", "Not a kind that your unit submits.", kind=kind))
    assert subject.unit_id is not None
    values = plain(fields)
    parties, by = recognise(services.vault, values, kind), (subject.unit_id, subject.account_id, subject.client_id)
    caller = (str(subject.unit_id), subject.client_id or "")
    record_id = services.vault.id_for("idempotency", *caller, idempotency_key)
    filing = Filing(kind, values, parties, clock.now(), *by, record_id=record_id, digest=digest)
    named = await _named_case(gate, case_number, record_id) if case_number else None
    try:
        if not case_number:
            _may_find(filing, *NAMES_ITS_CASE)
        filed = await writer.file(Submission(filing, partial(_rows, gate, filing), subject.person_keys, target=named))
    except HubError as error:
        await gate.refuse(error, about=[named.ref] if named else ())
    if filed.again:
        await _enter_again(gate, filing, filed, named)
    return {"id": str(record_id), "case_id": str(filed.case_id)}


NAMES_ITS_CASE = {
    Stamp.reporter_confirmed: (
        "核实报案人须另行提交，以 Case-Number 指明个案",
        "to confirm a reporter, file a record that names the case",
    ),
    Stamp.closed: ("结案须以 Case-Number 指明个案", "to close a case, file a record that names it"),
}
"""What a record may not say of a case that names found. Confirming: an abuser may have reported in her name, and names
find the oldest case, perhaps his; his receipt would then show him what is done for her. Closing: an alert that waits
refuses it; found by names, that refusal would tell that the case is there, with no entry under it."""


def _may_find(filing: Filing, *said: Stamp) -> None:
    """`Invalid` points at the field by which a record whose case is not named says one of these anew."""
    now, was = (stamps(filing.kind, values) for values in (filing.values, filing.was))
    for name, stamp in setting(filing.kind):
        if stamp in said and now.get(stamp) and not was.get(stamp):
            zh, en = NAMES_ITS_CASE[stamp]
            raise Invalid(errors=[{"pointer": f"/{name}", "zh": zh, "en": en}])


PARTY = """
SELECT FROM record r JOIN cases c ON c.id = r.case_id
WHERE r.id = $1::uuid AND r.version = 1 AND r.account_id IS DISTINCT FROM $3::uuid AND c.party_keys && $2::bytea[]
"""
"""Is the caller a party to the case of a record that somebody else filed? What he filed himself he knows."""


async def _enter_again(gate: Gate, filing: Filing, filed: Filed, named: Target | None) -> None:
    """A repetition writes nothing and reads where the record lies: an entry under its case says so, and so does one of
    the refusal of other content, which tells too that the case it `named` is there. To a party all is other content."""
    ref, subject = gate.services.vault.pseudonym("case", filed.case_id.bytes), gate.subject
    asked = filing.record_id, list(subject.person_keys), subject.account_id
    party = await gate.services.database.fetchrow(PARTY, *asked) is not None
    if party or filed.digest != filing.digest:
        zh, en = "此 Idempotency-Key 已用于另一内容。", "This Idempotency-Key was used with other content."
        used = {"pointer": "", "zh": "幂等键重复", "en": "idempotency key reused"}
        about = {ref, named.ref} if named else {ref}
        await gate.refuse(Invalid(zh, en, errors=[used]), about=about, conflict=party)
    draft = gate.draft(Act.read)
    draft.case_refs = [ref]
    draft.body |= {"kind": filing.kind, "query": "again", "count": 0}
    await gate.services.committer.commit(draft)


async def _named_case(gate: Gate, name: str, record_id: UUID) -> Target | None:
    """The open case that the caller names by its number, or by an id it was given. A request answered before
    needs none, and may itself have closed the case since."""
    if await gate.services.database.fetchrow("SELECT 1 FROM record WHERE id = $1", record_id):
        return None
    try:
        row = await gate.locate("c.id", UUID(name))
    except ValueError:
        row = await gate.locate("c.number", name)
    return target_of(gate.services.vault, row)


def _rows(gate: Gate, filing: Filing, rows: Rows, target: Target) -> None:
    """Everything a submission writes."""
    _case_rows(gate, rows, filing, target)
    finish(rows, gate.services.vault, gate.draft(Act.create), filing, target)


def _case_rows(gate: Gate, rows: Rows, filing: Filing, target: Target) -> None:
    directory, subject = gate.services.directory, gate.subject
    effects = cases.effects_of(filing, directory)
    secret_origin = not effects.acting  # then the case must look as after an anonymous report
    assert subject.unit_id is not None
    handler = directory.units[subject.unit_id]
    duty: UnitInfo | None = directory.duty_unit(effects.region_code or handler.region_code) if secret_origin else None
    region = effects.region_code or (duty or handler).region_code  # where a secret origin lies might tell which it is
    filing.lead = target.new
    attended = subject.account_id is not None and not secret_origin  # behind a system's own sync stands nobody
    if not target.new:
        effects.called = duty.id if duty else None  # a mandatory report brings in who must act on it
        police = attended and subject.unit_type == "police"
        _may_end(effects, target, answers=police and directory.covers(subject.unit_id, target.region))
        cases.touch_case(
            rows,
            target,
            filing,
            effects,
            filled(filing),
            directory,
            handed_over=attended and subject.role != "intake",
            answered=police,
            new_record=True,
        )
        return
    if secret_origin and duty is None:
        raise Unavailable("尚无值班单位。", "No unit is on duty yet.")
    cases.add_case(
        rows,
        target,
        filing,
        effects,
        duty or handler,
        region,
        directory,
        alert=secret_origin,
        intake=secret_origin,
        reporting=subject.unit_id if secret_origin else None,
    )


def _may_end(effects: cases.Effects, target: Target, *, answers: bool = False) -> None:
    """Nobody could answer the alert of a closed or sealed case: whoever ends one answers it, or waits for who does."""
    if effects.marks.ends and target.alert and not answers:
        zh, en = (
            "个案有未应答的警情，须先由警方处置，方可结案、封存。",
            "An alert on this case waits for the police: it cannot be closed or sealed yet.",
        )
        raise Forbidden(zh, en, reason="alert")


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
    _may_find(filing, Stamp.reporter_confirmed)  # to what case it came is not known any more
    accepted = (stamps(filing.kind, values).get(Stamp.accepted) for values in (filing.values, filing.was))
    if tuple(accepted) == (True, False) and not item.row["facts"] & STANDING:
        raise Forbidden("转介已不在本单位，须重新转介。", "No referral to you is open any more; ask for a new one.")


def _merge(gate: Gate, item: Seen, patch: dict[str, Any]) -> tuple[Filing, list[int]]:
    """The next version: clear fields patched and validated; masked and withheld categories stay as they are."""
    row, model = item.row, KINDS[item.row["kind"]]
    infos = {info.name: info for info in fields_of(model)}
    hidden = {n for n, i in infos.items() if item.decision.outcome(i.category) != CLEAR}
    old = {n: v for n, v in orjson.loads(b"{%b}" % item.members).items() if n not in hidden}
    for name in patch:
        if name in hidden:
            raise Forbidden(
                "此目的下不得修改该类数据。", "This purpose does not open that category.", category=infos[name].category
            )
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
            _may_end(effects, target)
        joins = effects.marks.accepts  # who filed the record works on the case, or refused to
        cases.touch_case(rows, target, filing, effects, changed, services.directory, joins=joins)
        finish(rows, services.vault, gate.draft(Act.amend), filing, target)
        cases.drop_parties(rows, filing, target)
        await rows.write(connection)
