"""Migrations of the scheduler's database, and the schema that they lead to."""

from typing import Final

from flyteplane.scheduler.store import administration_tables

HEAD: Final = "0005"
COMPATIBLE_FROM: Final = "0002"
VERSION_TABLE: Final = "scheduler_version"
SCHEMA: Final = administration_tables.metadata
