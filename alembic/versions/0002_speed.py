"""What a change marks is kept as microseconds: seventeen timestamps a row cost more to read than the rest of it"""

from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


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


def downgrade() -> None:
    _retype("touched", "timestamptz", "to_timestamp(t / 1000000.0)")
