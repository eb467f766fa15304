"""Lists of the runs of a project and domain by phase, queue, submitter and version, however many others it has."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEXES = {
    "runs_place_phase": ["project", "domain", "phase", "sequence"],
    "runs_place_queue": ["project", "domain", "queue", "sequence"],
    "runs_place_created_by": ["project", "domain", "created_by", "sequence"],
    "runs_place_version": ["project", "domain", "task_version", "sequence"],
    "runs_source_run": ["source_project", "source_domain", "source_name", "sequence"],
}


def upgrade() -> None:
    """Make the indexes."""
    for name, columns in _INDEXES.items():
        op.create_index(name, "runs", columns)
    op.drop_index("runs_source", "runs")


def downgrade() -> None:
    """Drop them."""
    op.create_index("runs_source", "runs", ["source_name", "sequence"])
    for name in _INDEXES:
        op.drop_index(name, "runs")
