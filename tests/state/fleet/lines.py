"""The lines from one process to its stores: slow, cut, and with answers that get lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

from tests.state.fleet.life import Life
from tests.state.held_records import HeldRecords

from flyteplane.coordination import Change, Compare, Coordination, KeyValue, MemoryCoordination, Mirror, TxnResult
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Aborted, Unavailable
from flyteplane.scheduler.application.ports import Changes, Living, Records


class StoreLine(HeldRecords):
    """A process's records: commits take `slow_s`, or what `delay` says, and come in order.

    Args:
        delay: seconds that the next commit takes.
    """

    def __init__(
        self,
        inner: Records,
        *,
        on_durable: Callable[[Changes], None],
        life: Life,
        clock: ManualClock,
        delay: Callable[[], float],
    ) -> None:
        super().__init__(inner, on_durable=on_durable)
        self._life = life
        self._clock = clock
        self._delay = delay
        self._queue: deque[tuple[Changes, asyncio.Future[None]]] = deque()
        self._broken = False
        self.lose_answer = False
        """The next commit is stored, and its answer is an error."""
        self.refuse = False
        """The next commit is not stored."""

    @property
    def waiting(self) -> int:
        """See the base."""
        return len(self._queue)

    def save(self, changes: Changes) -> Awaitable[None]:
        """See the port."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._life.dead:
            self._queue.append((changes, answer))
            self._clock.call_later(self._delay(), self._write_next)
        return answer

    def _write_next(self) -> None:
        if self._queue:
            changes, answer = self._queue.popleft()
            error = self._store_now(changes)
            self._life.do(lambda: _answer(answer, error))

    def _store_now(self, changes: Changes) -> BaseException | None:
        if self._broken:
            return Aborted("a write before this one failed", reason="EARLIER_WRITE_FAILED")
        if self.refuse:
            self.refuse, self._broken = False, True
            return Unavailable("the database cannot be reached")
        stored = self._inner.save(changes)
        assert isinstance(stored, asyncio.Future)
        error = stored.exception()
        if error is None:
            self._on_durable(changes)
        self._broken = error is not None or self.lose_answer
        if error is None and self.lose_answer:
            error = Unavailable("the connection broke during the commit")
        self.lose_answer = False
        return error

    def die(self, *, keep: int) -> None:
        """The process is killed: of what it wrote and was not told of, the first `keep` are stored."""
        for changes, _ in list(self._queue)[:keep]:
            self._store_now(changes)
        self._queue.clear()

    async def claim(self, *, at_least: int) -> int:
        """See the port."""
        return await self._life.effect(lambda: self._inner.claim(at_least=at_least), name="claim")

    async def living(self) -> Living:
        """See the port."""
        return await self._life.effect(self._inner.living, name="living")

    async def close(self) -> None:
        """See the port."""
        if self._queue:
            await asyncio.wait([self._queue[-1][1]])


def _answer(answer: asyncio.Future[None], error: BaseException | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(None)
    else:
        answer.set_exception(error)


class CoordinationLine(Coordination):
    """A process's line to the coordination store."""

    def __init__(self, store: MemoryCoordination, *, life: Life, clock: ManualClock, random: Random) -> None:
        self._store = store
        self._life = life
        self._clock = clock
        self._random = random
        self.cut = False
        self.loses_answers = 0.0
        """Chance that a call takes effect and its answer is lost."""
        self.slow_s = 0.0

    async def _ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        async def ask() -> Any:
            if self.slow_s:
                await self._clock.sleep(self._random.uniform(0, self.slow_s))
            if self.cut:
                raise Unavailable("the coordination store cannot be reached")
            answer = await call()
            if self.loses_answers and self._random.random() < self.loses_answers:
                raise Unavailable("the answer of the coordination store was lost")
            return answer

        return await self._life.effect(ask)

    async def get(self, key: str) -> KeyValue | None:
        return await self._ask(lambda: self._store.get(key))  # type: ignore[no-any-return]

    async def list(self, prefix: str) -> Sequence[KeyValue]:
        return await self._ask(lambda: self._store.list(prefix))  # type: ignore[no-any-return]

    async def put(self, key: str, value: bytes, *, lease_id: int = 0) -> int:
        return await self._ask(lambda: self._store.put(key, value, lease_id=lease_id))  # type: ignore[no-any-return]

    async def delete(self, key: str) -> bool:
        return await self._ask(lambda: self._store.delete(key))  # type: ignore[no-any-return]

    async def txn(self, *, when: Sequence[Compare], then: Any = (), otherwise: Any = ()) -> TxnResult:
        ask = self._store.txn
        return await self._ask(lambda: ask(when=when, then=then, otherwise=otherwise))  # type: ignore[no-any-return]

    async def grant(self, ttl_s: float) -> int:
        return await self._ask(lambda: self._store.grant(ttl_s))  # type: ignore[no-any-return]

    async def keep_alive(self, lease_id: int) -> float:
        return await self._ask(lambda: self._store.keep_alive(lease_id))  # type: ignore[no-any-return]

    async def time_to_live(self, lease_id: int) -> float | None:
        return await self._ask(lambda: self._store.time_to_live(lease_id))  # type: ignore[no-any-return]

    async def revoke(self, lease_id: int) -> None:
        await self._ask(lambda: self._store.revoke(lease_id))

    def mirror(self, prefix: str) -> Mirror:
        return _LateMirror(self, self._store.mirror(prefix))

    async def catch_up(self) -> None:
        """The watch was lost, or the history compacted: changes are found by a comparison once the line is there."""

        async def nothing() -> None:
            while self.cut and not self._life.dead:
                await self._clock.sleep(1.0)
            if self.slow_s:
                await self._clock.sleep(self._random.uniform(0, self.slow_s))

        await self._life.effect(nothing)

    async def close(self) -> None:
        """The store itself is closed by the world."""


class _LateMirror:
    """A mirror whose changes come when the line lets them through."""

    def __init__(self, line: CoordinationLine, mirror: Mirror) -> None:
        self._line = line
        self._mirror = mirror

    @property
    def snapshot(self) -> Mapping[str, KeyValue]:
        """See the port."""
        return self._mirror.snapshot

    @property
    def revision(self) -> int:
        """See the port."""
        return self._mirror.revision

    async def __aiter__(self) -> AsyncIterator[Sequence[Change]]:
        async for changes in self._mirror:
            await self._line.catch_up()
            yield changes

    async def __aenter__(self) -> Self:
        await self._line.catch_up()
        await self._mirror.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._mirror.__aexit__(kind, error, trace)
