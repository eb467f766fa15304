"""A check that every service with a database makes of its migrations package."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, inspect

from flyteplane.records import migrate, open_database
from flyteplane.records.migrate import run_revisions


def database_shape(connection: Connection) -> dict[str, Any]:
    """Tables with their columns, keys and indexes, in a form that can be compared."""
    found = inspect(connection)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in found.get_columns(table)
            },
            "primary key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(
                (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                for key in found.get_foreign_keys(table)
            ),
            "unique": sorted(sorted(unique["column_names"]) for unique in found.get_unique_constraints(table)),
            "indexes": sorted(
                (str(index["name"]), [str(column) for column in index["column_names"]], bool(index["unique"]))
                for index in found.get_indexes(table)
            ),
        }
        for table in found.get_table_names()
    }


@dataclass(slots=True)
class EarlierBuild:
    """The migrations of a service as they were when `HEAD` was its newest revision."""

    HEAD: str
    COMPATIBLE_FROM: str
    VERSION_TABLE: str
    SCHEMA: MetaData
    __file__: str


def earlier_build(package: str, *, revision: str) -> EarlierBuild:
    """What `run_revisions` needs to bring an empty database to an earlier revision of `package`."""
    now: Any = importlib.import_module(package)
    return EarlierBuild(revision, revision, now.VERSION_TABLE, now.SCHEMA, now.__file__)


async def make_at_revision(url: str, package: str, *, revision: str) -> None:
    """Make the tables of an earlier revision in an empty database."""
    database = await open_database(url)
    try:
        build = earlier_build(package, revision=revision)
        await database.transaction(lambda connection: run_revisions(connection, build))
    finally:
        await database.close()


async def assert_revisions_make_the_schema(
    package: str, *, whole_url: str = "sqlite://", stepwise_url: str = "sqlite://"
) -> None:
    """Fail unless running the revisions of `package` one by one gives the tables that its SCHEMA gives as a whole.

    The URLs name two empty databases.
    """
    whole, stepwise = await open_database(whole_url), await open_database(stepwise_url)
    try:
        await migrate(whole, package=package)
        migrations: Any = importlib.import_module(package)
        await stepwise.transaction(lambda connection: run_revisions(connection, migrations))
        made, wanted = await stepwise.read(database_shape), await whole.read(database_shape)
        for table in sorted(made.keys() | wanted.keys()):
            if made.get(table) != wanted.get(table):
                raise AssertionError(f"table {table}: revisions make {made.get(table)}, SCHEMA has {wanted.get(table)}")
    finally:
        await whole.close()
        await stepwise.close()
