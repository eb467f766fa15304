"""Requests that were answered, so that one that is sent again does nothing twice."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "answered_requests",
        sa.Column("mark", sa.LargeBinary, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
    )
    op.create_index("answered_requests_time", "answered_requests", ["at_us"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("answered_requests")
