"""Records whose commits take as long as the test says, and of which a crash keeps no more than a prefix."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from flyteplane.scheduler.application.ports import (
    EVERY_ACTION,
    ActionCount,
    ActionFilter,
    ActionRow,
    Changes,
    Living,
    Records,
    RunChange,
    RunKey,
    RunRow,
    SegmentRow,
)


class HeldRecords:
    """One scheduler's records over any adapter.

    While `held`, what is saved waits. `release` lets the oldest through. A crash stores a prefix of what waits, chosen
    by the test, and answers nobody: a scheduler that is killed does not know which of its last writes were stored.
    """

    def __init__(self, inner: Records, *, on_durable: Callable[[Changes], None]) -> None:
        self._inner = inner
        self._on_durable = on_durable
        self._waiting: deque[tuple[Changes, asyncio.Future[None]]] = deque()
        self._allowed = 0
        self._pump: asyncio.Task[None] | None = None
        self._dead = False
        self._failure: Exception | None = None
        self.held = False

    @property
    def waiting(self) -> int:
        """How many saves are not durable yet."""
        return len(self._waiting)

    @property
    def running(self) -> asyncio.Task[None] | None:
        """The write that is under way."""
        return None if self._pump is None or self._pump.done() else self._pump

    def hold(self) -> None:
        """From now on nothing that is saved becomes durable."""
        self.held = True

    def release(self, count: int | None = None) -> None:
        """Lets the oldest `count` saves through; without a count all, and those that come."""
        self.held = count is not None
        self._allowed = count or 0
        self._go()

    def fail_next(self, failure: Exception) -> None:
        """The next write is not stored. Those after it would be."""
        self._failure = failure

    async def crash(self, *, keep: int) -> None:
        """The process dies; of what it saved and was not told of, the first `keep` are stored."""
        if self.running is not None:
            await self.running
        self._dead = True
        for changes, _ in list(self._waiting)[:keep]:
            await self._store(changes)
        self._waiting.clear()

    def save(self, changes: Changes) -> Awaitable[None]:
        """See the port."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._dead:
            self._waiting.append((changes, answer))
            self._go()
        return answer

    async def _store(self, changes: Changes) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        await self._inner.save(changes)
        self._on_durable(changes)

    def _go(self) -> None:
        if self.running is None and self._waiting and (self._allowed or not self.held):
            self._pump = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        while self._waiting and (self._allowed or not self.held):
            self._allowed = max(0, self._allowed - 1)
            changes, answer = self._waiting[0]
            try:
                await self._store(changes)
            except Exception as error:
                answer.set_exception(error)
            else:
                answer.set_result(None)
            self._waiting.popleft()

    # --- as the adapter does it -------------------------------------------------------------------------------------

    async def claim(self, *, at_least: int) -> int:
        """See the port."""
        return await self._inner.claim(at_least=at_least)

    async def living(self) -> Living:
        """See the port."""
        return await self._inner.living()

    async def highest_run_id(self) -> int:
        """See the port."""
        return await self._inner.highest_run_id()

    async def task(self, digest: bytes) -> bytes | None:
        """See the port."""
        return await self._inner.task(digest)

    async def run(self, key: RunKey) -> RunRow | None:
        """See the port."""
        return await self._inner.run(key)

    async def action(self, run_id: int, name: str) -> ActionRow | None:
        """See the port."""
        return await self._inner.action(run_id, name)

    async def actions(
        self, run_id: int, *, after: int, limit: int, where: ActionFilter = EVERY_ACTION
    ) -> Sequence[ActionRow]:
        """See the port."""
        return await self._inner.actions(run_id, after=after, limit=limit, where=where)

    async def action_counts(self, run_id: int, *, parents: Sequence[str] | None) -> Sequence[ActionCount]:
        """See the port."""
        return await self._inner.action_counts(run_id, parents=parents)

    async def ended(self, *, before: float, limit: int) -> Sequence[RunRow]:
        """See the port."""
        return await self._inner.ended(before=before, limit=limit)

    async def forget(self, run_id: int) -> None:
        """See the port."""
        await self._inner.forget(run_id)

    async def forget_changes(self, *, before: float) -> None:
        """See the port."""
        await self._inner.forget_changes(before=before)

    async def latest_run_change(self) -> int:
        """See the port."""
        return await self._inner.latest_run_change()

    async def segments(self, run_id: int, *, from_sequence: int, limit: int) -> Sequence[SegmentRow]:
        """See the port."""
        return await self._inner.segments(run_id, from_sequence=from_sequence, limit=limit)

    async def run_changes(self, *, after: int, limit: int) -> Sequence[RunChange]:
        """See the port."""
        return await self._inner.run_changes(after=after, limit=limit)

    async def close(self) -> None:
        """See the port."""
        self.release()
        if self.running is not None:
            await self.running
        await self._inner.close()
