"""The first schema: projects, task versions, runs and their outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_projects_and_tasks()
    _make_runs()
    op.create_table(
        "phase_cursor",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("cursor", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "platform_keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )


def _make_projects_and_tasks() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("domains", sa.Text, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "task_specs",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("spec", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "task_versions",
        sa.Column("sequence", _Sequence, primary_key=True, autoincrement=True),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, sa.ForeignKey("task_specs.digest"), nullable=False),
        sa.Column("deployed_at_us", sa.BigInteger, nullable=False),
        sa.Column("deployed_by", sa.Text, nullable=False),
        sa.UniqueConstraint("project", "domain", "name", "version", name="task_versions_name"),
    )
    op.create_index("task_versions_newest", "task_versions", ["project", "domain", "name", "sequence"])


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("sequence", _Sequence, primary_key=True, autoincrement=True),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("task_name", sa.Text, nullable=False),
        sa.Column("task_digest", sa.LargeBinary, nullable=False),
        sa.Column("inputs_digest", sa.LargeBinary, nullable=False),
        sa.Column("settings", sa.LargeBinary, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("source_project", sa.Text),
        sa.Column("source_domain", sa.Text),
        sa.Column("source_name", sa.Text),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("phase", sa.SmallInteger, nullable=False),
        sa.Column("started_at_us", sa.BigInteger),
        sa.Column("ended_at_us", sa.BigInteger),
        sa.Column("error", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("project", "domain", "name", name="runs_name"),
        sa.UniqueConstraint("request_id", "project", "domain", "created_by", name="runs_request"),
        sqlite_autoincrement=True,
    )
    op.create_index("runs_task", "runs", ["project", "domain", "task_name", "sequence"])
    op.create_table(
        "run_labels",
        sa.Column("sequence", _Sequence, sa.ForeignKey("runs.sequence", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_index("run_labels_value", "run_labels", ["key", "value", "sequence"])
    op.create_table(
        "run_outbox",
        sa.Column("sequence", _Sequence, sa.ForeignKey("runs.sequence", ondelete="CASCADE"), primary_key=True),
        sa.Column("inputs", sa.LargeBinary, nullable=False),
        sa.Column("abort_reason", sa.Text),
    )
