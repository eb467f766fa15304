"""Notifications of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "run_notifications",
        sa.Column("sequence", sequence, sa.ForeignKey("runs.sequence", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("phases", sa.Integer, nullable=False),
        sa.Column("named", sa.Text, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("try_at_us", sa.BigInteger),
        sa.Column("last_error", sa.Text, nullable=False),
    )
    op.create_index("run_notifications_state", "run_notifications", ["state"])
    op.create_index("run_notifications_try", "run_notifications", ["try_at_us"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("run_notifications")
