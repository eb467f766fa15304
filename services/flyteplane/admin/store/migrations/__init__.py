"""The schema of `admin.db` and how it came about, see `flyteplane.records.migrate`."""

from flyteplane.admin.store import tables

HEAD = "0006"
COMPATIBLE_FROM = "0002"
VERSION_TABLE = "admin_version"
SCHEMA = tables.metadata
