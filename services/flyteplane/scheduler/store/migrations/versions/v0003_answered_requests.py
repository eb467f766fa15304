"""Requests of operators that were answered, so that one that is sent again does nothing twice."""

from alembic import op
from sqlalchemy import Column, Float, LargeBinary

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a table."""
    op.create_table(
        "answered_requests",
        Column("mark", LargeBinary, primary_key=True),
        Column("answered_at", Float, nullable=False),
    )
    op.create_index("answered_requests_by_time", "answered_requests", ["answered_at"])
