"""Units: agencies and their branches. A unit type is data: the words that `policy.csv` uses."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime
from sqlmodel import Field, SQLModel


class Unit(SQLModel, table=True):
    """One unit. `area` is the region prefix it answers for; `path` its line of superiors, itself last."""

    id: UUID = Field(primary_key=True)
    code: str = Field(unique=True, max_length=64)
    name: str
    type: str = Field(index=True)
    region_code: str = Field(foreign_key="region.code")
    area: str = Field(index=True)
    parent_id: UUID | None = Field(default=None, foreign_key="unit.id")
    path: str
    latitude: float | None = None
    longitude: float | None = None
    on_duty: bool = True
    disabled_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
