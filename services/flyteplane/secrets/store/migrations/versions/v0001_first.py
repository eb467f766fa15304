"""The first schema."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, String

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "secrets",
        Column("project", String(63), primary_key=True),
        Column("domain", String(63), primary_key=True),
        Column("group_name", String(253), primary_key=True),
        Column("key", String(253), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("created_at", Float, nullable=False),
        Column("updated_at", Float, nullable=False),
        Column("deleted", Boolean, nullable=False),
        Column("key_id", String(64)),
        Column("wrapped_key", LargeBinary),
        Column("content", LargeBinary),
    )
    op.create_table(
        "audit",
        Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("at", Float, nullable=False),
        Column("outcome", String(32), nullable=False),
        Column("secret", String(512), nullable=False),
        Column("scope_project", String(63)),
        Column("scope_domain", String(63)),
        Column("version", Integer, nullable=False),
        Column("project", String(63), nullable=False),
        Column("domain", String(63), nullable=False),
        Column("run", String(63), nullable=False),
        Column("action", String(63), nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("lease", String(20), nullable=False),
        Column("pool", String(64), nullable=False),
        Column("replica", String(253), nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["at"])
