"""Migrations of the scheduler's database, and the schema that they lead to."""

from flyteplane.scheduler.store.tables import metadata

HEAD = "0001"
VERSION_TABLE = "scheduler_version"
SCHEMA = metadata
