"""One turn of the engine: everything that changed since the last flush, written as one unit, answered only then.

The guarantee: nobody outside learns of a change (a result, an end, an event, an accepted run) before it is durable.
What is only an optimisation (placing an attempt) may overlap the commit.

A change for which nobody waits (a child is accepted, placed, has started) may be held for a moment: a short child ends
within it, and is then written once instead of two or three times. Whatever has to be answered is never held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from flyteapi.scheduler.v1.event_pb2 import EventBatch
from flyteplane.observe import Distribution
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.ports import Changes, Records, RunRow, SegmentRow, TraceRow

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.event_pb2 import Event
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder
    from flyteplane.foundation.clock import Timer, TimerClock
    from flyteplane.scheduler.application.living import Action, Attempt, Run, TaskRecord

AfterCommit = Callable[[], None]
Answer: TypeAlias = "tuple[Attempt, WorkerOrder, int]"


class Following(NamedTuple):
    """What is told to others once a turn is durable."""

    published: list[tuple[Run, list[Event]]]
    answers: list[Answer]
    ended: list[Attempt]
    after: list[AfterCommit]


#: New actions that are held at most, so that no write holds the loop up for long.
MOST_HELD: Final = 256


class Turn:
    """Collects changes and flushes them once per pass of the event loop.

    Args:
        hold_s: how long a change may be held for which nobody waits; 0 to write it with its pass.
        commits: counts how long saves take until they are durable, in seconds.
    """

    def __init__(
        self,
        records: Records,
        *,
        clock: TimerClock,
        on_failure: Callable[[BaseException], None],
        hold_s: float = 0.0,
        commits: Distribution | None = None,
    ) -> None:
        self._records = records
        self._clock = clock
        self._on_failure = on_failure
        self._hold_s = hold_s
        self._commits = commits or Distribution()
        self._held: Timer | None = None
        """Runs while something is held."""
        self._scheduled = False
        self._failed = False
        self._before_flush: list[Callable[[], None]] = []
        self._last_save: asyncio.Future[None] | None = None
        """The newest save that is not known to be durable."""
        self.on_durable: Callable[[], None] = lambda: None
        """Called at the end of every turn, once all of it is durable and told."""
        self._reset()

    def _reset(self) -> None:
        self._inserted: dict[Action, None] = {}
        self._updated: dict[Action, None] = {}
        self._new_tasks: list[TaskRecord] = []
        self._new_runs: list[RunRow] = []
        self._run_phases: dict[int, RunRow] = {}
        self._traces: list[TraceRow] = []
        self._runs: dict[Run, None] = {}
        self._answers: list[Answer] = []
        self._ended: list[Attempt] = []
        self._after: list[AfterCommit] = []
        self._awaited = self._hold_s <= 0.0

    @property
    def idle(self) -> bool:
        """Whether everything that happened is durable, and everybody who waited for that has been told."""
        return self._held is None and self._last_save is None and not self._scheduled

    def before_flush(self, callback: Callable[[], None]) -> None:
        """Registers something that is done once in every turn, just before its flush."""
        self._before_flush.append(callback)

    def insert_run(self, row: RunRow) -> None:
        """The run is new."""
        self._new_runs.append(row)
        self._awaited = True
        self.schedule()

    def change_run(self, row: RunRow) -> None:
        """The run has entered the phase that its row now holds."""
        self._run_phases[row.id] = row
        self._awaited = True
        self.schedule()

    def use_task(self, task: TaskRecord) -> None:
        """Stores the task version with this turn if it is not stored yet."""
        if not task.stored:
            task.stored = True
            self._new_tasks.append(task)

    def keep_task(self, task: TaskRecord, stored: AfterCommit) -> None:
        """Stores a task version that no action has used yet, and calls back once that is durable."""
        self.use_task(task)
        self.after_commit(stored)

    def insert(self, action: Action) -> None:
        """The action is new."""
        self._inserted[action] = None
        self.schedule()

    def update(self, action: Action) -> None:
        """The action has changed."""
        if action not in self._inserted:
            self._updated[action] = None
        self.schedule()

    def trace(self, action: Action, record: bytes) -> None:
        """A traced function of the action was called and recorded."""
        position = action.add_trace(record)
        self._traces.append(TraceRow(action.run.row.id, action.ordinal, position, record))
        self.schedule()

    def emit(self, action: Action, *, at: float, first: bool = False) -> None:
        """Adds the action's present state to its run's event log."""
        run = action.run
        wire.add_event(run.pending, action, sequence=run.next_sequence, at=at, first=first)
        run.next_sequence += 1
        self._runs[run] = None
        self.schedule()

    def answer(self, attempt: Attempt, order: WorkerOrder, *, call: int = 0) -> None:
        """Sends the order to the attempt's worker once everything so far is durable.

        Args:
            call: the one that it answers; 0 for none.
        """
        self._answers.append((attempt, order, call))
        self._awaited = True
        self.schedule()

    def accept_end(self, attempt: Attempt) -> None:
        """Tells the attempt's worker that its end is durable once it is."""
        self._ended.append(attempt)
        self._awaited = True
        self.schedule()

    def after_commit(self, callback: AfterCommit) -> None:
        """Calls back once everything so far is durable."""
        self._after.append(callback)
        self._awaited = True
        self.schedule()

    async def durable(self) -> None:
        """Returns once everything so far is durable."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.after_commit(lambda: None if stored.done() else stored.set_result(None))
        await stored

    def schedule(self) -> None:
        """Makes sure that this pass of the loop ends with what `before_flush` has registered, and with a flush if
        anything is to be written now."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        if self._failed:
            return
        try:
            for callback in self._before_flush:
                callback()
            self._scheduled = False
            if self._awaited or len(self._inserted) >= MOST_HELD:
                self._save()
            elif self._held is None and (self._inserted or self._updated or self._runs or self._traces):
                self._held = self._clock.call_later(self._hold_s, self._held_long_enough)
        except Exception as error:
            self._fail(error)

    def _held_long_enough(self) -> None:
        self._held = None
        self._awaited = True
        self.schedule()

    def _fail(self, error: BaseException) -> None:
        """Memory is now ahead of the store. Only a restart from the store is right, and until then nobody is told
        anything and nothing more is written: what is stored stays a prefix of what happened."""
        if not self._failed:
            self._failed = True
            self._on_failure(error)

    def _save(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None
        changes = Changes(
            tasks=[(task.digest, task.spec.SerializeToString(deterministic=True)) for task in self._new_tasks],
            # Copies: the engine changes its rows again before these are written.
            runs=[replace(row) for row in self._new_runs],
            run_phases=[replace(row) for row in self._run_phases.values()],
            inserted=[wire.row_of(action) for action in self._inserted],
            updated=[wire.row_of(action) for action in self._updated],
            traces=self._traces,
        )
        published = [self._segment(run, changes) for run in self._runs]
        following = Following(published, self._answers, self._ended, self._after)
        self._reset()
        if changes:
            self._last_save = asyncio.ensure_future(self._records.save(changes))
            began = self._clock.monotonic()
            self._last_save.add_done_callback(lambda _: self._commits.observe(self._clock.monotonic() - began))
        elif self._last_save is None:
            self._deliver(following)
            return
        # Even a turn that changes nothing may tell of what a turn before it changed, which is still on its way.
        self._last_save.add_done_callback(lambda done: self._saved(done, following))

    def _segment(self, run: Run, changes: Changes) -> tuple[Run, list[Event]]:
        batch, run.pending = run.pending, EventBatch()
        events = list(batch.events)
        first, last = events[0].sequence, events[-1].sequence
        changes.segments.append(SegmentRow(run.row.id, first, last, batch.SerializeToString()))
        return run, events

    def _saved(self, done: asyncio.Future[None], following: Following) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if done is self._last_save:
            self._last_save = None
        if error is not None:
            self._fail(error)
        if self._failed:
            return
        try:
            self._deliver(following)
        except Exception as failure:
            self._fail(failure)

    def _deliver(self, following: Following) -> None:
        orders: dict[Attempt, list[WorkerOrder]] = {}
        for attempt, order, call in following.answers:
            if call:
                attempt.calls.pop(call, None)
            orders.setdefault(attempt, []).append(order)
        for attempt, batch in orders.items():
            attempt.placement.send(attempt.lease, batch)
        for attempt in following.ended:
            attempt.placement.finished(attempt.lease)
        for run, events in following.published:
            run.recent.extend(events)
            run.published = events[-1].sequence
            for watcher in tuple(run.watchers):
                watcher.publish(events)
        for callback in following.after:
            callback()
        self.on_durable()
