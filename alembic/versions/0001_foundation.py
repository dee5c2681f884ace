"""foundation"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel.sql.sqltypes import AutoString

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


APPLICATION = (
    "account", "attachment", "attachment_chunk", "cases", "change", "client", "household", "idempotency_key",
    "party", "party_key", "receipt", "record", "region", "session", "spent_assertion", "unit",
)
CATEGORIES = (
    "routine", "facts", "victim", "contact", "whereabouts", "refuge", "respondent", "minor", "reporter",
    "medical", "evidence", "measures", "judicial", "risk", "support", "visit", "internal",
)


def upgrade() -> None:
    op.create_table('access_log',
    sa.Column('w', sa.Uuid(), nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('act', AutoString(), nullable=False),
    sa.Column('purpose', AutoString(), nullable=False),
    sa.Column('outcome', AutoString(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('actor', sa.Uuid(), nullable=False),
    sa.Column('unit_id', sa.Uuid(), nullable=True),
    sa.Column('case_refs', sa.ARRAY(sa.UUID()), nullable=False),
    sa.Column('leaf', sa.LargeBinary(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('w', 'n')
    )
    op.create_index('access_log_actor', 'access_log', ['actor', sa.text('at DESC')], unique=False)
    op.create_index('access_log_at', 'access_log', [sa.text('at DESC')], unique=False)
    op.create_index('access_log_cases', 'access_log', ['case_refs'], unique=False, postgresql_using='gin')
    op.create_index('access_log_unit', 'access_log', ['unit_id', sa.text('at DESC')], unique=False)
    op.create_table('attachment_chunk',
    sa.Column('attachment_id', sa.Uuid(), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('attachment_id', 'n')
    )
    op.create_table('change',
    sa.Column('record_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('categories', sa.ARRAY(sa.SmallInteger()), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('record_id', 'version')
    )
    op.create_table('household',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('idempotency_key',
    sa.Column('key_hash', sa.LargeBinary(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.Column('answer', AutoString(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('key_hash')
    )
    op.create_table('log_writer',
    sa.Column('w', sa.Uuid(), nullable=False),
    sa.Column('event', AutoString(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('w', 'event')
    )
    op.create_table('receipt',
    sa.Column('code_hash', sa.LargeBinary(), nullable=False),
    sa.Column('secret_hash', sa.LargeBinary(), nullable=False),
    sa.Column('record_id', sa.Uuid(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('reporter_is_victim', sa.Boolean(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('code_hash')
    )
    op.create_index(op.f('ix_receipt_record_id'), 'receipt', ['record_id'], unique=False)
    op.create_table('region',
    sa.Column('code', AutoString(length=12), nullable=False),
    sa.Column('name', AutoString(), nullable=False),
    sa.Column('level', AutoString(), nullable=False),
    sa.Column('parent', AutoString(), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('code')
    )
    op.create_table('spent_assertion',
    sa.Column('jti_hash', sa.LargeBinary(), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('jti_hash')
    )
    op.create_index(op.f('ix_spent_assertion_expires_at'), 'spent_assertion', ['expires_at'], unique=False)
    op.create_table('cases',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('ref', sa.Uuid(), nullable=False),
    sa.Column('number', AutoString(), nullable=False),
    sa.Column('status', AutoString(), nullable=False),
    sa.Column('stage', AutoString(), nullable=False),
    sa.Column('risk_level', AutoString(), nullable=False),
    sa.Column('region_code', sa.String(collation='C'), nullable=False),
    sa.Column('township', sa.String(collation='C'), sa.Computed('left(region_code, 9)', persisted=True), nullable=True),
    sa.Column('county', sa.String(collation='C'), sa.Computed('left(region_code, 6)', persisted=True), nullable=True),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('touched_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('touched', sa.ARRAY(sa.DateTime(timezone=True)), nullable=False),
    sa.Column('handler_id', sa.Uuid(), nullable=False),
    sa.Column('handler_path', AutoString(), nullable=False),
    sa.Column('handler_area', AutoString(), nullable=False),
    sa.Column('duty_unit_id', sa.Uuid(), nullable=True),
    sa.Column('reporting_unit_id', sa.Uuid(), nullable=True),
    sa.Column('intake_open', sa.Boolean(), nullable=False),
    sa.Column('alert_open', sa.Boolean(), nullable=False),
    sa.Column('relocated', sa.Boolean(), nullable=False),
    sa.Column('sealed_by', sa.Uuid(), nullable=True),
    sa.Column('household_id', sa.Uuid(), nullable=True),
    sa.Column('involved', sa.ARRAY(sa.UUID()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('referred', sa.ARRAY(sa.UUID()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('named', sa.ARRAY(sa.UUID()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('acting', sa.ARRAY(sa.UUID()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('kinds', sa.ARRAY(sa.String()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('party_keys', sa.ARRAY(sa.LargeBinary()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('key_wrapped', sa.LargeBinary(), nullable=False),
    sa.Column('key_id', AutoString(), nullable=False),
    sa.ForeignKeyConstraint(['household_id'], ['household.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('number'),
    sa.UniqueConstraint('ref')
    )
    op.create_index('cases_county', 'cases', ['county', sa.text('opened_at DESC'), sa.text('id DESC')], unique=False)
    op.create_index('cases_intake', 'cases', ['duty_unit_id'], unique=False, postgresql_where=sa.text('intake_open'))
    op.create_index('cases_involved', 'cases', ['involved'], unique=False, postgresql_using='gin')
    op.create_index('cases_named', 'cases', ['named'], unique=False, postgresql_using='gin')
    op.create_index('cases_opened', 'cases', [sa.text('opened_at DESC'), sa.text('id DESC')], unique=False)
    op.create_index('cases_referred', 'cases', ['referred'], unique=False, postgresql_using='gin')
    op.create_index('cases_region', 'cases', ['region_code'], unique=False)
    op.create_index('cases_touched', 'cases', ['touched_at'], unique=False)
    op.create_index('cases_township', 'cases', ['township', sa.text('opened_at DESC'), sa.text('id DESC')], unique=False)
    op.create_table('unit',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('code', AutoString(length=64), nullable=False),
    sa.Column('name', AutoString(), nullable=False),
    sa.Column('type', AutoString(), nullable=False),
    sa.Column('region_code', AutoString(), nullable=False),
    sa.Column('area', AutoString(), nullable=False),
    sa.Column('parent_id', sa.Uuid(), nullable=True),
    sa.Column('path', AutoString(), nullable=False),
    sa.Column('latitude', sa.Float(), nullable=True),
    sa.Column('longitude', sa.Float(), nullable=True),
    sa.Column('on_duty', sa.Boolean(), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['parent_id'], ['unit.id'], ),
    sa.ForeignKeyConstraint(['region_code'], ['region.code'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('code')
    )
    op.create_index(op.f('ix_unit_area'), 'unit', ['area'], unique=False)
    op.create_index(op.f('ix_unit_type'), 'unit', ['type'], unique=False)
    op.create_table('account',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('unit_id', sa.Uuid(), nullable=False),
    sa.Column('name', AutoString(length=64), nullable=False),
    sa.Column('role', AutoString(), nullable=False),
    sa.Column('login', AutoString(length=64), nullable=True),
    sa.Column('id_key', sa.LargeBinary(), nullable=False),
    sa.Column('phone_key', sa.LargeBinary(), nullable=True),
    sa.Column('password', AutoString(), nullable=True),
    sa.Column('totp', sa.LargeBinary(), nullable=True),
    sa.Column('totp_step', sa.Integer(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('locked_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('rev', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['unit_id'], ['unit.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('login'),
    sa.UniqueConstraint('unit_id', 'name')
    )
    op.create_index(op.f('ix_account_unit_id'), 'account', ['unit_id'], unique=False)
    op.create_table('attachment',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('record_id', sa.Uuid(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('unit_id', sa.Uuid(), nullable=False),
    sa.Column('category', AutoString(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('chunks', sa.Integer(), nullable=False),
    sa.Column('head', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index(op.f('ix_attachment_record_id'), 'attachment', ['record_id'], unique=False)
    op.create_table('client',
    sa.Column('id', AutoString(length=64), nullable=False),
    sa.Column('unit_id', sa.Uuid(), nullable=False),
    sa.Column('jwks', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('scopes', AutoString(), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('rev', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['unit_id'], ['unit.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index(op.f('ix_client_unit_id'), 'client', ['unit_id'], unique=False)
    op.create_table('party',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('role', AutoString(), nullable=False),
    sa.Column('person_id', sa.Uuid(), nullable=False),
    sa.Column('unit_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index(op.f('ix_party_case_id'), 'party', ['case_id'], unique=False)
    op.create_index(op.f('ix_party_person_id'), 'party', ['person_id'], unique=False)
    op.create_table('record',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('kind', AutoString(), nullable=False),
    sa.Column('unit_id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=True),
    sa.Column('client_id', AutoString(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('current', sa.Boolean(), nullable=False),
    sa.Column('lead', sa.Boolean(), nullable=False),
    sa.Column('changed', sa.ARRAY(sa.SmallInteger()), nullable=False),
    sa.Column('last_changed', sa.ARRAY(sa.SmallInteger()), nullable=False),
    sa.Column('leaf_hash', sa.LargeBinary(), nullable=False),
    sa.Column('c_routine', sa.LargeBinary(), nullable=True),
    sa.Column('c_facts', sa.LargeBinary(), nullable=True),
    sa.Column('c_victim', sa.LargeBinary(), nullable=True),
    sa.Column('c_contact', sa.LargeBinary(), nullable=True),
    sa.Column('c_whereabouts', sa.LargeBinary(), nullable=True),
    sa.Column('c_refuge', sa.LargeBinary(), nullable=True),
    sa.Column('c_respondent', sa.LargeBinary(), nullable=True),
    sa.Column('c_minor', sa.LargeBinary(), nullable=True),
    sa.Column('c_reporter', sa.LargeBinary(), nullable=True),
    sa.Column('c_medical', sa.LargeBinary(), nullable=True),
    sa.Column('c_evidence', sa.LargeBinary(), nullable=True),
    sa.Column('c_measures', sa.LargeBinary(), nullable=True),
    sa.Column('c_judicial', sa.LargeBinary(), nullable=True),
    sa.Column('c_risk', sa.LargeBinary(), nullable=True),
    sa.Column('c_support', sa.LargeBinary(), nullable=True),
    sa.Column('c_visit', sa.LargeBinary(), nullable=True),
    sa.Column('c_internal', sa.LargeBinary(), nullable=True),
    sa.Column('m_routine', sa.LargeBinary(), nullable=True),
    sa.Column('m_facts', sa.LargeBinary(), nullable=True),
    sa.Column('m_victim', sa.LargeBinary(), nullable=True),
    sa.Column('m_contact', sa.LargeBinary(), nullable=True),
    sa.Column('m_whereabouts', sa.LargeBinary(), nullable=True),
    sa.Column('m_refuge', sa.LargeBinary(), nullable=True),
    sa.Column('m_respondent', sa.LargeBinary(), nullable=True),
    sa.Column('m_minor', sa.LargeBinary(), nullable=True),
    sa.Column('m_reporter', sa.LargeBinary(), nullable=True),
    sa.Column('m_medical', sa.LargeBinary(), nullable=True),
    sa.Column('m_evidence', sa.LargeBinary(), nullable=True),
    sa.Column('m_measures', sa.LargeBinary(), nullable=True),
    sa.Column('m_judicial', sa.LargeBinary(), nullable=True),
    sa.Column('m_risk', sa.LargeBinary(), nullable=True),
    sa.Column('m_support', sa.LargeBinary(), nullable=True),
    sa.Column('m_visit', sa.LargeBinary(), nullable=True),
    sa.Column('m_internal', sa.LargeBinary(), nullable=True),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], ),
    sa.PrimaryKeyConstraint('id', 'version')
    )
    op.create_index('record_case', 'record', ['case_id', 'at'], unique=False)
    op.create_index('record_current', 'record', ['id'], unique=True, postgresql_where=sa.text('current'))
    op.create_index('record_lead', 'record', ['case_id'], unique=True, postgresql_where=sa.text('current AND lead'))
    op.create_table('party_key',
    sa.Column('key', sa.LargeBinary(), nullable=False),
    sa.Column('case_id', sa.Uuid(), nullable=False),
    sa.Column('role', AutoString(), nullable=False),
    sa.Column('kind', AutoString(), nullable=False),
    sa.Column('party_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], ),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], ),
    sa.PrimaryKeyConstraint('key', 'case_id', 'role')
    )
    op.create_index('party_key_case', 'party_key', ['case_id'], unique=False)
    op.create_table('session',
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], ),
    sa.PrimaryKeyConstraint('token_hash')
    )
    op.create_index(op.f('ix_session_account_id'), 'session', ['account_id'], unique=False)
    _storage()
    _grants()


def _storage() -> None:
    """Ciphertext does not compress, and a record is read whole: keep it in the row up to 8 kB."""
    op.execute("ALTER TABLE record SET (toast_tuple_target = 8160)")
    for category in CATEGORIES:
        for form in "cm":
            op.execute(f"ALTER TABLE record ALTER COLUMN {form}_{category} SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE attachment_chunk ALTER COLUMN sealed SET STORAGE EXTERNAL")


def _grants() -> None:
    """The application owns nothing, deletes only what has expired, and may only add to the log."""
    for table in APPLICATION:
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO hub_app")
    op.execute("GRANT DELETE ON spent_assertion, attachment_chunk TO hub_app")
    op.execute("GRANT INSERT ON access_log TO hub_app")
    op.execute("GRANT SELECT, INSERT ON log_writer TO hub_app")
    op.execute("GRANT SELECT ON access_log, log_writer TO hub_auditor")
    op.execute("GRANT SELECT (id, ref, key_wrapped, key_id) ON cases TO hub_auditor")


def downgrade() -> None:
    for table in ("access_log", "log_writer", *APPLICATION):
        op.execute(f"DROP TABLE {table} CASCADE")
