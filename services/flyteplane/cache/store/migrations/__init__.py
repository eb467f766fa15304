"""Migrations of the cache's database, and the schema that they lead to."""

from flyteplane.cache.store.tables import metadata

HEAD = "0001"
VERSION_TABLE = "cache_version"
SCHEMA = metadata
