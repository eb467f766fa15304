"""Runs by their end, so that those that ended long ago are found without looking at all."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("runs_ended_at", "runs", ["ended_at_us"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("runs_ended_at", "runs")
