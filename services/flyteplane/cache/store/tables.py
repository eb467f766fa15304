"""The tables of the cache's database."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

entries = Table(
    "entries",
    metadata,
    Column("project", String(63), primary_key=True),
    Column("domain", String(63), primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("outputs", LargeBinary, nullable=False),
    Column("producer", String, nullable=False),
    Column("task_name", String, nullable=False),
    Column("cache_version", String, nullable=False),
    Column("created_at", Float, nullable=False),
    # Addresses of the data that the outputs refer to, one on each line.
    Column("objects", String, nullable=False, server_default=""),
    Column("used_at", Float, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    Index("entries_by_task", "project", "domain", "task_name", "created_at"),
    Index("entries_by_age", "project", "domain", "created_at", "digest"),
    Index("entries_by_creation", "created_at"),
    Index("entries_by_use", "used_at"),
)

#: Which reservation holds a key: the fence of stores. A row outlives its reservation.
holders = Table(
    "holders",
    metadata,
    Column("project", String(63), primary_key=True),
    Column("domain", String(63), primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("held_at", Float, nullable=False),
    Index("holders_by_time", "held_at"),
)

#: One row: how many coordination stores this database has seen.
eras = Table("eras", metadata, Column("era", Integer, primary_key=True))
