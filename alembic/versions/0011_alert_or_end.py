"""No case has both: an alert that waits, and an end (closed, sealed) after which nobody on duty finds it. A record that
alerts and one that ends, at one moment, are a conflict for the later.

First chunks of files are indexed by time: the worker looks for those of uploads that broke off.

Alerts that ended cases from before still have are taken back, since nobody can answer them; their number is printed.
"""

import sys

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

OPEN = "NOT alert_open OR status = 'open' AND sealed_by IS NULL"


def upgrade() -> None:
    op.execute("LOCK TABLE cases IN SHARE ROW EXCLUSIVE MODE")  # before any row of it, or a writer waits for us and we for it
    found = op.get_bind().execute(sa.text(f"UPDATE cases SET alert_open = FALSE WHERE NOT ({OPEN})")).rowcount
    if found:
        print(f"{found} 个已结案或封存的个案尚有未应答的警情，已撤。Ended cases had alerts: taken back.", file=sys.stderr)
    op.create_check_constraint("cases_alert_open", "cases", OPEN, postgresql_not_valid=True)
    op.execute("ALTER TABLE cases VALIDATE CONSTRAINT cases_alert_open")
    op.create_index("attachment_chunk_first", "attachment_chunk", ["at"], postgresql_where=sa.text("n = 0"))


def downgrade() -> None:
    op.drop_index("attachment_chunk_first", "attachment_chunk")
    op.drop_constraint("cases_alert_open", "cases")
