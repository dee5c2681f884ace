"""Submitting records: what an agency's system or caseworker sends."""

from functools import partial
from typing import Any
from uuid import UUID

from hub import cases, clock, marks
from hub.audit.committer import Draft
from hub.audit.entry import Act
from hub.cases import target_of
from hub.errors import Forbidden, HubError, Invalid, Unavailable
from hub.filing import Filing, Rows, Target, filled, finish, setting, stamps
from hub.models.base import RecordFields
from hub.models.directory import UnitInfo
from hub.models.fields import Stamp
from hub.models.sealed import plain
from hub.parties import are_others, conflict_keys, recognise
from hub.policies.decide import CLEAR
from hub.policies.facts import BIT
from hub.policies.gate import Gate
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
    named = await _named_case(gate, case_number, filing) if case_number else None
    try:
        if not case_number:
            may_find(filing, *NAMES_ITS_CASE)
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


def may_find(filing: Filing, *said: Stamp) -> None:
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


async def _named_case(gate: Gate, name: str, filing: Filing) -> Target | None:
    """The open case that the caller names by its number, or by an id it was given. A request answered before
    needs none, and may itself have closed the case since."""
    database = gate.services.database
    if await database.fetchrow("SELECT 1 FROM record WHERE id = $1", filing.record_id):
        return None
    try:
        row = await gate.locate("c.id", UUID(name))
    except ValueError:
        row = await gate.locate("c.number", name)
    try:
        may_close(gate, row["facts"], filing)
    except HubError as error:
        await gate.refuse(error, about=[row["ref"]])
    filing.proven = not await are_others(database, row["case_id"], filing.record_id, filing.parties)
    return target_of(gate.services.vault, row)


INVOLVED = BIT["involved"]


def may_close(gate: Gate, facts: int, filing: Filing) -> None:
    """Who may not know how a case is handled, even when at work on it, neither closes nor seals it: the refusal that an
    alert waits would tell of the alert."""
    ends = marks.said(filing, gate.services.directory).ends
    if ends and gate.table.decide(facts | INVOLVED).routine != CLEAR:
        zh = "看不到个案办理情况的单位不得结案、封存。"
        en = "A unit that is not told how a case is handled neither closes nor seals it."
        raise Forbidden(zh, en, reason="routine")


def _rows(gate: Gate, filing: Filing, rows: Rows, target: Target) -> None:
    """Everything a submission writes."""
    _case_rows(gate, rows, filing, target)
    finish(rows, gate.services.vault, written(gate, Act.create, filing), filing, target)


def written(gate: Gate, act: Act, filing: Filing) -> Draft:
    """The entry of what the caller writes. About himself he may, in a case that he then does not read: another unit's
    officer should know."""
    draft = gate.draft(act)
    if not set(gate.subject.person_keys).isdisjoint(conflict_keys(filing.parties)):
        draft.conflict()
    return draft


def _case_rows(gate: Gate, rows: Rows, filing: Filing, target: Target) -> None:
    directory, subject = gate.services.directory, gate.subject
    effects = cases.effects_of(filing, directory)
    secret_origin = not effects.acting  # then the case must look as after an anonymous report
    assert subject.unit_id is not None
    handler = directory.units[subject.unit_id]
    duty: UnitInfo | None = directory.duty_unit(effects.region_code or handler.region_code) if secret_origin else None
    region = effects.region_code or (duty or handler).region_code  # where a secret origin lies might tell which it is
    filing.lead = target.new
    filing.proven = target.new or (filing.proven and not secret_origin)
    attended = subject.account_id is not None and not secret_origin  # behind a system's own sync stands nobody
    if not target.new:
        effects.called = duty.id if duty else None  # a mandatory report brings in who must act on it
        police = attended and subject.unit_type == "police"
        may_end(effects, target, answers=police and directory.covers(subject.unit_id, target.region))
        done = {"handed_over": attended and subject.role != "intake", "answered": police, "new_record": True}
        cases.touch_case(rows, target, filing, effects, filled(filing), directory, **done)
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


def may_end(effects: cases.Effects, target: Target, *, answers: bool = False) -> None:
    """Nobody could answer the alert of a closed or sealed case: whoever ends one answers it, or waits for who does."""
    if effects.marks.ends and target.alert and not answers:
        zh, en = (
            "个案有未应答的警情，须先由警方处置，方可结案、封存。",
            "An alert on this case waits for the police: it cannot be closed or sealed yet.",
        )
        raise Forbidden(zh, en, reason="alert")
