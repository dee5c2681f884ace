"""The only source of time. All times are UTC; people are shown China Standard Time (UTC+8, no DST)."""

import time
from datetime import UTC, date, datetime, timedelta, timezone

CST = timezone(timedelta(hours=8), "CST")


def now() -> datetime:
    """The current instant, aware, UTC."""
    return datetime.now(UTC)


def micros() -> int:
    """Microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000


def seconds() -> int:
    """Whole seconds since the epoch (JWT NumericDate, RFC 7519 section 2)."""
    return int(time.time())


def ticks() -> float:
    """Seconds on a clock that only runs forward: for how long something took, not for when it was."""
    return time.monotonic()


def from_micros(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def to_micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def today() -> date:
    """Today's date where the hub's users live."""
    return datetime.now(CST).date()


def text(at: datetime) -> str:
    """RFC 3339 with microseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
