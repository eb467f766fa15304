"""Many small writes as one transaction.

A durable commit costs the same for one row as for some hundred. The writer never waits when it is idle: the first
work goes out at once, and whatever is submitted while that commit is under way goes out as the next one.

Guarantees: works are applied in the order of submission; a work is answered only after its transaction is durable;
one bad work fails alone; a failed commit is reported to everyone in it. Not guaranteed: that a work runs once. When a
batch fails it is rolled back and its works are run again, so a work changes nothing but the database.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection

from flyteplane.foundation.batcher import Batcher
from flyteplane.foundation.errors import Internal, PlatformError
from flyteplane.records.failures import store_failure

T = TypeVar("T")
_Entry: TypeAlias = tuple[Callable[[Connection], Any], "asyncio.Future[Any]"]


class Transact(Protocol):
    """Runs a function in a write transaction of its own and returns when that is durable."""

    def __call__(self, work: Callable[[Connection], T], /) -> Awaitable[T]: ...


class _OneFailed(Exception):
    """A work of a batch failed: roll the batch back and run its works apart."""


class _Failed:
    """The outcome of a work that failed alone."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class GroupCommitWriter:
    """Collects works and commits them together. Belongs to one event loop.

    Args:
        transact: runs a transaction, one at a time.
        guard: runs first in every transaction. What it raises fails the whole batch: raise
            `Aborted(..., reason="FENCED")` when the epoch in the database is not the caller's.
        most: works in one transaction at most.
        name: what errors call the store.
    """

    def __init__(
        self,
        transact: Transact,
        *,
        guard: Callable[[Connection], None] | None = None,
        most: int = 500,
        name: str = "store",
    ) -> None:
        self._transact = transact
        self._guard = guard
        self._name = name
        self._queue: Batcher[_Entry] = Batcher(f"the writer of {name}", most=most)
        self._task: asyncio.Task[None] | None = None
        self._linger = 0

    def submit(self, work: Callable[[Connection], T], *, linger: int = 0) -> "asyncio.Future[T]":
        """Queue `work`; the future is answered once it is durable, with its result or its error.

        With `linger` the transaction begins so many turns of the event loop later: a commit that runs on the loop
        holds everything else up, so whoever has more urgent things under way lets them go first. A work whose future
        is cancelled before its transaction begins is left out. Raises Unavailable after `close`.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._linger = max(self._linger, linger)
        self._queue.put_nowait((work, answer))
        if self._task is None:
            self._task = loop.create_task(self._run(), name=f"group-commit {self._name}")
        return answer

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Submit `work` and wait until it is durable."""
        return await self.submit(work)

    async def close(self) -> None:
        """Take no more works, and return once those that were taken are answered. May be called again."""
        self._queue.close()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        while batch := await self._queue.take():
            linger, self._linger = self._linger, 0
            for _ in range(linger):
                await asyncio.sleep(0)
            batch += self._queue.take_nowait()
            entries = [entry for entry in batch if not entry[1].done()]
            if entries:
                await self._commit(entries)

    async def _commit(self, entries: Sequence[_Entry]) -> None:
        try:
            try:
                outcomes = await self._transact(partial(self._apply_together, entries))
            except _OneFailed:
                outcomes = await self._transact(partial(self._apply_apart, entries))
        except Exception as error:
            self._refuse(entries, error)
            return
        for (_, answer), outcome in zip(entries, outcomes, strict=True):
            if answer.done():
                continue
            if isinstance(outcome, _Failed):
                answer.set_exception(_own(outcome.error))
            else:
                answer.set_result(outcome)

    def _apply_together(self, entries: Sequence[_Entry], connection: Connection) -> list[Any]:
        if self._guard is not None:
            self._guard(connection)
        try:
            return [work(connection) for work, _ in entries]
        except Exception as error:
            if len(entries) == 1 or store_failure(error, name=self._name) is not None:
                raise
            raise _OneFailed from error

    def _apply_apart(self, entries: Sequence[_Entry], connection: Connection) -> list[Any]:
        if self._guard is not None:
            self._guard(connection)
        return [self._apply_one(work, connection) for work, _ in entries]

    def _apply_one(self, work: Callable[[Connection], Any], connection: Connection) -> Any:
        savepoint = connection.begin_nested()
        try:
            result = work(connection)
        except Exception as error:
            if store_failure(error, name=self._name) is not None:
                raise
            savepoint.rollback()
            return _Failed(error)
        savepoint.commit()
        return result

    def _refuse(self, entries: Sequence[_Entry], error: Exception) -> None:
        public: Exception = store_failure(error, name=self._name) or error
        for _, answer in entries:
            if not answer.done():
                answer.set_exception(_own(public))


def _own(error: Exception) -> Exception:
    """A copy for one waiter: raising one object in several tasks would pile their tracebacks onto it."""
    if isinstance(error, StopIteration):
        return Internal("a work raised StopIteration, which no future can carry")
    if not isinstance(error, PlatformError):
        return error
    own = copy.copy(error)
    own.__cause__ = error.__cause__
    return own
