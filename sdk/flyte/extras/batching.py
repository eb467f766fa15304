"""Batches of records from many concurrent producers, for one function that does better with many at once.

Records are handed over in the order of their submission. A batch is given to the function when the next record would
exceed its cost or number, or when its first record has waited long enough. What is submitted is always answered: with
its result, with the function's error, or, if the batcher is stopped by a cancellation, with that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Generic, Protocol, Self, TypeVar, runtime_checkable

from flyte.spec.problems import InvalidSetting

RecordT = TypeVar("RecordT")
ResultT = TypeVar("ResultT")

_END: Final = None
"""Marks the end of submissions in the queue."""


@runtime_checkable
class CostEstimator(Protocol):
    """A record that knows what it costs."""

    def estimate_cost(self) -> int:
        """Return the cost, in whatever unit `target_batch_cost` has."""
        ...


@dataclass(frozen=True, slots=True)
class BatchStats:
    """What a batcher has done."""

    total_submitted: int = 0
    total_completed: int = 0
    total_batches: int = 0
    total_batch_cost: int = 0
    avg_batch_size: float = 0.0
    avg_batch_cost: float = 0.0
    busy_time_s: float = 0.0
    idle_time_s: float = 0.0

    @property
    def utilization(self) -> float:
        """The part of its time that the function was running, from 0 to 1."""
        total = self.busy_time_s + self.idle_time_s
        return self.busy_time_s / total if total else 0.0


@dataclass(frozen=True, slots=True)
class _Submitted(Generic[RecordT, ResultT]):
    record: RecordT
    cost: int
    answer: asyncio.Future[ResultT]


_Batch = list[_Submitted[Any, Any]]


class DynamicBatcher(Generic[RecordT, ResultT]):
    """Collects records into batches and gives each record the result of its own.

    - `process_fn`: awaited with a list of records; returns as many results, in the same order.
    - `cost_estimator`: the cost of a record; by default its own `estimate_cost()`, else `default_cost`.
    - `target_batch_cost`, `max_batch_size`: a batch has no more than this; a record that costs more goes alone.
    - `min_batch_size`, `batch_timeout_s`: a batch of fewer records waits so many seconds for others.
    - `max_queue_size`: more records than this are not taken in: `submit` waits.
    - `prefetch_batches`: how many batches are made ahead of the function.

    Use it as `async with DynamicBatcher(...) as batcher`. Raises InvalidSetting, a ValueError, for sizes that are none.
    """

    def __init__(
        self,
        process_fn: Callable[[list[RecordT]], Awaitable[Sequence[ResultT]]],
        *,
        cost_estimator: Callable[[RecordT], int] | None = None,
        target_batch_cost: int = 32_000,
        max_batch_size: int = 256,
        min_batch_size: int = 1,
        batch_timeout_s: float = 0.05,
        max_queue_size: int = 5_000,
        prefetch_batches: int = 2,
        default_cost: int = 1,
    ) -> None:
        sizes = {
            "target_batch_cost": target_batch_cost,
            "max_batch_size": max_batch_size,
            "min_batch_size": min_batch_size,
            "max_queue_size": max_queue_size,
            "prefetch_batches": prefetch_batches,
        }
        for name, size in sizes.items():
            if size < 1:
                raise InvalidSetting(f"{name} must be at least 1, got {size}", field=name)
        if min_batch_size > max_batch_size:
            raise InvalidSetting(
                f"min_batch_size ({min_batch_size}) must be at most max_batch_size ({max_batch_size})",
                field="min_batch_size",
            )
        self._process = process_fn
        self._estimate = cost_estimator
        self._default_cost = default_cost
        self._target_cost = target_batch_cost
        self._max_size, self._min_size = max_batch_size, min_batch_size
        self._timeout_s = batch_timeout_s
        self._queue: asyncio.Queue[_Submitted[RecordT, ResultT] | None] = asyncio.Queue(max_queue_size)
        self._batches: asyncio.Queue[_Batch | None] = asyncio.Queue(prefetch_batches)
        self._loops: list[asyncio.Task[None]] = []
        self._running = False
        self._stats = BatchStats()

    @property
    def stats(self) -> BatchStats:
        """What was done so far."""
        return self._stats

    @property
    def is_running(self) -> bool:
        """Whether records are taken in."""
        return self._running

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Take records in from now on. Raises RuntimeError if it does already."""
        if self._running:
            raise RuntimeError("The batcher was started already.")
        self._running = True
        self._loops = [asyncio.create_task(self._assemble()), asyncio.create_task(self._work())]

    async def stop(self) -> None:
        """Take no more records, and return when all that were taken in are answered."""
        if not self._running:
            return
        self._running = False
        await self._queue.put(_END)
        await asyncio.gather(*self._loops)

    async def submit(self, record: RecordT, *, estimated_cost: int | None = None) -> asyncio.Future[ResultT]:
        """Hand a record over and return the future of its result; waits while the queue is full.

        Raises RuntimeError before `start` and after `stop`.
        """
        if not self._running:
            raise RuntimeError("The batcher does not run. Use it as `async with DynamicBatcher(...) as batcher`.")
        answer: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        cost = self._cost_of(record) if estimated_cost is None else estimated_cost
        await self._queue.put(_Submitted(record, cost, answer))
        self._stats = replace(self._stats, total_submitted=self._stats.total_submitted + 1)
        return answer

    async def submit_batch(
        self, records: Sequence[RecordT], *, estimated_cost: Sequence[int] | None = None
    ) -> list[asyncio.Future[ResultT]]:
        """Hand several records over, in their order."""
        costs: Sequence[int | None] = [None] * len(records) if estimated_cost is None else estimated_cost
        return [await self.submit(record, estimated_cost=cost) for record, cost in zip(records, costs, strict=True)]

    def _cost_of(self, record: RecordT) -> int:
        if self._estimate is not None:
            return self._estimate(record)
        return record.estimate_cost() if isinstance(record, CostEstimator) else self._default_cost

    async def _assemble(self) -> None:
        held: _Submitted[RecordT, ResultT] | None = None
        while True:
            first = held or await self._queue.get()
            if first is _END:
                await self._batches.put(_END)
                return
            batch, held, ended = await self._fill(first)
            await self._batches.put(batch)
            if ended:
                await self._batches.put(_END)
                return

    async def _fill(
        self, first: _Submitted[RecordT, ResultT]
    ) -> tuple[_Batch, _Submitted[RecordT, ResultT] | None, bool]:
        """Return a batch that begins with a record, a record that did not fit in, and whether no more will come."""
        batch, cost = [first], first.cost
        deadline = time.monotonic() + self._timeout_s
        while len(batch) < self._max_size:
            try:
                found = self._queue.get_nowait()
            except asyncio.QueueEmpty:
                if len(batch) >= self._min_size and not self._batches.empty():
                    break
                try:
                    found = await asyncio.wait_for(self._queue.get(), max(deadline - time.monotonic(), 0))
                except TimeoutError:
                    break
            if found is _END:
                return batch, None, True
            if cost + found.cost > self._target_cost:
                return batch, found, False
            batch.append(found)
            cost += found.cost
        return batch, None, False

    async def _work(self) -> None:
        idle_since = time.monotonic()
        while (batch := await self._batches.get()) is not _END:
            begun = time.monotonic()
            await self._answer(batch)
            ended = time.monotonic()
            self._count(batch, busy_s=ended - begun, idle_s=begun - idle_since)
            idle_since = ended

    async def _answer(self, batch: _Batch) -> None:
        try:
            results = await self._process([submitted.record for submitted in batch])
            if len(results) != len(batch):
                raise ValueError(f"process_fn returned {len(results)} results for {len(batch)} records")
        except Exception as error:
            for submitted in batch:
                if not submitted.answer.done():
                    submitted.answer.set_exception(error)
            return
        for submitted, result in zip(batch, results, strict=True):
            if not submitted.answer.done():
                submitted.answer.set_result(result)

    def _count(self, batch: _Batch, *, busy_s: float, idle_s: float) -> None:
        before = self._stats
        batches, completed = before.total_batches + 1, before.total_completed + len(batch)
        cost = before.total_batch_cost + sum(submitted.cost for submitted in batch)
        self._stats = replace(
            before,
            total_completed=completed,
            total_batches=batches,
            total_batch_cost=cost,
            avg_batch_size=completed / batches,
            avg_batch_cost=cost / batches,
            busy_time_s=before.busy_time_s + busy_s,
            idle_time_s=before.idle_time_s + idle_s,
        )
