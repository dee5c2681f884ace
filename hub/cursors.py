"""Where the next page begins: sealed, bound to the caller and the list it was given for, telling nothing."""

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from hub import clock
from hub.errors import BadRequest
from hub.keys import SealBroken
from hub.policies.gate import Gate


def _owner(gate: Gate, name: str) -> bytes:
    return b"|".join((b"cursor", name.encode(), gate.subject.actor, gate.subject.unit_code.encode()))


def make(gate: Gate, name: str, at: datetime, row: UUID, *more: int) -> str:
    """A cursor after the row with this time and id."""
    raw = orjson.dumps([clock.to_micros(at), row.hex, *more])
    return base64.urlsafe_b64encode(gate.services.vault.misc.seal(raw, _owner(gate, name))).decode()


def read(gate: Gate, name: str, cursor: str) -> tuple[Any, ...]:
    """What `make` was given; `BadRequest` for a cursor of somebody else, of another list, or altered."""
    try:
        sealed = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        at, row, *more = orjson.loads(gate.services.vault.misc.open(sealed, _owner(gate, name)))
        return (clock.from_micros(at), UUID(row), *more)
    except (ValueError, SealBroken):
        raise BadRequest("翻页标记无效。", "The cursor is not valid for this caller.") from None
