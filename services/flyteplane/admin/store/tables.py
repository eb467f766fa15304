"""The tables of `admin.db`.

Times are microseconds since the epoch. Messages are kept as their serialisation. `sequence` columns number the rows
in the order in which they were committed; lists are paged by them.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

metadata: Final = MetaData()
_Sequence: Final = BigInteger().with_variant(Integer, "sqlite")


def _number(name: str) -> Column[int]:
    """Numbers the rows in the order in which they were committed."""
    return Column(name, _Sequence, primary_key=True, autoincrement=True)


def _of_run() -> Column[int]:
    """The number of the run that a row belongs to, and with which it goes."""
    return Column("sequence", _Sequence, ForeignKey("runs.sequence", ondelete="CASCADE"), primary_key=True)


def _place(*, is_key: bool = False) -> tuple[Column[str], Column[str]]:
    """Where a row belongs; `is_key`: and a part of its name."""
    project, domain = (Column(name, Text, primary_key=is_key, nullable=False) for name in ("project", "domain"))
    return project, domain


projects: Final = Table(
    "projects",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("labels", Text, nullable=False),  # JSON object
    Column("domains", Text, nullable=False),  # JSON array
    Column("archived", Boolean, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
)

task_specs: Final = Table(
    "task_specs",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("spec", LargeBinary, nullable=False),
)

task_versions: Final = Table(
    "task_versions",
    metadata,
    _number("sequence"),
    *_place(),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", LargeBinary, ForeignKey("task_specs.digest"), nullable=False),
    Column("deployed_at_us", BigInteger, nullable=False),
    Column("deployed_by", Text, nullable=False),
    UniqueConstraint("project", "domain", "name", "version", name="task_versions_name"),
    Index("task_versions_newest", "project", "domain", "name", "sequence"),
)

runs: Final = Table(
    "runs",
    metadata,
    _number("sequence"),
    *_place(),
    Column("name", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("request_id", Text),  # null: none was given
    Column("digest", LargeBinary, nullable=False),
    Column("task_name", Text, nullable=False),
    Column("task_digest", LargeBinary, nullable=False),
    Column("inputs_digest", LargeBinary, nullable=False),
    Column("settings", LargeBinary, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("source_project", Text),
    Column("source_domain", Text),
    Column("source_name", Text),
    Column("trigger", Text, nullable=False),
    Column("phase", SmallInteger, nullable=False),
    Column("started_at_us", BigInteger),
    Column("ended_at_us", BigInteger),
    Column("error", LargeBinary, nullable=False),
    # Of the root action. Empty: the run is older than the column.
    Column("queue", Text, nullable=False, server_default=""),
    # Empty: nobody gave one, or the run is older than the column.
    Column("task_version", Text, nullable=False, server_default=""),
    UniqueConstraint("project", "domain", "name", name="runs_name"),
    UniqueConstraint("request_id", "project", "domain", "created_by", name="runs_request"),
    Index("runs_task", "project", "domain", "task_name", "sequence"),
    # A list by any of these goes through its newest rows, however many others there are.
    Index("runs_place", "project", "domain", "sequence"),
    Index("runs_phase", "phase", "sequence"),
    Index("runs_queue", "queue", "sequence"),
    Index("runs_task_version", "task_version", "sequence"),
    Index("runs_created_by", "created_by", "sequence"),
    Index("runs_created_at", "created_at_us", "sequence"),
    Index("runs_ended_at", "ended_at_us"),
    Index("runs_source_run", "source_project", "source_domain", "source_name", "sequence"),
    # The same in one place: without these a planner takes the index of the place and looks at every run there.
    Index("runs_place_phase", "project", "domain", "phase", "sequence"),
    Index("runs_place_queue", "project", "domain", "queue", "sequence"),
    Index("runs_place_created_by", "project", "domain", "created_by", "sequence"),
    Index("runs_place_version", "project", "domain", "task_version", "sequence"),
    sqlite_autoincrement=True,
)

run_labels: Final = Table(
    "run_labels",
    metadata,
    _of_run(),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Index("run_labels_value", "key", "value", "sequence"),
    Index("run_labels_key", "key", "sequence"),
)

#: What is sent when a run ends; see `notifications.py`.
run_notifications: Final = Table(
    "run_notifications",
    metadata,
    _of_run(),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    Column("phases", Integer, nullable=False),  # bits, by the numbers of phases
    Column("named", Text, nullable=False),  # empty: what the settings of the run hold at this position
    Column("state", SmallInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("try_at_us", BigInteger),  # null: not due
    Column("last_error", Text, nullable=False),
    Index("run_notifications_state", "state"),
    Index("run_notifications_try", "try_at_us"),
)

#: Runs that the scheduler has not taken yet, with what only it needs to know of them.
run_outbox: Final = Table(
    "run_outbox",
    metadata,
    _of_run(),
    Column("inputs", LargeBinary, nullable=False),
    Column("abort_reason", Text),  # null: nobody asked for an abort
)

#: One row: where the mirror of phases stands.
phase_cursor: Final = Table(
    "phase_cursor",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cursor", BigInteger, nullable=False),
)

#: Secret bytes that are made once, such as the key of page tokens.
platform_keys: Final = Table(
    "platform_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

#: Of requests that were answered only digests, for a day; see `answered_requests.py`.
answered_requests: Final = Table(
    "answered_requests",
    metadata,
    Column("mark", LargeBinary, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("answered_requests_time", "at_us"),
)

triggers: Final = Table(
    "triggers",
    metadata,
    *_place(is_key=True),
    Column("task_name", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("anchor_us", BigInteger, nullable=False),
    Column("fired_until_us", BigInteger, nullable=False),
    Column("wake_at_us", BigInteger),  # null: nothing to do
    Column("last_fired_us", BigInteger),
    Column("last_error", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("triggers_wake", "wake_at_us"),
)

#: Of a key only the digest of its secret. A row stays for ever: a name means one key.
api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("grants", Text, nullable=False),  # JSON array of [role, project, domain]
    Column("created_at_us", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("revoked_at_us", BigInteger),
)

role_grants: Final = Table(
    "role_grants",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("role", SmallInteger, primary_key=True, autoincrement=False),
    *_place(is_key=True),
)

audit: Final = Table(
    "audit",
    metadata,
    _number("number"),
    Column("at_us", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("status", Text, nullable=False),
    *_place(),
    Index("audit_time", "at_us"),
    Index("audit_subject", "subject", "number"),
    sqlite_autoincrement=True,
)
