"""All tables, in one place for migrations and for the database role script."""

from sqlmodel import SQLModel

from hub.audit import entry
from hub.models import account, case, evidence, feed, household, party, region, report, sealed, unit

ALL = (account, case, entry, evidence, feed, household, party, region, report, sealed, unit)
NAMES = tuple(sorted(SQLModel.metadata.tables))
