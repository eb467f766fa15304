"""The port to a relational database.

A unit of work is a synchronous function over a `sqlalchemy.Connection`. It runs inside a transaction that it neither
begins nor ends, and it may be run again when the transaction of its batch fails, so it must not change anything but
the database.

Write transactions take turns, whatever process they come from: each sees all that was committed before it began, and
numbers that the database gives out grow in the order of commits.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument
from flyteplane.records.group_commit import GroupCommitWriter
from flyteplane.records.postgres_address import POSTGRES_DRIVERS, postgres_address

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


async def open_database(
    url: str, *, readers: int = 2, busy_timeout_s: float = 5.0, patience_s: float = 30.0
) -> Database:
    """Open the database at `url`.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` for one that lives in memory, or
            `postgresql://user:password@host:5432/database`, with the parameters of libpq and `schema`.
        readers: scans under way at a time.
        busy_timeout_s: how long to wait for another process that holds the write lock, or for a server that went away.
        patience_s: how long to wait for a server that is not up yet.

    Raises:
        InvalidArgument: the URL names no database that this build supports.
        Unavailable, DataLoss, PermissionDenied, FailedPrecondition: the database cannot be reached or opened, is
            damaged, or may not be written.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidArgument("the database URL cannot be read", reason="DATABASE_URL", field="url") from error
    # Each adapter is imported when it is needed: SQLite platforms run without the driver of the other one.
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        from flyteplane.records.sqlite import SqliteDatabase

        return SqliteDatabase(parsed.database or "", readers=readers, busy_timeout_s=busy_timeout_s)
    if parsed.drivername in POSTGRES_DRIVERS:
        address = postgres_address(parsed)
        try:
            from flyteplane.records.postgres import open_postgres
        except ImportError as error:
            raise FailedPrecondition(
                f"{address.name} needs the package asyncpg",
                reason="STORE_DRIVER_MISSING",
                mend="Install it: pip install 'flyteplane[postgres]'.",
            ) from error
        return await open_postgres(address, readers=readers, busy_timeout_s=busy_timeout_s, patience_s=patience_s)
    raise InvalidArgument(
        f"databases of the kind {parsed.drivername!r} are not supported by this build",
        reason="DATABASE_URL",
        field="url",
        mend="Use sqlite:///path/to/file.db or postgresql://user@host/database.",
    )
