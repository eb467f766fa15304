"""The port to a relational database.

A unit of work is a synchronous function over a `sqlalchemy.Connection`. It runs inside a transaction that it neither
begins nor ends, and it may be run again when the transaction of its batch fails, so it must not change anything but
the database.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.records.group_commit import GroupCommitWriter

T = TypeVar("T")
Work: TypeAlias = Callable[[Connection], T]


class Database(Protocol):
    """One open database. Belongs to the event loop that it was opened on."""

    @property
    def name(self) -> str:
        """What errors and logs call it: the path of the file, or the URL without its password."""

    async def read(self, work: Work[T]) -> T:
        """Run a short query on a consistent snapshot: keys, pages, at most some thousand rows.

        It sees every write that was acknowledged before the call. Writing in it fails. Use `scan` for anything longer.
        """

    async def scan(self, work: Work[T]) -> T:
        """Run a long query on a consistent snapshot, away from the event loop. Writing in it fails."""

    async def write(self, work: Work[T]) -> T:
        """Run `work` in the next group commit, without a guard; returns when it is durable.

        Raises what `work` raises, and Unavailable when the database did not take the transaction.
        """

    async def transaction(self, work: Work[T]) -> T:
        """Run `work` in a write transaction of its own; returns when it is durable. For migrations and maintenance."""

    def writer(self, *, guard: Work[None] | None = None, most: int = 500) -> GroupCommitWriter:
        """A group-commit writer whose every transaction begins with `guard`; close it before the database."""

    async def close(self) -> None:
        """Commit what was submitted to `write`, then let go of the database. May be called again."""


async def open_database(url: str, *, readers: int = 2, busy_timeout_s: float = 5.0) -> Database:
    """Open the database at `url`.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, or `sqlite://` for one that lives in memory.
        readers: threads for `scan`.
        busy_timeout_s: how long to wait for another process that holds the write lock.

    Raises:
        InvalidArgument: the URL names no database that this build supports.
        Unavailable, DataLoss, PermissionDenied: the file cannot be opened, is damaged, or may not be written.
    """
    from flyteplane.records.sqlite import SqliteDatabase

    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidArgument("the database URL cannot be read", reason="DATABASE_URL", field="url") from error
    if parsed.get_backend_name() != "sqlite" or parsed.get_driver_name() not in ("", "pysqlite"):
        raise InvalidArgument(
            f"databases of the kind {parsed.drivername!r} are not supported by this build",
            reason="DATABASE_URL",
            field="url",
            mend="Use sqlite:///path/to/file.db.",
        )
    return SqliteDatabase(parsed.database or "", readers=readers, busy_timeout_s=busy_timeout_s)
