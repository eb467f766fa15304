"""What limits need to know of entries, and which reservation holds a key."""

from alembic import op
from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, String, text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns, fills them for what is there, and creates two tables."""
    op.add_column("entries", Column("objects", String, nullable=False, server_default=""))
    op.add_column("entries", Column("used_at", Float, nullable=False, server_default="0"))
    op.add_column("entries", Column("size_bytes", BigInteger, nullable=False, server_default="0"))
    op.execute(text("UPDATE entries SET used_at = created_at, size_bytes = length(outputs)"))
    op.create_index("entries_by_creation", "entries", ["created_at"])
    op.create_index("entries_by_use", "entries", ["used_at"])
    op.create_table(
        "holders",
        Column("project", String(63), primary_key=True),
        Column("domain", String(63), primary_key=True),
        Column("digest", LargeBinary, primary_key=True),
        Column("token", BigInteger, nullable=False),
        Column("held_at", Float, nullable=False),
    )
    op.create_index("holders_by_time", "holders", ["held_at"])
    op.create_table("eras", Column("era", Integer, primary_key=True))
