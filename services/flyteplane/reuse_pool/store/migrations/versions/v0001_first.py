"""The first schema."""

from alembic import op
from sqlalchemy import Column, Float, String

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates all tables."""
    op.create_table(
        "pools",
        Column("name", String(64), primary_key=True),
        *(Column(name, String(63), nullable=False) for name in ("project", "domain")),
        Column("environment", String, nullable=False),
        Column("run", String(63), nullable=False),
        Column("created_at", Float, nullable=False),
        Column("ended_at", Float),
        Column("reason", String, nullable=False),
    )
    op.create_table(
        "replicas",
        Column("name", String, primary_key=True),
        Column("pool", String(64), nullable=False),
        Column("started_at", Float, nullable=False),
        Column("ended_at", Float),
        Column("reason", String, nullable=False),
    )
    op.create_index("ix_replicas_ended_at", "replicas", ["ended_at"])
