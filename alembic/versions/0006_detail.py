"""What an entry of the log names stands apart from what it says.

Bodies are sealed with the log's key; the rows that an entry names are in `detail`, sealed with the key of the one case
that it is about. Entries from before keep all of it in their bodies. A review needs no case's key any more, and so no
index that holds them.
"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_log", sa.Column("detail", sa.LargeBinary()))
    op.execute("ALTER TABLE access_log ALTER detail SET STORAGE EXTERNAL")
    op.drop_index("cases_ref", "cases")
    op.create_index("cases_ref", "cases", ["ref"], unique=True)


def downgrade() -> None:
    op.drop_index("cases_ref", "cases")
    op.create_index("cases_ref", "cases", ["ref"], unique=True, postgresql_include=["id", "key_wrapped", "key_id"])
    op.drop_column("access_log", "detail")
