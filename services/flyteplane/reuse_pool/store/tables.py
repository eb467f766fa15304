"""Tables of the reuse pool. Times are seconds since the epoch."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, MetaData, String, Table, false

metadata = MetaData()

#: One row: who may write. `scheduler` is the epoch of the scheduler that was listened to last.
leadership = Table(
    "leadership",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("scheduler", BigInteger, nullable=False),
)

pools = Table(
    "pools",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("project", String(63), nullable=False),
    Column("domain", String(63), nullable=False),
    Column("environment", String, nullable=False),
    Column("run", String(63), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("reason", String, nullable=False),
    Column("declaration", LargeBinary),
    Column("min_replicas", Integer),
    Column("max_replicas", Integer),
)

replicas = Table(
    "replicas",
    metadata,
    Column("name", String, primary_key=True),
    Column("pool", String(64), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, index=True),
    Column("reason", String, nullable=False),
    Column("cluster", String(63), nullable=False, server_default=""),
    Column("overflow", Boolean, nullable=False, server_default=false()),
    Column("warm", Boolean, nullable=False, server_default=false()),
    Column("draining", Boolean, nullable=False, server_default=false()),
)
