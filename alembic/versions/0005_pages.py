"""What a list shows stands in the order of the list, and as it is shown.

The records that opened cases are indexed in the order of their cases: a list walks one part of that index instead of
all of it; somebody's entries are indexed in the order in which they are shown. An entry stays in one piece up to the
size of a page. What most callers see of a record may stand in one envelope. What kinds of records a case has and which
units act on it are text, ready to be sent.
"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

LEAD = {"unique": True, "postgresql_where": sa.text("current AND lead")}
SHOWN = {
    "acting": ("uuid[]", "array_to_string(acting, ',')", "string_to_array(acting, ',')::uuid[]"),
    "kinds": (
        "varchar[]",
        """CASE WHEN kinds = '{}' THEN '' ELSE '"' || array_to_string(kinds, '","') || '"' END""",
        """string_to_array(replace(kinds, '"', ''), ',')::varchar[]""",
    ),
}


def _retype(column: str, type_: str, using: str, default: str) -> None:
    op.execute(f"ALTER TABLE cases ALTER {column} DROP DEFAULT")
    op.execute(f"ALTER TABLE cases ALTER {column} TYPE {type_} USING {using}")
    op.execute(f"ALTER TABLE cases ALTER {column} SET DEFAULT '{default}'")


def upgrade() -> None:
    op.drop_index("record_lead", "record")
    op.create_index("record_lead", "record", ["at", "case_id"], **LEAD)
    op.drop_index("access_log_actor", "access_log")
    op.create_index("access_log_actor", "access_log", ["actor", *map(sa.text, ("at DESC", "w DESC", "n DESC"))])
    op.add_column("record", sa.Column("c_common", sa.LargeBinary()))
    op.execute("ALTER TABLE record ALTER c_common SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE access_log SET (toast_tuple_target = 8160)")
    op.execute("ALTER TABLE access_log ALTER body SET STORAGE EXTERNAL")
    for column, (_, shown, _) in SHOWN.items():
        _retype(column, "text", shown, "")


def downgrade() -> None:
    for column, (array, _, back) in SHOWN.items():
        _retype(column, array, back, "{}")
    op.execute("ALTER TABLE access_log ALTER body SET STORAGE EXTENDED")
    op.execute("ALTER TABLE access_log RESET (toast_tuple_target)")
    op.drop_column("record", "c_common")
    op.drop_index("access_log_actor", "access_log")
    op.create_index("access_log_actor", "access_log", ["actor", sa.text("at DESC")])
    op.drop_index("record_lead", "record")
    op.create_index("record_lead", "record", ["case_id"], **LEAD)
