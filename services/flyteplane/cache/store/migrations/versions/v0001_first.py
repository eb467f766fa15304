"""The first schema."""

from alembic import op
from sqlalchemy import Column, Float, LargeBinary, String

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "entries",
        Column("project", String(63), primary_key=True),
        Column("domain", String(63), primary_key=True),
        Column("digest", LargeBinary, primary_key=True),
        Column("outputs", LargeBinary, nullable=False),
        *(Column(name, String, nullable=False) for name in ("producer", "task_name", "cache_version")),
        Column("created_at", Float, nullable=False),
    )
    op.create_index("entries_by_task", "entries", ["project", "domain", "task_name", "created_at"])
    op.create_index("entries_by_age", "entries", ["project", "domain", "created_at", "digest"])
