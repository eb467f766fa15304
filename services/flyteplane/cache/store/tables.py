"""The table of the cache's database."""

from sqlalchemy import Column, Float, Index, LargeBinary, MetaData, String, Table

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
    Index("entries_by_task", "project", "domain", "task_name", "created_at"),
    Index("entries_by_age", "project", "domain", "created_at", "digest"),
)
