"""SQLite behind the `Database` port.

Statements run on the event loop, and so does the commit while the disk is quick; long scans run in reader threads.
The reason is the interpreter lock: every SQLite call gives it up, and a thread that competes with a busy event loop
waits for it once per row. Measured beside a busy loop, a batch of 200 rows took 181 ms from a thread and 1.3 ms from
the loop. `sqlite_upkeep` tells the rest.

Durability: write-ahead log with `synchronous=FULL`, so an acknowledged commit survives the loss of power.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, QueuePool, StaticPool, create_engine

from flyteplane.foundation.errors import Unavailable
from flyteplane.observe import get_logger
from flyteplane.records.failures import store_failure
from flyteplane.records.group_commit import GroupCommitWriter
from flyteplane.records.sqlite_upkeep import CommitPace, LogKeeper, shorten_switch_interval

T = TypeVar("T")

_log = get_logger("records")

#: Readers wait this long for the short exclusive locks of recovery and of the last close.
_READER_BUSY_TIMEOUT_MS: Final = 1000
_STATEMENTS_CACHED: Final = 512
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16384",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA wal_autocheckpoint=0",
)


class SqliteDatabase:
    """One SQLite file, or one database in memory when `path` is empty. See `Database` for the methods."""

    def __init__(self, path: str, *, readers: int = 2, busy_timeout_s: float = 5.0) -> None:
        self._in_memory = path in ("", ":memory:")
        self._path = ":memory:" if self._in_memory else str(Path(path).absolute())
        self._name = "the database in memory" if self._in_memory else f"the database file {self._path}"
        self._busy_timeout_ms = int(busy_timeout_s * 1000)
        self._opened: list[sqlite3.Connection] = []
        self._turn = asyncio.Lock()
        self._closed = False
        shorten_switch_interval()
        self._engine = self._create_engine(readers)
        with self._translated():
            self._write_connection = self._engine.connect()
            self._write_driver = self._opened[0]
            self._read_connection = self._write_connection if self._in_memory else self._engine.connect()
            self._read_driver = self._opened[-1]
            self._log = None if self._in_memory else LogKeeper(self._connect, self._path)
        self._pace = CommitPace()
        self._checkpoint: asyncio.Future[None] | None = None
        self._committer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._readers = ThreadPoolExecutor(max_workers=readers, thread_name_prefix="scan")
        self._writer = self.writer()

    @property
    def name(self) -> str:
        return self._name

    async def read(self, work: Callable[[Connection], T]) -> T:
        self._refuse_closed()
        if self._in_memory:
            # The one connection may be inside a transaction whose commit is awaited.
            async with self._turn:
                return self._query(self._read_connection, self._read_driver, work)
        return self._query(self._read_connection, self._read_driver, work)

    async def scan(self, work: Callable[[Connection], T]) -> T:
        if self._in_memory:
            return await self.read(work)
        self._refuse_closed()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._scan, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._writer.submit(work)

    def writer(self, *, guard: Callable[[Connection], None] | None = None, most: int = 500) -> GroupCommitWriter:
        return GroupCommitWriter(self.transaction, guard=guard, most=most, name=self._name)

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        async with self._turn:
            self._refuse_closed()
            with self._translated():
                connection = self._write_connection
                try:
                    await self._begin()
                    result = work(connection)
                    await self._commit()
                finally:
                    # SQLAlchemy takes note of a transaction when it executes a statement itself; the driver's is over.
                    if connection.in_transaction():
                        connection.rollback()
                    # Whatever went wrong, a cancelled wait for the lock included, the next one starts clean.
                    if self._write_driver.in_transaction:
                        self._write_driver.rollback()
                self._keep_log()
                return result

    async def close(self) -> None:
        await self._writer.close()
        async with self._turn:
            if self._closed:
                return
            self._closed = True
            self._readers.shutdown(wait=True)
            self._committer.shutdown(wait=True)
            if self._log is not None:
                self._log.close()
            self._read_connection.close()
            self._write_connection.close()
            self._engine.dispose()

    async def _begin(self) -> None:
        try:
            self._write_driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            # Another process holds the lock: wait for it without holding up the loop.
            await self._in_committer(self._begin_patiently)

    def _begin_patiently(self) -> None:
        self._write_driver.execute(f"PRAGMA busy_timeout={self._busy_timeout_ms}")
        try:
            self._write_driver.execute("BEGIN IMMEDIATE")
        finally:
            self._write_driver.execute("PRAGMA busy_timeout=0")

    async def _commit(self) -> None:
        if self._in_memory:
            self._write_driver.commit()
        elif self._pace.is_quick():
            started = time.perf_counter()
            self._write_driver.commit()
            self._pace.took(time.perf_counter() - started)
        else:
            await self._in_committer(self._write_driver.commit)

    def _keep_log(self) -> None:
        if self._log is None or (self._checkpoint is not None and not self._checkpoint.done()):
            return
        if self._log.too_long():
            with suppress(sqlite3.Error):
                self._log.finish()
        elif self._log.due(self._write_driver.total_changes):
            self._checkpoint = asyncio.get_running_loop().run_in_executor(self._committer, self._log.checkpoint)
            self._checkpoint.add_done_callback(_note_failure)

    async def _in_committer(self, call: Callable[[], None]) -> None:
        """Run `call` in the commit thread. A cancelled caller still waits: the connection is in use until then."""
        done = asyncio.get_running_loop().run_in_executor(self._committer, call)
        cancelled: asyncio.CancelledError | None = None
        while not done.done():
            try:
                await asyncio.wait([done])
            except asyncio.CancelledError as error:
                cancelled = error
        done.result()
        if cancelled is not None:
            raise cancelled

    def _query(self, connection: Connection, driver: sqlite3.Connection, work: Callable[[Connection], T]) -> T:
        with self._translated():
            if self._in_memory:
                driver.execute("PRAGMA query_only=ON")
            try:
                driver.execute("BEGIN")
                with connection.begin() as transaction:
                    result = work(connection)
                    transaction.rollback()
                return result
            finally:
                if self._in_memory:
                    driver.execute("PRAGMA query_only=OFF")

    def _scan(self, work: Callable[[Connection], T]) -> T:
        with self._translated(), self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            return self._query(connection, driver, work)

    def _create_engine(self, readers: int) -> Any:
        pool: dict[str, Any] = {"poolclass": StaticPool}
        if not self._in_memory:
            pool = {"poolclass": QueuePool, "pool_size": 2 + readers, "max_overflow": 0}
        return create_engine("sqlite://", creator=self._connect, **pool)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS_CACHED
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            if self._opened and not self._in_memory:
                connection.execute(f"PRAGMA busy_timeout={_READER_BUSY_TIMEOUT_MS}")
                connection.execute("PRAGMA query_only=ON")
        except BaseException:
            connection.close()
            raise
        self._opened.append(connection)
        return connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            public = store_failure(error, name=self._name)
            if public is None:
                raise
            raise public from error

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable(f"{self._name} is closed", reason="STORE_CLOSED")


def _note_failure(checkpoint: "asyncio.Future[None]") -> None:
    """Log a checkpoint that failed, on a full disk for example. Nothing is lost: the next one does its work."""
    if not checkpoint.cancelled() and (error := checkpoint.exception()) is not None:
        _log.warning("checkpoint_failed", exc_info=error)
