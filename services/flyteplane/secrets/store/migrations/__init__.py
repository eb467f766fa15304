"""Migrations of the secrets database, and the schema that they lead to."""

from flyteplane.secrets.store.tables import metadata

HEAD = "0002"
COMPATIBLE_FROM = "0002"
VERSION_TABLE = "secrets_version"
SCHEMA = metadata
