"""Cheaper rows, and lists that walk one index.

What a change marks is kept as microseconds (seventeen timestamps a row cost more to read than the rest of it). A
unit's cases stand in order in `case_unit`, which replaces three GIN indexes that knew no order.
"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

REFERENCES = (("cases", "household_id"), ("record", "case_id"), ("party_key", "case_id"), ("party_key", "party_id"))
"""Foreign keys inside what one statement writes under ids made for it; nothing is deleted, so they guard nothing."""
GONE = ("involved", "referred", "named")


def _retype(name: str, type_: str, each: str) -> None:
    """Change the type of an array column, element by element."""
    op.execute(f"ALTER TABLE cases ADD COLUMN fresh {type_}[]")
    op.execute(
        f"UPDATE cases SET fresh = ARRAY(SELECT {each} FROM unnest({name}) WITH ORDINALITY AS u (t, i) ORDER BY i)"
    )
    op.execute(f"ALTER TABLE cases DROP COLUMN {name}")
    op.execute(f"ALTER TABLE cases RENAME COLUMN fresh TO {name}")
    op.execute(f"ALTER TABLE cases ALTER COLUMN {name} SET NOT NULL")


def upgrade() -> None:
    _retype("touched", "bigint", "(extract(epoch FROM t) * 1000000)::bigint")
    op.create_table(
        "case_unit",
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "opened_at", "case_id"),
    )
    op.execute(
        "INSERT INTO case_unit SELECT u, opened_at, id FROM cases, unnest(involved || referred || named) u"
        " UNION SELECT u.id, c.opened_at, c.id FROM cases c JOIN unit u"
        " ON starts_with(c.handler_path || '/', u.path || '/')"
    )
    op.execute("GRANT SELECT, INSERT ON case_unit TO hub_app")
    for index in GONE:
        op.drop_index(f"cases_{index}", "cases")
    op.drop_index("cases_region", "cases")
    op.drop_index("cases_touched", "cases")
    op.drop_column("cases", "touched_at")
    op.add_column("cases", sa.Column("reporter_confirmed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("record_current", "record")
    op.drop_index("record_case", "record")
    op.create_index("record_case", "record", ["case_id", "at", "id"])  # in the order in which a case shows them
    op.drop_constraint("change_pkey", "change")
    op.create_primary_key("change_pkey", "change", ["at", "record_id", "version"])
    for table, column in REFERENCES:
        op.drop_constraint(f"{table}_{column}_fkey", table)
    op.add_column("party_key", sa.Column("person_id", sa.Uuid()))
    op.execute("UPDATE party_key k SET person_id = p.person_id FROM party p WHERE p.id = k.party_id")
    op.alter_column("party_key", "person_id", nullable=False)
    op.drop_column("party_key", "party_id")
    op.drop_table("party")
    # A review of the log opens bodies under the keys of fifty cases: all it needs of them stands in the index.
    op.drop_constraint("cases_ref_key", "cases")
    op.create_index("cases_ref", "cases", ["ref"], unique=True, postgresql_include=["id", "key_wrapped", "key_id"])


def downgrade() -> None:
    op.drop_column("cases", "reporter_confirmed")
    op.drop_index("cases_ref", "cases")
    op.create_unique_constraint("cases_ref_key", "cases", ["ref"])
    _parties()
    op.drop_constraint("change_pkey", "change")
    op.create_primary_key("change_pkey", "change", ["record_id", "version"])
    op.drop_index("record_case", "record")
    op.create_index("record_case", "record", ["case_id", "at"])
    op.create_index("record_current", "record", ["id"], unique=True, postgresql_where=sa.text("current"))
    op.create_foreign_key("cases_household_id_fkey", "cases", "household", ["household_id"], ["id"])
    for table in ("record", "party_key"):
        op.create_foreign_key(f"{table}_case_id_fkey", table, "cases", ["case_id"], ["id"])
    op.add_column("cases", sa.Column("touched_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE cases SET touched_at = (SELECT to_timestamp(max(t) / 1000000.0) FROM unnest(touched) t)")
    op.alter_column("cases", "touched_at", nullable=False)
    op.create_index("cases_touched", "cases", ["touched_at"])
    for index in GONE:
        op.create_index(f"cases_{index}", "cases", [index], postgresql_using="gin")
    op.create_index("cases_region", "cases", ["region_code"])
    op.drop_table("case_unit")
    _retype("touched", "timestamptz", "to_timestamp(t / 1000000.0)")


def _parties() -> None:
    """The table of parties again, one for each person and role in a case."""
    op.execute(
        "CREATE TABLE party AS SELECT gen_random_uuid() AS id, k.case_id, k.role, k.person_id,"
        " c.handler_id AS unit_id, c.opened_at AS at FROM party_key k JOIN cases c ON c.id = k.case_id"
        " GROUP BY k.case_id, k.role, k.person_id, c.handler_id, c.opened_at"
    )
    op.create_primary_key("party_pkey", "party", ["id"])
    op.create_foreign_key("party_case_id_fkey", "party", "cases", ["case_id"], ["id"])
    op.create_index("ix_party_case_id", "party", ["case_id"])
    op.create_index("ix_party_person_id", "party", ["person_id"])
    op.execute("GRANT SELECT, INSERT, UPDATE ON party TO hub_app")
    op.add_column("party_key", sa.Column("party_id", sa.Uuid()))
    op.execute(
        "UPDATE party_key k SET party_id = p.id FROM party p"
        " WHERE p.case_id = k.case_id AND p.role = k.role AND p.person_id = k.person_id"
    )
    op.alter_column("party_key", "party_id", nullable=False)
    op.create_foreign_key("party_key_party_id_fkey", "party_key", "party", ["party_id"], ["id"])
    op.drop_column("party_key", "person_id")
