"""All tables, in one place: for migrations and for the database role script."""

from sqlmodel import SQLModel

from hub.audit import entry
from hub.models import account, case, evidence, feed, party, region, report, sealed, unit

ALL = (account, case, entry, evidence, feed, party, region, report, sealed, unit)
TABLES = SQLModel.metadata.tables
NAMES = tuple(sorted(TABLES))
