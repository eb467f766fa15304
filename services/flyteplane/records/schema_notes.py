"""What a service notes about its own schema and its leader, beside the revision: one small table of names and values.

    compatible_from    "0003/0002": the revision that the tables are at, and the oldest one whose code works on them
    epoch              of the process that may write; absent where nobody is elected

The table belongs to this kit, not to the revisions of a service: code that is older than the schema reads it to learn
whether it may go on, so its form never changes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, bindparam, delete, insert, inspect, select

from flyteplane.records.hot_statement import HotStatement

COMPATIBLE_FROM: Final = "compatible_from"
EPOCH: Final = "epoch"


class SchemaNotes:
    """The notes of the service whose revision is in `version_table`. Its methods run inside a transaction."""

    def __init__(self, version_table: str) -> None:
        name = f"{version_table.removesuffix('_version')}_notes"
        self._table = _notes(name)
        self._hot_read = _hot_read(name)

    @property
    def table(self) -> str:
        """The name of the table."""
        return self._table.name

    def exist(self, connection: Connection) -> bool:
        """Whether the table is there; databases of early builds have none."""
        return inspect(connection).has_table(self._table.name)

    def create(self, connection: Connection) -> None:
        """Make the table if it is missing."""
        self._table.create(connection, checkfirst=True)

    def read(self, connection: Connection, name: str) -> str:
        """A value; empty if there is none."""
        return str(self._hot_read.scalar(connection, name) or "")

    def write(self, connection: Connection, name: str, value: str) -> None:
        """Set a value."""
        connection.execute(delete(self._table).where(self._table.c.name == name))
        connection.execute(insert(self._table).values(name=name, value=value))


@lru_cache
def _notes(table: str) -> Table:
    return Table(
        table, MetaData(), Column("name", String(32), primary_key=True), Column("value", String(64), nullable=False)
    )


@lru_cache
def _hot_read(table: str) -> HotStatement:
    # Asked in every transaction of a leader.
    notes = _notes(table)
    return HotStatement(lambda: select(notes.c.value).where(notes.c.name == bindparam("name")), ["name"])
