"""Tables of the reuse pool. Times are seconds since the epoch."""

from sqlalchemy import Column, Float, MetaData, String, Table

metadata = MetaData()

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
)

replicas = Table(
    "replicas",
    metadata,
    Column("name", String, primary_key=True),
    Column("pool", String(64), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, index=True),
    Column("reason", String, nullable=False),
)
