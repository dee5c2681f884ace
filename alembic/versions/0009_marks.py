"""What records say about their case stands in rows of its own, by record: a correction takes back what its record said and
nothing else. So do the keys of parties. A case has as many units on duty as have a report of it.

Of data from before, a case keeps what it has; who said it is not known. A correction of such a record takes it back.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

BEFORE = "'00000000-0000-0000-0000-000000000000'::uuid"
KEY = ("key", "case_id", "role", "named")
WORDS = {
    "risk_level": ("risk_level", "risk_level <> 'unknown'", "handler_id"),
    "closed": ("'true'", "status = 'closed'", "handler_id"),
    "sealed": ("'true'", "sealed_by IS NOT NULL", "sealed_by"),
    "reporter_confirmed": ("'true'", "reporter_confirmed", "handler_id"),
}


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "mark",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("stamp", sa.String(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("said", moment, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "stamp", "record_id", "value"),
    )
    into = "INSERT INTO mark (case_id, stamp, record_id, value, unit_id, at, said)"
    for stamp, (value, where, unit) in WORDS.items():
        op.execute(f"{into} SELECT id, '{stamp}', {BEFORE}, {value}, {unit}, opened_at, opened_at FROM cases WHERE {where}")
    for stamp in ("named", "referred"):
        op.execute(
            f"{into} SELECT DISTINCT c.id, '{stamp}', {BEFORE}, u::text, c.handler_id, c.opened_at, c.opened_at"
            f" FROM cases c, unnest(c.{stamp}) u"
        )
    op.execute("GRANT SELECT, INSERT, DELETE ON mark TO hub_app")
    op.add_column("party_key", sa.Column("record_id", sa.Uuid(), nullable=False, server_default=sa.text(BEFORE)))
    op.alter_column("party_key", "record_id", server_default=None)
    op.drop_constraint("party_key_pkey", "party_key")
    op.create_primary_key("party_key_pkey", "party_key", [*KEY, "record_id"])
    op.execute("GRANT DELETE ON party_key TO hub_app")
    units = sa.Column("intake", postgresql.ARRAY(sa.Uuid()), nullable=False, server_default=sa.text("'{}'"))
    op.add_column("cases", units)
    op.execute("UPDATE cases SET intake = ARRAY[duty_unit_id] WHERE intake_open AND duty_unit_id IS NOT NULL")
    op.execute("GRANT UPDATE (intake) ON cases TO hub_app")
    op.drop_index("cases_intake", "cases")
    op.drop_column("cases", "duty_unit_id")
    op.drop_column("cases", "intake_open")


def downgrade() -> None:
    op.add_column("cases", sa.Column("duty_unit_id", sa.Uuid()))
    op.add_column("cases", sa.Column("intake_open", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE cases SET duty_unit_id = intake[1], intake_open = intake <> '{}'")
    op.alter_column("cases", "intake_open", server_default=None)
    op.create_index("cases_intake", "cases", ["duty_unit_id"], postgresql_where=sa.text("intake_open"))
    op.execute("GRANT UPDATE (duty_unit_id, intake_open) ON cases TO hub_app")
    op.drop_column("cases", "intake")
    op.execute("REVOKE DELETE ON party_key FROM hub_app")
    op.drop_constraint("party_key_pkey", "party_key")
    op.execute(
        "DELETE FROM party_key a USING party_key b WHERE a.key = b.key AND a.case_id = b.case_id AND a.role = b.role"
        " AND a.named = b.named AND a.record_id > b.record_id"
    )
    op.drop_column("party_key", "record_id")
    op.create_primary_key("party_key_pkey", "party_key", list(KEY))
    op.drop_table("mark")
