"""Accounts and sessions of people: password (argon2id) and TOTP (RFC 6238), lockout; a session ends after 30 idle
minutes, and after twelve hours in any case (OWASP ASVS 4.0.3, 3.3.2)."""

import asyncio
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from pydantic import BaseModel, ConfigDict, Field

from hub import clock
from hub.audit.entry import Act
from hub.errors import Unauthenticated
from hub.keys import Vault
from hub.models.values import NO_NUL
from hub.policies.gate import Gate, nobody
from hub.policies.services import Services
from hub.policies.subject import Subject

FAILURES_ALLOWED = 5
LOCKED_FOR = timedelta(minutes=15)
REMEMBERED = 5.0
"""Seconds for which a session is not looked up by itself."""
_HASHER = PasswordHasher()
"""argon2-cffi's defaults are RFC 9106's low-memory profile of argon2id."""


class Login(BaseModel):
    """What a person logs in with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    login: str = Field(min_length=1, max_length=64, pattern=NO_NUL)
    password: str = Field(min_length=1, max_length=200, pattern=NO_NUL)
    code: str = Field(pattern=r"^[0-9]{6}$", description="动态码 TOTP")


@cache
def _nobody() -> str:
    """A hash that no password matches, for names that nobody has."""
    return _HASHER.hash(secrets.token_hex(16))


ACCOUNT = """
SELECT a.*, u.code, u.type, u.area, u.path FROM account a JOIN unit u ON u.id = a.unit_id
WHERE a.disabled_at IS NULL AND u.disabled_at IS NULL AND
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that began: its token (not stored) and the account's role."""

    token: str
    role: str
    idle_seconds: int
    longest_seconds: int


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


def seal_totp(services: Services, account_id: UUID, secret: str) -> bytes:
    return services.vault.misc.seal(secret.encode(), b"totp|" + account_id.bytes)


def open_totp(vault: Vault, account_id: UUID, sealed: bytes) -> str:
    return vault.misc.open(sealed, b"totp|" + account_id.bytes).decode()


def of_unit(row: Any) -> dict[str, Any]:
    """What a subject has of its unit, from a row joined with that."""
    return {
        "unit_type": row["type"],
        "unit_id": row["unit_id"],
        "unit_code": row["code"],
        "area": row["area"],
        "path": row["path"],
    }


def subject_of(row: Any, **more: Any) -> Subject:
    """The subject of an account row (joined with its unit)."""
    person = tuple(bytes(k) for k in (row["id_key"], row["phone_key"]) if k)
    return Subject(
        role=row["role"],
        account_id=row["id"],
        account_rev=row["rev"],
        person_keys=person,
        **of_unit(row),
        **more,
    )


def _stored(services: Services, token: str) -> bytes:
    """What the database holds of a session's token: keyed, so that who has the database alone makes no session."""
    return services.vault.lookup("session", token)


async def login(services: Services, name: str, password: str, code: str) -> Opened:
    """Open a session. Every failure (`Unauthenticated`) looks the same and takes an argon2 verification's time; all are
    logged."""
    row = await services.database.fetchrow(ACCOUNT + " a.login = $1", name)
    counted = row is not None and await _claim(services, row["id"])
    stored = row["password"] if row is not None else None
    right = await asyncio.to_thread(_matches, stored, password)
    token = secrets.token_urlsafe(32)
    session = _stored(services, token)
    known = row is not None and counted and right and await _second_factor(services, row, code)
    if not known or not await _open(services, row, session):
        gate = nobody(services) if row is None else Gate(services, subject_of(row), None)
        await gate.enter_refusal(Unauthenticated(), Act.login_fail)
        raise Unauthenticated(
            "账号、口令或动态码不正确，或账号已锁定。", "Wrong account, password or code, or the account is locked."
        )
    assert row is not None
    gate = Gate(services, subject_of(row, session=session.hex()[:16]), None)
    await services.committer.commit(gate.draft(Act.login))
    return Opened(token, row["role"], services.settings.idle_session, services.settings.longest_session)


async def _open(services: Services, row: Any, session: bytes) -> bool:
    """The session, unless the account was changed since its row was read: what was right then may be so no more."""
    async with services.database.transaction() as connection:
        sql = "UPDATE account SET failures = 0, locked_until = NULL WHERE id = $1 AND rev = $2"
        if await connection.execute(sql, row["id"], row["rev"]) != "UPDATE 1":
            return False
        await connection.execute(
            "INSERT INTO session (token_hash, account_id, opened_at, seen_at) VALUES ($1, $2, $3, $3)",
            session,
            row["id"],
            clock.now(),
        )
        return True


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(stored or _nobody(), password)
    except VerificationError:
        return False


async def _claim(services: Services, account_id: UUID) -> bool:
    """Count an attempt as failed before it is judged, so that guesses sent at once count too; False while locked.

    The fifth locks the account for a quarter of an hour; a success clears both.
    """
    now = clock.now()
    done = await services.database.execute(
        "UPDATE account SET failures = failures + 1, locked_until = CASE WHEN (failures + 1) % $2 = 0"
        " THEN $3::timestamptz END WHERE id = $1 AND (locked_until IS NULL OR locked_until <= $4)",
        account_id,
        FAILURES_ALLOWED,
        now + LOCKED_FOR,
        now,
    )
    return done == "UPDATE 1"


async def _second_factor(services: Services, row: Any, code: str) -> bool:
    """The code of this half minute or its neighbours, and never the same one twice."""
    if row["totp"] is None:
        return False
    totp, step = pyotp.TOTP(open_totp(services.vault, row["id"], row["totp"])), clock.seconds() // 30
    for candidate in (step - 1, step, step + 1):
        if candidate > row["totp_step"] and secrets.compare_digest(totp.at(candidate * 30), code):
            done = await services.database.execute(
                "UPDATE account SET totp_step = $2 WHERE id = $1 AND totp_step < $2", row["id"], candidate
            )
            return done == "UPDATE 1"
    return False


LIVING = """
FROM session s JOIN account a ON a.id = s.account_id JOIN unit u ON u.id = a.unit_id
WHERE s.token_hash = {}::bytea AND s.ended_at IS NULL AND s.seen_at > {}::timestamptz AND s.opened_at > {}::timestamptz
 AND a.disabled_at IS NULL AND u.disabled_at IS NULL
"""


PARTY_TO = (
    "SELECT c.ref FROM party_key k JOIN cases c ON c.id = k.case_id"
    " WHERE k.key = ANY($1::bytea[]) AND c.party_keys && $1::bytea[]"
)


def _bounds(services: Services) -> tuple[datetime, datetime]:
    """Since when a living session has been seen, and since when it began."""
    now, settings = clock.now(), services.settings
    return now - timedelta(seconds=settings.idle_session), now - timedelta(seconds=settings.longest_session)


async def session_subject(services: Services, token: str) -> Subject:
    """Who a session token is; being seen keeps it alive."""
    hashed, now = _stored(services, token), clock.now()
    sql = f"SELECT s.seen_at, a.*, u.code, u.type, u.area, u.path {LIVING.format('$1', '$2', '$3')}"
    row = await services.database.fetchrow(sql, hashed, *_bounds(services))
    if row is None:
        raise Unauthenticated
    if row["seen_at"] < now - timedelta(seconds=60):
        await services.database.execute("UPDATE session SET seen_at = $2 WHERE token_hash = $1", hashed, now)
    return subject_of(row, session=hashed.hex()[:16], token_hash=hashed)


def still_living(services: Services, subject: Subject, first: int) -> tuple[str, tuple[Any, ...]]:
    """For a verb that asks in its own statement whether a remembered session still lives: a condition, and its
    arguments from `first` on."""
    living = LIVING.format(*(f"${first + i}" for i in range(3)))
    known = subject.token_hash, *_bounds(services), subject.account_rev
    return f"EXISTS (SELECT {living} AND a.rev = ${first + 3}::int)", known


async def still_lives(services: Services, subject: Subject) -> None:
    """Raises `Unauthenticated` unless it does: where nothing came, for this or another reason."""
    living, args = still_living(services, subject, 1)
    if await services.database.fetchrow(f"SELECT WHERE {living}", *args) is None:
        raise Unauthenticated


class Sessions:
    """A session is looked up at every request, unless the verb `asks` itself, with its own statement, whether it
    still lives: then it is remembered for five seconds."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._known: dict[str, tuple[Subject, float]] = {}

    async def subject(self, token: str, asks: bool) -> Subject:
        subject, until = self._known.get(token, (None, 0.0))
        if subject is None or not asks or clock.ticks() > until:
            self.forget(token)
            subject = await session_subject(self.services, token)
            if asks:
                barred = await self.services.database.fetch(PARTY_TO, list(subject.person_keys))
                subject = replace(subject, barred=frozenset(row["ref"] for row in barred))
                self._known = {t: held for t, held in self._known.items() if held[1] > clock.ticks()}
                self._known[token] = subject, clock.ticks() + REMEMBERED
        return subject

    def forget(self, token: str) -> None:
        """Look it up at its next use."""
        self._known.pop(token, None)


async def logout(services: Services, token: str) -> None:
    hashed = _stored(services, token)
    await services.database.execute("UPDATE session SET ended_at = $2 WHERE token_hash = $1", hashed, clock.now())
