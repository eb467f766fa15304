"""The audit trail can be read by secret; requests that are sent again are known."""

from alembic import op
from sqlalchemy import Boolean, Column, Float, Integer, String

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the index and the table."""
    op.create_index("audit_by_secret", "audit", ["secret", "number"])
    op.create_table(
        "requests",
        Column("id", String(64), primary_key=True),
        Column("project", String(63), nullable=False),
        Column("domain", String(63), nullable=False),
        Column("group_name", String(253), nullable=False),
        Column("key", String(253), nullable=False),
        Column("version", Integer, nullable=False),
        Column("created_at", Float, nullable=False),
        Column("updated_at", Float, nullable=False),
        Column("deleted", Boolean, nullable=False),
    )
    op.create_index("requests_by_time", "requests", ["updated_at"])
