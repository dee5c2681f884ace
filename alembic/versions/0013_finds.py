"""By which keys of its parties a case is found: not by what is told of a case that was there, nor by other people's."""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("party_key", sa.Column("finds", sa.Boolean(), server_default=sa.text("TRUE"), nullable=False))


def downgrade() -> None:
    op.drop_column("party_key", "finds")
