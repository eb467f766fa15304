"""Migrations of the cache's database, and the schema that they lead to."""

from typing import Final

from flyteplane.cache.store.tables import metadata

HEAD: Final = "0002"
COMPATIBLE_FROM: Final = "0002"
VERSION_TABLE: Final = "cache_version"
SCHEMA: Final = metadata
