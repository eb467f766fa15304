"""Schedulers and stores that break one promise each, to see whether anybody notices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.state.held_records import HeldRecords

from flyteapi.scheduler.v1.worker_service_pb2 import WorkerReport
from flyteplane.scheduler.application.engine import Engine
from flyteplane.scheduler.application.ports import Changes
from flyteplane.scheduler.domain.failures import FailureKind
from flyteplane.scheduler.domain.phases import ROOT, CacheStatus
from flyteplane.scheduler.domain.state import Aborted, Change, Failed
from flyteplane.scheduler.store.memory_records import MemoryOwner, MemoryRecords

if TYPE_CHECKING:
    from flyteplane.scheduler.application.living import Action, Attempt
    from flyteplane.scheduler.application.ports import Placement
    from flyteplane.scheduler.domain.queueing.slots import Slot


# --- stores ---------------------------------------------------------------------------------------------------------


class AnswersBeforeTheCommit(HeldRecords):
    """What is queued counts as durable."""

    def save(self, changes: Changes) -> Awaitable[None]:
        super().save(changes)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer.set_result(None)
        return answer


class LosesWrites(HeldRecords):
    """Every seventh write is acknowledged and not stored."""

    saved = 0

    def save(self, changes: Changes) -> Awaitable[None]:
        self.saved += 1
        return super().save(changes if self.saved % 7 else Changes())


class StoresTheNewestFirst(HeldRecords):
    """What waits is written in the wrong order."""

    def save(self, changes: Changes) -> Awaitable[None]:
        answer = super().save(changes)
        if self.running is None:
            self._waiting.rotate(1)
        return answer


class NoFence(MemoryRecords):
    """Whoever had the shard once may write for ever."""

    def open(self) -> MemoryOwner:
        return _Unfenced(self)


class _Unfenced(MemoryOwner):
    def _apply(self, changes: Changes) -> None:
        self._records.apply(changes)


# --- engines --------------------------------------------------------------------------------------------------------


class IgnoresLeases(Engine):
    """A report counts for whichever attempt of its action is the present one."""

    def start(self, *, epoch: int, placements: Mapping[str, Placement], lasting: Collection[str] = ()) -> None:
        super().start(epoch=epoch, placements=placements, lasting=lasting)
        self.actions: dict[int, Action] = {}

    def _place(self, action: Action, slot: Slot) -> None:
        super()._place(action, slot)
        self.actions[action.state.lease] = action

    def receive(self, reports: Sequence[WorkerReport], *, placement: Placement) -> None:
        for report in reports:
            action = self.actions.get(report.lease)
            if action is not None and action.attempt is not None:
                report.lease = action.attempt.lease
        super().receive(reports, placement=placement)


class GivesLeasesOutAgain(Engine):
    """Leases of each scheduler begin at the same number."""

    def start(self, *, epoch: int, placements: Mapping[str, Placement], lasting: Collection[str] = ()) -> None:
        super().start(epoch=1, placements=placements, lasting=lasting)


class ChargesTwice(Engine):
    """A failure of the task uses up two retries."""

    def apply(self, action: Action, change: Change) -> bool:
        if isinstance(change, Failed) and change.failure.kind is FailureKind.USER and change.failure.recoverable:
            action.state = action.state._replace(task_failures=action.state.task_failures + 1)
        return super().apply(action, change)


class ChargesNobody(Engine):
    """Failures of tasks are tried again for ever."""

    def apply(self, action: Action, change: Change) -> bool:
        if isinstance(change, Failed) and change.failure.kind is FailureKind.USER:
            change = replace(change, failure=replace(change.failure, kind=FailureKind.SYSTEM))
        return super().apply(action, change)


class ForgetsAWaiter(Engine):
    """Now and then a parent is not told."""

    told = 0

    def give_result(self, attempt: Attempt, call: int, action: Action) -> None:
        self.told += 1
        if self.told % 5:
            super().give_result(attempt, call, action)


class AnswersTwice(Engine):
    """Now and then a parent is told again."""

    told = 0

    def give_result(self, attempt: Attempt, call: int, action: Action) -> None:
        self.told += 1
        super().give_result(attempt, call, action)
        if not self.told % 5:
            attempt.outstanding += 1
            super().give_result(attempt, call, action)


class _Kept:
    """A slot that nobody releases."""

    def release(self) -> None:
        """Does not."""


class KeepsRoom(Engine):
    """An attempt that ends while it does not wait keeps its room."""

    def _drop_attempt(self, action: Action) -> None:
        if action.attempt is not None and not action.attempt.waiting:
            action.attempt.slot = _Kept()  # type: ignore[assignment]
        super()._drop_attempt(action)


class LeavesOrphans(Engine):
    """The end of a parent is not the end of what runs below it."""

    def apply(self, action: Action, change: Change) -> bool:
        orphaned = isinstance(change, Aborted) and change.reason.startswith(("Its parent", "The run"))
        return False if orphaned else super().apply(action, change)


class ForgetsRetries(Engine):
    """A retry whose time has come is not made."""

    def _delay_passed(self, action: Action) -> None:
        pass


class KeepsNoLimit(Engine):
    """`max_action_concurrency` is accepted and ignored."""

    def enqueue(self, action: Action) -> None:
        action.run.settings.max_action_concurrency = 0
        super().enqueue(action)


class WritesWhatItForgot(Engine):
    """The outcome of a cache write is noted on a row whose outputs were let go."""

    def mark_cache(self, action: Action, status: CacheStatus) -> None:
        super().mark_cache(action, status)
        if status is CacheStatus.STORED and action.name != ROOT:
            self.turn.after_commit(lambda: self._note(action))

    def _note(self, action: Action) -> None:
        self.turn.after_commit(lambda: super(WritesWhatItForgot, self).mark_cache(action, CacheStatus.FAILED))
