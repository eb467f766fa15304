"""Lists of runs by the version of their task, and quick ones by the key of a label."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty for runs that are there, and the indexes."""
    op.add_column("runs", sa.Column("task_version", sa.Text, nullable=False, server_default=""))
    op.create_index("runs_task_version", "runs", ["task_version", "sequence"])
    op.create_index("run_labels_key", "run_labels", ["key", "sequence"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("run_labels_key", "run_labels")
    op.drop_index("runs_task_version", "runs")
    op.drop_column("runs", "task_version")
