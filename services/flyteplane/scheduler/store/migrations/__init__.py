"""Migrations of the scheduler's database, and the schema that they lead to."""

from flyteplane.scheduler.store import administration_tables

HEAD = "0003"
COMPATIBLE_FROM = "0002"
VERSION_TABLE = "scheduler_version"
SCHEMA = administration_tables.metadata
