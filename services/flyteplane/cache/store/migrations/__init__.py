"""Migrations of the cache's database, and the schema that they lead to."""

from flyteplane.cache.store.tables import metadata

HEAD = "0002"
COMPATIBLE_FROM = "0002"
VERSION_TABLE = "cache_version"
SCHEMA = metadata
