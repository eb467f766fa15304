"""API keys, roles of subjects, and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_Sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "api_keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("grants", sa.Text, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at_us", sa.BigInteger, nullable=False),
        sa.Column("revoked_at_us", sa.BigInteger),
    )
    op.create_table(
        "role_grants",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("role", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("domain", sa.Text, primary_key=True),
    )
    op.create_table(
        "audit",
        sa.Column("number", _Sequence, primary_key=True, autoincrement=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_time", "audit", ["at_us"])
    op.create_index("audit_subject", "audit", ["subject", "number"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("audit", "role_grants", "api_keys"):
        op.drop_table(table)
