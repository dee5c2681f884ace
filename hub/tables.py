"""All tables, in one place: for migrations, for the database role script, and for the types of columns."""

from sqlmodel import SQLModel

from hub.audit import entry
from hub.models import account, case, evidence, feed, household, party, region, report, sealed, unit

ALL = (account, case, entry, evidence, feed, household, party, region, report, sealed, unit)
TABLES = SQLModel.metadata.tables
NAMES = tuple(sorted(TABLES))
