"""The same file attached again, because no answer came, is known by a keyed digest. Files from before have none."""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attachment", sa.Column("digest", sa.LargeBinary()))
    op.create_index("attachment_record", "attachment", ["record_id", "digest"], unique=True)
    op.drop_index("ix_attachment_record_id", "attachment")


def downgrade() -> None:
    op.create_index("ix_attachment_record_id", "attachment", ["record_id"])
    op.drop_index("attachment_record", "attachment")
    op.drop_column("attachment", "digest")
