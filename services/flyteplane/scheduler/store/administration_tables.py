"""Tables of what operators say through the API: queues and resource classes.

One row each; lists and maps are JSON, because nobody ever asks the database for what is inside of them. Of requests
that were answered only digests are kept, for a day.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table

from flyteplane.scheduler.store.tables import metadata as metadata

answered_requests = Table(
    "answered_requests",
    metadata,
    Column("mark", LargeBinary, primary_key=True),
    Column("content", LargeBinary),  # null: noted by a build that knew a request by the one digest
    Column("answered_at", Float, nullable=False),
    Index("answered_requests_by_time", "answered_at"),
)

queues = Table(
    "queues",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("run_concurrency", BigInteger, nullable=False),
    Column("action_concurrency", BigInteger, nullable=False),
    Column("depth", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("clusters", JSON, nullable=False),
    Column("draining", Boolean, nullable=False),
)

resource_classes = Table(
    "resource_classes",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("max_cpu_millis", BigInteger, nullable=False),
    Column("max_memory_bytes", BigInteger, nullable=False),
    Column("max_accelerators", JSON, nullable=False),
    Column("clusters", JSON, nullable=False),
    Column("quota_cpu_millis", BigInteger, nullable=False),
    Column("quota_memory_bytes", BigInteger, nullable=False),
    Column("node_selector", JSON, nullable=False),
    Column("tolerations_json", String, nullable=False),
    Column("priority_class", String, nullable=False),
    Column("allow_host_paths", Boolean, nullable=False),
    Column("allow_privileged", Boolean, nullable=False),
    Column("allow_service_account_token", Boolean, nullable=False),
    Column("service_accounts", JSON, nullable=False),
)
