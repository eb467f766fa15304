"""Statements of hot paths: compiled once, executed by the driver with plain tuples.

SQLAlchemy's own work for one execution (parameters, result, events) costs several times what SQLite needs for a row.
A hot statement is still written and compiled by SQLAlchemy, so it fits every dialect; only its execution goes
straight to the driver's cursor. Errors are the driver's own; the store kit translates them all the same.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql.base import Executable


class HotStatement:
    """A statement with positional parameters.

    Args:
        build: makes the statement; called when it is first used, so that modules load fast.
        parameters: names of its parameters in the order in which values are given.
    """

    def __init__(self, build: Callable[[], Executable], parameters: Sequence[str]) -> None:
        self._build = build
        self._parameters = list(parameters)
        self._compiled: dict[str, str] = {}

    def execute_many(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Executes it once for each row."""
        cursor = connection.connection.cursor()
        try:
            cursor.executemany(self._text(connection), rows)
        finally:
            cursor.close()

    def scalar(self, connection: Connection, *values: Any) -> Any:
        """The first column of the first row, or None."""
        rows = self.rows(connection, *values)
        return rows[0][0] if rows else None

    def rows(self, connection: Connection, *values: Any) -> Sequence[Sequence[Any]]:
        """All rows, each as the driver gives it."""
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._text(connection), values)
            found: Sequence[Sequence[Any]] = cursor.fetchall()
        finally:
            cursor.close()
        return found

    def _text(self, connection: Connection) -> str:
        dialect = connection.dialect
        text = self._compiled.get(dialect.name)
        if text is None:
            compiled: Any = self._build().compile(dialect=dialect)  # type: ignore[attr-defined]  # all our statements have it
            if list(compiled.positiontup or ()) != self._parameters:
                raise AssertionError(f"parameters are {compiled.positiontup}, not {self._parameters}")
            text = self._compiled[dialect.name] = str(compiled)
        return text
