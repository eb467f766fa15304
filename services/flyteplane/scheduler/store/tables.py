"""Tables of the scheduler's database.

`actions` has one row an action and `event_segments` one row per run and commit, so that a fan-out of n children costs
2n row writes and a handful of segments. Keys begin with the run, so that a run's rows lie together.
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

leadership = Table(
    "leadership",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("spec", LargeBinary, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("project", String(63), nullable=False),
    Column("domain", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("settings", LargeBinary, nullable=False),
    Column("phase", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("error", LargeBinary, nullable=False),
    Index("runs_by_name", "project", "domain", "name", unique=True),
    Index("runs_by_phase", "phase"),
    Index("runs_by_end", "ended_at"),
)

run_changes = Table(
    "run_changes",
    metadata,
    Column("cursor", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("run_id", BigInteger, nullable=False),
    Column("phase", Integer, nullable=False),
    Column("at", Float, nullable=False),
    sqlite_autoincrement=True,
)

actions = Table(
    "actions",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(63), nullable=False),
    Column("parent", String(63), nullable=False),
    Column("task_digest", LargeBinary, nullable=False),
    Column("group_label", String, nullable=False),
    Column("inputs", LargeBinary, nullable=False),
    Column("inputs_digest", LargeBinary, nullable=False),
    Column("custom_context", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("phase", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("task_failures", Integer, nullable=False),
    Column("system_failures", Integer, nullable=False),
    Column("killed", Integer, nullable=False),
    Column("queued_at", Float, nullable=False),
    Column("placed_at", Float, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("first_started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("error", LargeBinary, nullable=False),
    Column("outputs", LargeBinary),
    Column("cache_status", Integer, nullable=False),
    Column("cached_from", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("worker", String, nullable=False),
    Column("lease", BigInteger, nullable=False, server_default="0"),
    Column("cluster", String, nullable=False, server_default=""),
    Column("resource_class", String, nullable=False, server_default=""),
    Column("history", LargeBinary, nullable=False),
    Index("actions_by_name", "run_id", "name", unique=True),
)

traces = Table(
    "traces",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("record", LargeBinary, nullable=False),
)

event_segments = Table(
    "event_segments",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("first_sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("batch", LargeBinary, nullable=False),
)
