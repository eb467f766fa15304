"""Migrations of the reuse pool's database, and the schema that they lead to."""

from flyteplane.reuse_pool.store.tables import metadata

HEAD = "0002"
COMPATIBLE_FROM = "0002"
VERSION_TABLE = "reuse_pool_version"
SCHEMA = metadata
