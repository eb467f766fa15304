"""Lists of runs by queue, and quick ones by phase, source, submitter and time."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INDEXES = {
    "runs_place": ["project", "domain", "sequence"],
    "runs_phase": ["phase", "sequence"],
    "runs_queue": ["queue", "sequence"],
    "runs_created_by": ["created_by", "sequence"],
    "runs_created_at": ["created_at_us", "sequence"],
    "runs_source": ["source_name", "sequence"],
}


def upgrade() -> None:
    """Add the column, empty for runs that are there, and the indexes."""
    op.add_column("runs", sa.Column("queue", sa.Text, nullable=False, server_default=""))
    for name, columns in _INDEXES.items():
        op.create_index(name, "runs", columns)


def downgrade() -> None:
    """Drop them."""
    for name in _INDEXES:
        op.drop_index(name, "runs")
    op.drop_column("runs", "queue")
