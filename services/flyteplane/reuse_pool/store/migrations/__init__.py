"""Migrations of the reuse pool's database, and the schema that they lead to."""

from typing import Final

from flyteplane.reuse_pool.store.tables import metadata

HEAD: Final = "0002"
COMPATIBLE_FROM: Final = "0002"
VERSION_TABLE: Final = "reuse_pool_version"
SCHEMA: Final = metadata
