"""Migrations of the secrets database, and the schema that they lead to."""

from typing import Final

from flyteplane.secrets.store.tables import metadata

HEAD: Final = "0002"
COMPATIBLE_FROM: Final = "0002"
VERSION_TABLE: Final = "secrets_version"
SCHEMA: Final = metadata
