"""What an answered request asked for, apart from its id, so that an id that is used again is refused."""

from alembic import op
from sqlalchemy import Column, LargeBinary

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column, which is null in what earlier builds have noted and note."""
    op.add_column("answered_requests", Column("content", LargeBinary))
