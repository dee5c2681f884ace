"""Who may ask: accounts of people, clients (agency systems), sessions, spent assertions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

CASE_ROLES = ("intake", "caseworker", "supervisor")
ADMIN_ROLES = ("auditor", "policy_admin", "sysadmin")
"""Three administrators, exclusive of each other and of case work (GB/T 22239-2019, 三员分立)."""
ROLES = CASE_ROLES + ADMIN_ROLES


def _when(nullable: bool = True) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


class Account(SQLModel, table=True):
    """A person. One who works through an agency's own system has no password here.

    `rev` grows with every change that matters to authorisation; `id_key` is the keyed hash of the id number,
    by which a conflict of interest shows.
    """

    __table_args__ = (UniqueConstraint("unit_id", "name"),)

    id: UUID = Field(primary_key=True)
    unit_id: UUID = Field(foreign_key="unit.id", index=True)
    name: str = Field(max_length=64)
    role: str
    login: str | None = Field(default=None, unique=True, max_length=64)
    id_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    phone_key: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    password: str | None = None
    totp: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    totp_step: int = 0
    failures: int = 0
    locked_until: datetime | None = Field(default=None, sa_column=_when())
    disabled_at: datetime | None = Field(default=None, sa_column=_when())
    rev: int = 1


class Client(SQLModel, table=True):
    """An agency's system: its public keys (JWKS, ES256) and the scopes its unit may use."""

    id: str = Field(primary_key=True, max_length=64)
    unit_id: UUID = Field(foreign_key="unit.id", index=True)
    jwks: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    scopes: str = "cases:read records:write"
    disabled_at: datetime | None = Field(default=None, sa_column=_when())
    rev: int = 1


class Session(SQLModel, table=True):
    """A person's session; the token itself is not stored. Ends after 30 idle minutes, and after twelve hours."""

    __table_args__ = (Index("session_opened", "opened_at"),)

    token_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    account_id: UUID = Field(foreign_key="account.id", index=True)
    opened_at: datetime = Field(sa_column=_when(False))
    seen_at: datetime = Field(sa_column=_when(False))
    ended_at: datetime | None = Field(default=None, sa_column=_when())


class SpentAssertion(SQLModel, table=True):
    """A client assertion's `jti` is good once (RFC 7523 section 3)."""

    __tablename__ = "spent_assertion"

    jti_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    expires_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False, index=True))
