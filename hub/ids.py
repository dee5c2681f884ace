"""Ids (UUID, RFC 9562) as asyncpg has them: it takes and hands over its own in C, any other by a call for each, and a
submission names fifty. They are equal to Python's own, and in SQL alike; `orjson` writes only those, so an answer takes
an id as text."""

import os
from uuid import UUID

from asyncpg.pgproto import pgproto


def of_bytes(data: bytes) -> UUID:
    """An id from its 16 bytes."""
    made: UUID = pgproto.UUID(data)
    return made


def of_text(text: str) -> UUID:
    """An id from its text; raises `ValueError`."""
    made: UUID = pgproto.UUID(text)
    return made


def is_uuid(text: str) -> bool:
    try:
        of_text(text)
    except ValueError:
        return False
    return True


def new_id() -> UUID:
    """A random id, version 4."""
    return random_form(os.urandom(16))


def random_form(drawn: bytes) -> UUID:
    """16 random bytes in the form of version 4, which leaves 122 bits of them."""
    return of_bytes(b"%b%c%b%c%b" % (drawn[:6], drawn[6] & 0x0F | 0x40, drawn[7:8], drawn[8] & 0x3F | 0x80, drawn[9:]))
