"""Sessions end twelve hours after the login, however busy, and their rows are removed after a month.

A review of the log asks in its own statement whether the officer's session still lives, now also when it began.
"""

from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("session_opened", "session", ["opened_at"])
    op.execute("GRANT DELETE ON session TO hub_app")
    op.execute("GRANT SELECT (opened_at) ON session TO hub_auditor")


def downgrade() -> None:
    op.execute("REVOKE SELECT (opened_at) ON session FROM hub_auditor")
    op.execute("REVOKE DELETE ON session FROM hub_app")
    op.drop_index("session_opened", "session")
