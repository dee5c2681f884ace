"""The outbox of changes: one row beside every change, in its transaction.

It carries no order: rows become visible when their transactions end, not in the order of their times.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Column, DateTime, SmallInteger
from sqlmodel import Field, SQLModel


class Change(SQLModel, table=True):
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    record_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    case_id: UUID
    categories: list[int] = Field(sa_column=Column(ARRAY(SmallInteger), nullable=False))
