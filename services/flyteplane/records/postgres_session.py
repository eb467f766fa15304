"""One session with a PostgreSQL server, and how it is opened.

Nobody may hold up everybody else for long: the server ends a transaction that stands still, gives up waiting for a
lock, and notices a peer that vanished, all by settings that each session brings along. Neither end waits for a dead
connection longer than some seconds.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]  # publishes no types; `Driver` is what we use of it
from sqlalchemy import Connection, NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from flyteplane.records.postgres_address import PostgresAddress

T = TypeVar("T")

#: How long a transaction may stand still before the server, or whoever waits for it, ends it.
STANDSTILL_S: Final = 3.0
#: How long one statement may take; scans have more.
STATEMENT_S: Final = 120.0
_CONNECT_S: Final = 5.0
#: A commit whose answer is not there by then counts as lost.
_COMMIT_S: Final = 30.0
#: A peer that vanished is noticed after idle + interval * count, or when it takes no bytes for _UNSENT_S.
_KEEPALIVE_IDLE_S: Final = 5
_KEEPALIVE_INTERVAL_S: Final = 2
_KEEPALIVE_COUNT: Final = 3
_UNSENT_S: Final = 10
_GOODBYE_S: Final = 2.0
_NUL_SIGN: Final = "\N{SYMBOL FOR NULL}"


class Driver(Protocol):
    """The driver's connection, as far as it is used here."""

    def is_closed(self) -> bool: ...
    async def execute(self, query: str, *, timeout: float | None = None) -> str: ...
    async def fetch(self, query: str, *values: Any) -> Sequence[Sequence[Any]]: ...
    async def fetchrow(self, query: str) -> Sequence[Any] | None: ...
    async def close(self, *, timeout: float) -> None: ...
    def terminate(self) -> None: ...


class Session:
    """A session that runs one transaction at a time."""

    def __init__(self, connection: AsyncConnection, driver: Driver) -> None:
        self._connection = connection
        self.driver = driver
        self._loop = asyncio.get_running_loop()
        self._began = 0.0

    @property
    def is_lost(self) -> bool:
        """Whether the connection is gone."""
        return self.driver.is_closed()

    async def begin(self, statements: str) -> None:
        """Begin a transaction with `statements`, all in one trip to the server."""
        await self.driver.execute(f"BEGIN {statements}")
        self._began = self._loop.time()

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the transaction that was begun."""
        return await self._connection.run_sync(_in_transaction, work)

    async def confirm(self) -> None:
        """Before the commit of a transaction that took long: fail if the session ended meanwhile.

        This process may have been stopped. Whoever learns of it here knows that nothing was stored; an error of the
        commit would leave that open.
        """
        if self._loop.time() - self._began > STANDSTILL_S / 2:
            await self.driver.execute("SELECT 1")

    async def commit(self) -> bool:
        """Commit; False when the server rolled back, because a statement had failed unnoticed."""
        return await self.driver.execute("COMMIT", timeout=_COMMIT_S) == "COMMIT"

    async def rollback(self) -> None:
        """Undo the transaction."""
        await self.driver.execute("ROLLBACK", timeout=_COMMIT_S)

    async def drop(self) -> None:
        """Hang up at once; the server undoes what was not committed. May be called again."""
        if self._connection.closed:
            return
        self.driver.terminate()
        await self._connection.invalidate()
        await self._connection.close()

    async def close(self) -> None:
        """Say goodbye, if the server listens."""
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self.driver.close(timeout=_GOODBYE_S)
        await self.drop()


class Sessions:
    """Opens sessions with one server."""

    def __init__(self, address: PostgresAddress, *, lock_wait_s: float) -> None:
        self._address = address
        self._settings = _settings(address.schema, lock_wait_s=lock_wait_s)
        # The transactions are ours: SQLAlchemy's own would cost more trips to the server.
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )

    async def open(self) -> Session:
        """Open a session. Raises what the driver raises."""
        connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        return Session(connection, driver)

    async def close(self) -> None:
        """Let go of the engine; sessions are closed by those who opened them."""
        await self._engine.dispose()

    async def _connect(self) -> Driver:
        driver: Any = await asyncpg.connect(
            self._address.connection_string,
            timeout=_CONNECT_S,
            server_settings=self._settings,
        )
        try:
            _keep_alive(driver)
            for name in ("text", "varchar"):
                await driver.set_type_codec(name, schema="pg_catalog", encoder=_without_nul, decoder=str)
        except BaseException:
            driver.terminate()
            raise
        connected: Driver = driver
        return connected


class SessionPool:
    """Sessions that are used again. At most `most` at a time; whoever wants one more waits."""

    def __init__(self, open_session: Callable[[], Awaitable[Session]], *, most: int) -> None:
        self._open = open_session
        self._idle: list[Session] = []
        self._most = most
        self._places = asyncio.Semaphore(most)

    async def take(self) -> Session:
        """An idle session, or a new one; hand it back with `give` or `lose`."""
        await self._places.acquire()
        try:
            return self._idle.pop() if self._idle else await self._open()
        except BaseException:
            self._places.release()
            raise

    def give(self, session: Session) -> None:
        """Hand back a session without an open transaction."""
        self._idle.append(session)
        self._places.release()

    async def lose(self, session: Session) -> None:
        """Drop a session, and the idle ones, which most likely met the same fate."""
        self._places.release()
        idle, self._idle = self._idle, []
        for one in (session, *idle):
            await one.drop()

    async def close(self) -> None:
        """Wait for the sessions in use, then close all; nobody may take one any more."""
        for _ in range(self._most):
            await self._places.acquire()
        idle, self._idle = self._idle, []
        for session in idle:
            await session.close()


def _in_transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    # For SQLAlchemy's books only: the driver is told to leave transactions alone.
    with connection.begin():
        return work(connection)


def _settings(schema: str, *, lock_wait_s: float) -> dict[str, str]:
    settings = {
        "application_name": "flyteplane",
        "jit": "off",
        # A snapshot of the whole transaction would be taken before its turn has come: see `postgres_turns`.
        "default_transaction_isolation": "read committed",
        "idle_in_transaction_session_timeout": _milliseconds(STANDSTILL_S),
        "lock_timeout": _milliseconds(lock_wait_s),
        "statement_timeout": _milliseconds(STATEMENT_S),
        "tcp_keepalives_idle": str(_KEEPALIVE_IDLE_S),
        "tcp_keepalives_interval": str(_KEEPALIVE_INTERVAL_S),
        "tcp_keepalives_count": str(_KEEPALIVE_COUNT),
        "tcp_user_timeout": _milliseconds(_UNSENT_S),
    }
    if schema:
        settings["search_path"] = quoted(schema)
    return settings


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _keep_alive(driver: Driver) -> None:
    # The driver keeps its transport to itself, and has no setting for this.
    transport: Any = getattr(driver, "_transport", None)
    peer: socket.socket | None = transport.get_extra_info("socket") if transport is not None else None
    if peer is None or peer.family == socket.AF_UNIX:
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_COUNT)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNSENT_S * 1000)


def _without_nul(text: str) -> str:
    # PostgreSQL stores every character but this one, and refusing a whole commit for it would stop a scheduler.
    return text.replace("\0", _NUL_SIGN)
