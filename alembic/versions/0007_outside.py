"""Which of a unit's cases lie outside its area: a list merges these with the cases of the area, none of them twice.

References of log entries wait in smaller heaps to be sorted into their index: sorting in held up all readers.
"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_unit", sa.Column("outside", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE case_unit l SET outside = TRUE FROM cases c, unit u"
        " WHERE c.id = l.case_id AND u.id = l.unit_id AND NOT starts_with(c.region_code, u.area)"
    )
    op.alter_column("case_unit", "outside", server_default=None)
    key = ["unit_id", "opened_at", "case_id"]
    op.create_index("case_unit_outside", "case_unit", key, unique=True, postgresql_where=sa.text("outside"))
    op.execute("ALTER INDEX access_log_cases SET (gin_pending_list_limit = 1024)")


def downgrade() -> None:
    op.execute("ALTER INDEX access_log_cases RESET (gin_pending_list_limit)")
    op.drop_index("case_unit_outside", "case_unit")
    op.drop_column("case_unit", "outside")
