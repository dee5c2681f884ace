"""Fewer rows and index entries a submission.

A record's id is a keyed hash of the request that brought it, so a table of such requests is not needed. Phone with
name stands beside the phone. The id numbers that contradict a match stand in the case, so that nobody looks for the
keys of a case. A household is what cases share the name of: its own table held nothing else.
"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

KEY = ("key", "case_id", "role")
IDS = {"victim_ids": "victim", "respondent_ids": "respondent"}


def upgrade() -> None:
    op.drop_table("idempotency_key")
    op.drop_table("household")
    op.add_column("record", sa.Column("digest", sa.LargeBinary()))
    for column, role in IDS.items():
        op.add_column("cases", sa.Column(column, sa.ARRAY(sa.LargeBinary()), nullable=False, server_default="{}"))
        op.execute(
            f"UPDATE cases c SET {column} = k.ids FROM (SELECT case_id, array_agg(DISTINCT key) AS ids FROM party_key"
            f" WHERE kind = 'id' AND role = '{role}' GROUP BY case_id) k WHERE k.case_id = c.id"
        )
    op.add_column("party_key", sa.Column("named", sa.LargeBinary(), nullable=False, server_default=""))
    op.drop_constraint("party_key_pkey", "party_key")
    # A hash of phone and name beside every phone of that role in the case: where there are several, it means one of
    # them, and beside the others it matches nothing.
    op.execute(
        "INSERT INTO party_key (key, case_id, role, named, kind, person_id)"
        " SELECT p.key, p.case_id, p.role, n.key, p.kind, n.person_id FROM party_key n"
        " JOIN party_key p ON p.case_id = n.case_id AND p.role = n.role AND p.kind = 'phone'"
        " WHERE n.kind = 'phone_name'"
    )
    op.execute(
        "DELETE FROM party_key p WHERE p.kind = 'phone_name' OR p.kind = 'phone' AND p.named = '' AND EXISTS"
        " (SELECT FROM party_key n WHERE n.key = p.key AND n.case_id = p.case_id AND n.role = p.role AND n.named <> '')"
    )
    op.create_primary_key("party_key_pkey", "party_key", [*KEY, "named"])
    op.drop_index("party_key_case", "party_key")


def downgrade() -> None:
    op.create_index("party_key_case", "party_key", ["case_id"])
    op.drop_constraint("party_key_pkey", "party_key")
    op.execute(
        "INSERT INTO party_key (key, case_id, role, kind, person_id)"
        " SELECT named, case_id, role, 'phone_name', person_id FROM party_key WHERE named <> ''"
    )
    op.execute(
        "DELETE FROM party_key a USING party_key b WHERE a.key = b.key AND a.case_id = b.case_id AND a.role = b.role"
        " AND a.ctid > b.ctid"
    )
    op.drop_column("party_key", "named")
    op.create_primary_key("party_key_pkey", "party_key", list(KEY))
    for column in IDS:
        op.drop_column("cases", column)
    op.drop_column("record", "digest")
    op.create_table(
        "household",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO household SELECT household_id, min(opened_at) FROM cases"
               " WHERE household_id IS NOT NULL GROUP BY household_id")
    op.create_table(
        "idempotency_key",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON household, idempotency_key TO hub_app")
