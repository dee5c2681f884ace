"""The outbox of changes: one row beside every change, in its transaction.

It carries no order: the sequencer numbers it later as it numbers the log, as a set and not by a cursor.
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
