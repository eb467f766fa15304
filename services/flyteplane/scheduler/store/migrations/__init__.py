"""Migrations of the scheduler's database, and the schema that they lead to."""

from flyteplane.scheduler.store.administration_tables import metadata

HEAD = "0002"
VERSION_TABLE = "scheduler_version"
SCHEMA = metadata
