"""The schema of `admin.db` and how it came about, see `flyteplane.records.migrate`."""

from typing import Final

from flyteplane.admin.store import tables

HEAD: Final = "0009"
COMPATIBLE_FROM: Final = "0002"
VERSION_TABLE: Final = "admin_version"
SCHEMA: Final = tables.metadata
