"""PostgreSQL behind the `Database` port.

A work is a plain function over a SQLAlchemy connection; it runs on the event loop, which goes on with other things
while the server answers. Write transactions of all processes take turns (`postgres_turns`), readers see a snapshot.

A transaction that failed before its commit was sent did nothing, and is run again when its session was lost or when
the server asks for it, for `busy_timeout_s` at most. A commit whose answer was lost is reported as such: its outcome
is unknown, and nobody but the caller can tell whether it may be repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from sqlalchemy import Connection

from flyteplane.foundation.errors import Internal, PlatformError, Unavailable
from flyteplane.observe import get_logger
from flyteplane.records.failures import store_failure
from flyteplane.records.group_commit import GroupCommitWriter
from flyteplane.records.postgres_address import PostgresAddress
from flyteplane.records.postgres_failures import (
    LOCK_TIMEOUT,
    STOOD_STILL,
    did_nothing,
    outcome_unknown,
    refused_for_good,
    sqlstate,
    unreachable,
)
from flyteplane.records.postgres_opening import open_sessions, pauses
from flyteplane.records.postgres_session import STANDSTILL_S, Session, SessionPool, Sessions
from flyteplane.records.postgres_turns import Turns

T = TypeVar("T")

_log = get_logger("records")

_SNAPSHOT: Final = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
#: A scan may take long on both sides: it holds nobody up.
_LONG_SNAPSHOT: Final = (
    f"{_SNAPSHOT}; SET LOCAL statement_timeout = '600s'; SET LOCAL idle_in_transaction_session_timeout = '600s'"
)
#: Short reads under way at a time.
_READS: Final = 4
#: Beyond the time after which the server itself ends a transaction that stands still.
_GRACE_S: Final = 0.5


class _Again(Exception):
    """An attempt did nothing and may be repeated; the cause says why it failed."""


class PostgresDatabase:
    """One schema of a PostgreSQL database. See `Database` for the methods, and `open_postgres`."""

    def __init__(self, sessions: Sessions, turns: Turns, *, name: str, readers: int, busy_timeout_s: float) -> None:
        self._sessions = sessions
        self._turns = turns
        self._name = name
        self._busy_timeout_s = busy_timeout_s
        self._reads = SessionPool(sessions.open, most=_READS)
        self._scans = SessionPool(sessions.open, most=readers)
        self._turn = asyncio.Lock()
        self._session: Session | None = None
        """The one for writing; None until it is needed."""
        self._closed = False
        self._writer = self.writer()

    @property
    def name(self) -> str:
        return self._name

    async def read(self, work: Callable[[Connection], T]) -> T:
        self._refuse_closed()
        return await self._repeat(lambda: self._query(self._reads, _SNAPSHOT, work))

    async def scan(self, work: Callable[[Connection], T]) -> T:
        self._refuse_closed()
        return await self._repeat(lambda: self._query(self._scans, _LONG_SNAPSHOT, work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._writer.submit(work)

    def writer(self, *, guard: Callable[[Connection], None] | None = None, most: int = 500) -> GroupCommitWriter:
        return GroupCommitWriter(self.transaction, guard=guard, most=most, name=self._name)

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        async with self._turn:
            self._refuse_closed()
            return await self._repeat(lambda: self._transact(work))

    async def close(self) -> None:
        await self._writer.close()
        async with self._turn:
            if self._closed:
                return
            self._closed = True
            await self._reads.close()
            await self._scans.close()
            if self._session is not None:
                await self._session.close()
            await self._sessions.close()

    async def _repeat(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run `attempt` until it did something or the time is up."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._busy_timeout_s
        for pause in pauses():
            try:
                return await attempt()
            except _Again as again:
                cause = again.__cause__ or again
                if loop.time() + pause > until:
                    raise self._public(cause) from cause
            except Exception as error:
                public = store_failure(error, name=self._name)
                if public is None:
                    raise
                raise public from error
            await asyncio.sleep(pause)
        raise AssertionError("the pauses never end")

    async def _transact(self, work: Callable[[Connection], T]) -> T:
        if self._session is None:
            self._session = await self._open()
        session = self._session
        try:
            await self._await_turn(session)
            result = await session.run(work)
            await session.confirm()
        except _Again:
            raise
        except BaseException as error:
            again = _did_nothing(session, error)
            if not await self._undone(session, error):
                self._session = None
            if again:
                raise _Again from error
            raise
        await self._commit(session)
        return result

    async def _await_turn(self, session: Session) -> None:
        try:
            await session.begin(f"; {self._turns.wait}")
        except Exception as error:
            if sqlstate(error) != LOCK_TIMEOUT:
                raise
            await session.rollback()
            await self._turns.end_standing(session)
            raise _Again from error

    async def _commit(self, session: Session) -> None:
        sent = not session.is_lost
        try:
            committed = await session.commit()
        except BaseException as error:
            self._session = None
            await session.drop()
            if not isinstance(error, Exception):
                raise
            if not sent or sqlstate(error) == STOOD_STILL:
                raise _Again from error
            raise outcome_unknown(self._name) from error
        if not committed:
            raise Internal("a work went on after a statement of it had failed, so nothing of its transaction is stored")

    async def _query(self, pool: SessionPool, snapshot: str, work: Callable[[Connection], T]) -> T:
        try:
            session = await pool.take()
        except Exception as error:
            raise _reason_to_wait(error) from error
        try:
            await session.begin(snapshot)
            result = await session.run(work)
        except BaseException as error:
            again = _did_nothing(session, error)
            await self._hand_back(session, pool, error)
            if again:
                raise _Again from error
            raise
        await self._hand_back(session, pool, None)
        return result

    async def _hand_back(self, session: Session, pool: SessionPool, error: BaseException | None) -> None:
        try:
            undone = await self._undone(session, error)
        except BaseException:
            await pool.lose(session)
            raise
        if undone:
            pool.give(session)
        else:
            await pool.lose(session)

    async def _open(self) -> Session:
        try:
            return await self._sessions.open()
        except Exception as error:
            raise _reason_to_wait(error) from error

    async def _undone(self, session: Session, error: BaseException | None) -> bool:
        """Undo the transaction, which failed with `error`; False when the session had to be dropped for it."""
        if error is None or self._is_of_a_work(session, error):
            try:
                await session.rollback()
            except Exception:
                _log.debug("session_lost_in_rollback", exc_info=True)
            else:
                return True
        await session.drop()
        return False

    def _is_of_a_work(self, session: Session, error: BaseException) -> bool:
        """Whether the work is to blame, and not the session."""
        if not isinstance(error, Exception) or _did_nothing(session, error):
            return False
        return store_failure(error, name=self._name) is None

    def _public(self, error: BaseException) -> PlatformError:
        return store_failure(error, name=self._name) or unreachable(self._name)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable(f"{self._name} is closed", reason="STORE_CLOSED")


def _did_nothing(session: Session, error: BaseException) -> bool:
    return isinstance(error, Exception) and (session.is_lost or did_nothing(error))


def _reason_to_wait(error: Exception) -> Exception:
    """What to raise for a session that could not be opened."""
    return error if refused_for_good(error) else _Again()


async def open_postgres(
    address: PostgresAddress, *, readers: int, busy_timeout_s: float, patience_s: float
) -> PostgresDatabase:
    """Open the database at `address`; see `open_database` for the arguments and errors."""
    lock_wait_s = min(busy_timeout_s, STANDSTILL_S + _GRACE_S)
    sessions, schema = await open_sessions(address, lock_wait_s=lock_wait_s, patience_s=patience_s)
    return PostgresDatabase(sessions, Turns(schema), name=address.name, readers=readers, busy_timeout_s=busy_timeout_s)
