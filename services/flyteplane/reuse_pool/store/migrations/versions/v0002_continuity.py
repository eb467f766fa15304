"""Who leads, and what a later leader needs to take pools and replicas over."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, false

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a table, and columns. Replicas of earlier versions name no cluster: none of them outlived its service."""
    op.create_table(
        "leadership",
        Column("shard", Integer, primary_key=True, autoincrement=False),
        Column("epoch", BigInteger, nullable=False),
        Column("scheduler", BigInteger, nullable=False),
    )
    op.add_column("pools", Column("declaration", LargeBinary))
    for name in ("min_replicas", "max_replicas"):
        op.add_column("pools", Column(name, Integer))
    op.add_column("replicas", Column("cluster", String(63), nullable=False, server_default=""))
    for name in ("overflow", "warm", "draining"):
        op.add_column("replicas", Column(name, Boolean, nullable=False, server_default=false()))
