"""Runs by their end, so that those that ended long ago are found without looking at all."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the index."""
    op.create_index("runs_by_end", "runs", ["ended_at"])
