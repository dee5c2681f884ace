"""Receipts: what a reporter keeps, and who it makes its holder."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub import clock, keys
from hub.audit.entry import Act
from hub.cases import letters
from hub.errors import NotFound
from hub.policies.gate import Gate
from hub.policies.services import Services
from hub.policies.subject import REPORTER, Purpose, Subject

UNGUESSABLE = 16
"""How long an `Idempotency-Key` must be: whoever sent the same words under the same key would get this receipt."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the reporter keeps. 16 digits find the report; the second secret opens what was submitted."""

    code: str
    secret: str
    at: datetime
    record_id: UUID


def receipt_for(vault: keys.Vault, told: str, key: str) -> Receipt:
    """The receipt of a report that says `told`. Sent again under the same `key`, because no answer came, it is the same
    report and has the same receipt; other words under that key are another report. A key that strangers might hit upon
    is no key."""
    if len(key) < UNGUESSABLE:
        key = secrets.token_hex(32)
    code, secret = (int.from_bytes(vault.lookup(part, key, told)) for part in ("new_code", "new_secret"))
    record_id = vault.id_for("new_report", key, told)
    return Receipt(f"{code % 10**16:016d}", letters(secret, 12), clock.now(), record_id)


async def receipt_subject(services: Services, code: str, secret: str) -> Subject:
    """Who holds this receipt; a wrong secret counts as no receipt at all.

    Anybody can say that she is the victim, her abuser first: until the police have confirmed it in person, the
    holder sees what any reporter does, status in words and what was submitted.
    """
    code = "".join(c for c in code if c.isdigit())
    row = await services.database.fetchrow(
        "SELECT r.*, c.reporter_confirmed FROM receipt r JOIN cases c ON c.id = r.case_id WHERE r.code_hash = $1",
        services.vault.lookup("receipt", code),
    )
    if row is None or len(code) != 16:
        raise NotFound
    name = str(services.vault.pseudonym("receipt", row["record_id"].bytes))
    if not secret:
        return Subject(REPORTER, "reporter_receipt", own_case=row["case_id"], key=name)
    given = services.vault.lookup("receipt_secret", code, secret.upper().replace("-", "").replace(" ", ""))
    if not secrets.compare_digest(given, bytes(row["secret_hash"])):
        guess = Subject(REPORTER, "reporter_receipt", own_case=row["case_id"], key=name)
        await reporter_gate(services, guess).refuse(NotFound(), Act.login_fail)
    role = "reporter_victim" if row["reporter_is_victim"] and row["reporter_confirmed"] else "reporter_other"
    return Subject(REPORTER, role, unit_id=row["record_id"], own_case=row["case_id"], key=name)


def reporter_gate(services: Services, subject: Subject) -> Gate:
    return Gate(services, subject, Purpose.own_report)
