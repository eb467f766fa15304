"""A schema as the statements that make it.

Writing them takes most of the time that a new database costs, 2 to 8 ms for each service, and they are always the same:
a process writes them once, however many databases it makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, MetaData
from sqlalchemy.engine.mock import MockConnection


def statements_of(schema: MetaData, dialect: Dialect) -> Sequence[str]:
    """What makes all tables and indexes of a schema in a database that has none of them, in order."""
    return _written(schema, _Spoken(dialect))


class _Spoken:
    """A dialect, equal to every other one that writes the same: each engine has an object of its own."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._key = (dialect.name, dialect.driver, getattr(dialect, "server_version_info", None))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Spoken) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache
def _written(schema: MetaData, spoken: _Spoken) -> Sequence[str]:
    written: list[str] = []

    def write(statement: Any, *_: Any, **__: Any) -> None:
        written.append(str(statement.compile(dialect=spoken.dialect)))

    schema.create_all(MockConnection(spoken.dialect, write), checkfirst=False)
    return written
