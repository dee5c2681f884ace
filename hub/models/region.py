"""Administrative divisions: GB/T 2260 codes padded to the 12-digit statistical form."""

from datetime import datetime

from sqlalchemy import Column, DateTime
from sqlmodel import Field, SQLModel

TIERS = {"province": 2, "city": 4, "county": 6, "township": 9, "community": 12}
"""How many leading digits name a division of each level."""


class Region(SQLModel, table=True):
    code: str = Field(primary_key=True, max_length=12)
    name: str
    level: str
    parent: str = ""
    disabled_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


def area(code: str) -> str:
    """The prefix that all codes inside this division share: 370102000000 -> 370102."""
    for digits in TIERS.values():
        if not code[digits:].strip("0"):
            return code[:digits]
    return code


def prefix_of(digits: str) -> str:
    """The same of what a caller gives: a code, whole or of a tier, else its first digits."""
    return area(digits.ljust(12, "0")) if len(digits) in TIERS.values() else digits
