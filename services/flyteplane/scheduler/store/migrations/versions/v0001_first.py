"""The first schema."""

from alembic import op
from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, String

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates all tables."""
    op.create_table(
        "leadership",
        Column("shard", Integer, primary_key=True, autoincrement=False),
        Column("epoch", BigInteger, nullable=False),
    )
    op.create_table(
        "tasks", Column("digest", LargeBinary, primary_key=True), Column("spec", LargeBinary, nullable=False)
    )
    op.create_table(
        "runs",
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        *(Column(name, String(63), nullable=False) for name in ("project", "domain", "name")),
        *(Column(name, LargeBinary, nullable=False) for name in ("digest", "settings")),
        Column("phase", Integer, nullable=False),
        *(Column(name, Float, nullable=False) for name in ("created_at", "started_at", "ended_at")),
        Column("error", LargeBinary, nullable=False),
    )
    op.create_index("runs_by_name", "runs", ["project", "domain", "name"], unique=True)
    op.create_index("runs_by_phase", "runs", ["phase"])
    op.create_table(
        "run_changes",
        Column("cursor", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("run_id", BigInteger, nullable=False),
        Column("phase", Integer, nullable=False),
        Column("at", Float, nullable=False),
        sqlite_autoincrement=True,
    )
    _create_actions()
    op.create_table(
        "traces",
        *(
            Column(name, BigInteger, primary_key=True, autoincrement=False)
            for name in ("run_id", "ordinal", "position")
        ),
        Column("record", LargeBinary, nullable=False),
    )
    op.create_table(
        "event_segments",
        Column("run_id", BigInteger, primary_key=True, autoincrement=False),
        Column("first_sequence", BigInteger, primary_key=True, autoincrement=False),
        Column("last_sequence", BigInteger, nullable=False),
        Column("batch", LargeBinary, nullable=False),
    )


def _create_actions() -> None:
    blobs = ("inputs", "inputs_digest", "custom_context")
    counts = ("phase", "attempt", "task_failures", "system_failures", "killed")
    times = ("queued_at", "placed_at", "started_at", "first_started_at", "ended_at", "not_before")
    op.create_table(
        "actions",
        Column("run_id", BigInteger, primary_key=True, autoincrement=False),
        Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
        Column("name", String(63), nullable=False),
        Column("parent", String(63), nullable=False),
        Column("task_digest", LargeBinary, nullable=False),
        Column("group_label", String, nullable=False),
        *(Column(name, LargeBinary, nullable=False) for name in blobs),
        Column("created_at", Float, nullable=False),
        *(Column(name, Integer, nullable=False) for name in counts),
        *(Column(name, Float, nullable=False) for name in times),
        Column("error", LargeBinary, nullable=False),
        Column("outputs", LargeBinary),
        Column("cache_status", Integer, nullable=False),
        *(Column(name, String, nullable=False) for name in ("cached_from", "reason", "worker")),
        Column("history", LargeBinary, nullable=False),
    )
    op.create_index("actions_by_name", "actions", ["run_id", "name"], unique=True)
