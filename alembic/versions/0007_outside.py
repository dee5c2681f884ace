"""Which of a unit's cases lie outside its area: a list merges these with the cases of the area, none of them twice."""

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


def downgrade() -> None:
    op.drop_index("case_unit_outside", "case_unit")
    op.drop_column("case_unit", "outside")
