"""The application may change only what it does change: what a record holds, who somebody is, which case is meant and
under which key a case was sealed apart from its rotation are written once.
"""

from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

CHANGED = {
    "account": "failures, locked_until, totp_step, disabled_at, rev",
    "cases": "touched, involved, duty_unit_id, acting, kinds, stage, risk_level, status, relocated, reporter_confirmed,"
    " sealed_by, named, referred, party_keys, victim_ids, respondent_ids, intake_open, alert_open, key_wrapped, key_id",
    "client": "disabled_at, rev",
    "record": "current",
    "region": "name, level, parent, disabled_at",
    "session": "seen_at, ended_at",
    "unit": "disabled_at",
}
KEPT = ("attachment", "attachment_chunk", "change", "party_key", "receipt", "spent_assertion")


def upgrade() -> None:
    for table in (*CHANGED, *KEPT):
        op.execute(f"REVOKE UPDATE ON {table} FROM hub_app")
    for table, columns in CHANGED.items():
        op.execute(f"GRANT UPDATE ({columns}) ON {table} TO hub_app")


def downgrade() -> None:
    for table in (*CHANGED, *KEPT):
        op.execute(f"GRANT UPDATE ON {table} TO hub_app")
