"""The household (特殊档案): cases that share a person belong to one household archive."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime
from sqlmodel import Field, SQLModel


class Household(SQLModel, table=True):
    id: UUID = Field(primary_key=True)
    opened_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
