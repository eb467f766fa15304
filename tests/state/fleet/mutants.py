"""Fleets that break one promise each, to see whether anybody notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tests.state.faults import NoFence
from tests.state.fleet.process import CONTACT_S, Kit
from tests.state.fleet.watched_engine import WatchedEngine

from flyteplane.cluster.ports import WorkerExit
from flyteplane.scheduler.application.living import Attempt
from flyteplane.scheduler.clients.fresh_worker import FreshWorker
from flyteplane.scheduler.clients.fresh_workers import FreshWorkers
from flyteplane.scheduler.domain.queueing.settings import MOST_PRIORITY, QueueSettings

if TYPE_CHECKING:
    from flyteplane.scheduler.application.living import Action


class StartsBeforeTheCommit(FreshWorkers):
    """A pod is asked for before anybody knows of its attempt."""

    def place(self, action: Action) -> None:
        worker = self._register(action)
        start = self._start_patiently(worker) if worker.cluster.outlives_owner else self._start(worker)
        self._background.start(start, name="start worker")


class AdoptsASecondPod(FreshWorkers):
    """A new leader starts pods of its own for what runs."""

    def adopt(self, action: Action) -> bool:
        worker = self._register(action)
        worker.name = f"{worker.name.rpartition('-')[0]}a-{worker.lease:x}"
        self._background.start(self._start_patiently(worker), name="start worker")
        return True


class StopsWithoutTheCommit(FreshWorkers):
    """What a leader believes of a silent pod is done before it is stored."""

    def _out_of_contact(self, worker: FreshWorker, silence_s: float) -> None:
        if self._wanted(worker):
            self._stop_later(worker.lease, grace_s=0.0)
        super()._out_of_contact(worker, silence_s)


class LosesPatience(FreshWorkers):
    """A pod of the leader before is taken for lost, without looking."""

    async def _adopt(self, worker: FreshWorker) -> None:
        self.gone(worker, WorkerExit(name=worker.name, known=False, message="Its pod is gone."))


class SpeaksToTheLost(FreshWorkers):
    """A pod whose cluster has given it up goes on being answered."""

    def gone(self, worker: FreshWorker, exit: WorkerExit) -> None:
        worker.channel = None
        super().gone(worker, exit)


class ForgetsReaping(FreshWorkers):
    """A worker that is to be stopped is only asked to end."""

    def _stop_now(self, worker: FreshWorker, *, grace_s: float) -> None:
        """Stops nothing."""


class TakesNoSlotOver(WatchedEngine):
    """What a new leader finds running counts nowhere."""

    def take_over(self, action: Action) -> bool:
        taken = super().take_over(action)
        if taken and action.attempt is not None:
            action.attempt.slot.release()
        return taken


class TakesNothingOver(WatchedEngine):
    """A new leader places everything again, whatever runs."""

    def take_over(self, action: Action) -> bool:
        return False


class IgnoresRunLimits(WatchedEngine):
    """The limit of a run ends with the leader that accepted it."""

    def take_over(self, action: Action) -> bool:
        action.run.settings.max_action_concurrency = 0
        return super().take_over(action)


class KeepsSlots(WatchedEngine):
    """A parent does not lend its slot while it waits."""

    def expect(self, attempt: Attempt, call: int, child: Action | None) -> None:
        waiting, attempt.waiting = attempt.waiting, True
        super().expect(attempt, call, child)
        attempt.waiting = waiting


async def never(*_: Any, **__: Any) -> None:
    """Sweeps nothing."""


def _no_limit(queue: QueueSettings) -> QueueSettings:
    return replace(queue, action_concurrency=0)


def _no_run_limit(queue: QueueSettings) -> QueueSettings:
    return replace(queue, run_concurrency=0)


def _upside_down(queue: QueueSettings) -> QueueSettings:
    return replace(queue, priority=MOST_PRIORITY - queue.priority)


def _anywhere(queue: QueueSettings) -> QueueSettings:
    return replace(queue, clusters=())


#: Each with its name.
MUTANTS: Final[dict[str, Callable[[], Kit]]] = {
    "contact shorter than the pods'": lambda: Kit(contact_s=1.0, told_contact_s=CONTACT_S),
    "heartbeats answered without leading": lambda: Kit(minds_its_lease=False),
    "starts before the commit": lambda: Kit(fresh=StartsBeforeTheCommit),
    "adopts by starting a second pod": lambda: Kit(fresh=AdoptsASecondPod),
    "stops before the commit": lambda: Kit(fresh=StopsWithoutTheCommit),
    "gives adopted pods up": lambda: Kit(fresh=LosesPatience),
    "answers pods that count as lost": lambda: Kit(fresh=SpeaksToTheLost),
    "stops nothing": lambda: Kit(fresh=ForgetsReaping),
    "takes nothing over": lambda: Kit(engine=TakesNothingOver),
    "takes no slot over": lambda: Kit(engine=TakesNoSlotOver),
    "forgets the run's limit": lambda: Kit(engine=IgnoresRunLimits),
    "keeps the slots of waiting parents": lambda: Kit(engine=KeepsSlots),
    "never sweeps": lambda: Kit(sweep=never),
    "ignores the limit of a queue": lambda: Kit(queue=_no_limit),
    "ignores the limit of runs": lambda: Kit(queue=_no_run_limit),
    "takes priorities upside down": lambda: Kit(queue=_upside_down),
    "places outside a queue's clusters": lambda: Kit(queue=_anywhere),
    "no fence": lambda: Kit(records=NoFence),
}
