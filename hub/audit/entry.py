"""The log entry: a public leaf that commits to a sealed body. This form is final.

Leaf: canonical JSON (RFC 8785) of `v` format, `o` log origin, `w` chain, `n` gap-free counter in the chain,
`p` hash of the chain's previous leaf, `t` UTC microseconds, `c` commitment = HMAC-SHA-256(opening, body).
A chain is a writer (one process) for everything but changes; a change carries its record's version chain, so
that a rolled-back transaction leaves no gap. Leaf hash = SHA-256(0x00 || leaf) (RFC 6962).

The body says who did what, why, by which rules, on how many rows of which categories; the detail names the rows: case
by pseudonym, record, version. It is sealed apart, about one case with that case's own key, and the body holds the
SHA-256 of its envelope: who reviews the log reads bodies, and opens a detail only by an entry of its own.
"""

import base64
import hashlib
import unicodedata
from datetime import datetime
from enum import StrEnum
from struct import Struct
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, BigInteger, Column, DateTime, Index, LargeBinary, text
from sqlalchemy import UUID as SqlUUID
from sqlmodel import Field, SQLModel

FORMAT = 1
ORIGIN = "lianhu/log"
BODY_LIMIT = 8 * 1024
OPENING = 32
"""Bytes of the opening of a commitment, which is sealed before the body."""
GENESIS = bytes(32)
"""What the first leaf of a chain names as its predecessor."""


class Act(StrEnum):
    """What was done; the closed list of access-log acts. A logout is a `login` whose body says `ended`."""

    read = "read"
    list = "list"
    search = "search"
    counted = "count"
    export = "export"
    create = "create"
    amend = "amend"
    deny = "deny"
    login = "login"
    login_fail = "login-fail"
    policy = "policy"
    break_glass = "break-glass"
    audit_read = "audit-read"
    feed = "feed"
    webhook = "webhook"
    admin = "admin"
    start = "start"
    stop = "stop"


PENDING = {"gin_pending_list_limit": "1024"}
"""Kilobytes of references that wait to be sorted in, by whoever fills them up: with 4 MB, PostgreSQL's own, every
hundredth pull of 1,000 cases held up all entries for a quarter of a second."""


class Entry(SQLModel, table=True):
    """One row of the log. Columns beside the leaf are what an auditor filters by, pseudonymous."""

    __tablename__ = "access_log"
    __table_args__ = (
        Index("access_log_actor", "actor", text("at DESC"), text("w DESC"), text("n DESC")),
        Index("access_log_unit", "unit_id", text("at DESC")),
        Index("access_log_at", text("at DESC")),
        Index("access_log_cases", "case_refs", postgresql_using="gin", postgresql_with=PENDING),
    )

    w: UUID = Field(primary_key=True)
    n: int = Field(sa_column=Column(BigInteger, primary_key=True))
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    act: str
    purpose: str
    outcome: str
    status: int
    actor: UUID
    unit_id: UUID | None = None
    case_refs: list[UUID] = Field(sa_column=Column(ARRAY(SqlUUID(as_uuid=True)), nullable=False))
    leaf: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    detail: bytes | None = Field(default=None, sa_column=Column(LargeBinary))


class LogWriter(SQLModel, table=True):
    """Chains opened by processes, and the close that a successor wrote for each. Neither stands without its entry."""

    __tablename__ = "log_writer"

    w: UUID = Field(primary_key=True)
    event: str = Field(primary_key=True)
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    n: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


DEAD = """
SELECT w FROM log_writer o WHERE event = 'open' AND w <> $1
 AND NOT EXISTS (SELECT FROM log_writer c WHERE c.w = o.w AND c.event = 'close')
 AND EXISTS (SELECT FROM access_log l WHERE l.w = o.w) ORDER BY at LIMIT 200
"""
"""Chains, perhaps of dead processes, the oldest first; what a start does not get to is left to the next. Before
0.15.0 a chain was told of before it had entries."""
CLOSES = 50
"""So many ends does an entry name: a body holds 8 KiB."""

OURS = (
    "SELECT count(*) FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS o (w, n, leaf)"
    " JOIN access_log l ON (l.w, l.n, l.leaf) = (o.w, o.n, o.leaf)"
)
"""How many of these entries are there as they are."""


def canonical(value: dict[str, Any]) -> bytes:
    """RFC 8785 for what entries hold: NFC strings, booleans, integers below 2^53, lists and objects.

    Keys are ASCII, so sorting by code point is sorting by UTF-16 unit. Raises `ValueError` above 8 KiB, `TypeError` for
    what is none of these.
    """
    encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
    if not encoded.isascii():
        encoded = unicodedata.normalize("NFC", encoded.decode()).encode()
    if len(encoded) > BODY_LIMIT:
        raise ValueError("log body above 8 KiB")
    return encoded


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def leaf_bytes(w: UUID, n: int, previous: bytes, at_us: int, committed: bytes) -> bytes:
    """The canonical leaf, about 200 bytes; members in sorted order by construction."""
    return b'{"c":"%b","n":%d,"o":"%b","p":"%b","t":%d,"v":%d,"w":"%b"}' % (
        _b64(committed).encode(),
        n,
        ORIGIN.encode(),
        _b64(previous).encode(),
        at_us,
        FORMAT,
        w.hex.encode(),
    )


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 leaf hash."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def bound_to(w: UUID, n: int) -> bytes:
    """Associated data of a sealed body."""
    return b"access_log|%b|%d" % (w.bytes, n)


def detail_bound_to(w: UUID, n: int) -> bytes:
    """Associated data of a sealed detail."""
    return b"access_log.detail|%b|%d" % (w.bytes, n)


_NAMED = Struct(">16s16sH")
NAMED_BYTES = _NAMED.size
_NOTHING = bytes(16)


def named(case: UUID, record: UUID | None = None, version: int = 0) -> bytes:
    """A row as a detail names it: case by pseudonym, record (or attachment, version 0), version."""
    return _NAMED.pack(case.bytes, record.bytes if record is not None else _NOTHING, version)


def rows_of(detail: bytes) -> list[tuple[UUID, UUID | None, int]]:
    """The rows that a detail names, those of the body's first group first."""
    rows = _NAMED.iter_unpack(detail)
    return [(UUID(bytes=c), UUID(bytes=r) if r != _NOTHING else None, version) for c, r, version in rows]
