"""Triggers and what is noted of their firing."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "triggers",
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("task_name", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("anchor_us", sa.BigInteger, nullable=False),
        sa.Column("fired_until_us", sa.BigInteger, nullable=False),
        sa.Column("wake_at_us", sa.BigInteger),
        sa.Column("last_fired_us", sa.BigInteger),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("triggers_wake", "triggers", ["wake_at_us"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("triggers")
