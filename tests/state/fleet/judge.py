"""Judges what a fleet does besides what it stores: who works on what, who speaks, what is admitted, what is left."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from tests.state.checker import Checker
from tests.state.fleet.agent import Agent
from tests.state.fleet.local_workers import LocalWorker

from flyteapi.common.v1.error_pb2 import TaskError
from flyteplane.foundation.errors import PlatformError
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.domain.queueing.admission import AGEING_PER_S

if TYPE_CHECKING:
    from tests.state.fleet.pods import Pod
    from tests.state.fleet.process import Process, Service
    from tests.state.fleet.world import FleetWorld

    from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult, WorkerOrder
    from flyteplane.scheduler.application.living import Action, Attempt
    from flyteplane.scheduler.application.ports import Changes, RunKey
    from flyteplane.scheduler.domain.queueing.settings import QueueSettings

#: Points by which one queue has to go before another for their order to be judged.
_CLEARLY: Final = 50.0


class FleetChecker(Checker):
    """The checker of stored histories, which also remembers who was given which lease."""

    def __init__(self, trace: Callable[[str], None]) -> None:
        super().__init__()
        self.leases: dict[int, tuple[int, str, int]] = {}
        """Run, action and attempt by every lease that was ever stored."""
        self._trace = trace

    def durable(self, changes: Changes) -> None:
        """See the base."""
        super().durable(changes)
        for row in (*changes.inserted, *changes.updated):
            self._trace(f"stored {row.run_id}/{row.name}: {Phase(row.phase).name} of {row.attempt}, {row.reason}")
            if row.lease:
                self.leases[row.lease] = (row.run_id, row.name, row.attempt)


class Judge:
    """See the module."""

    def __init__(self, world: FleetWorld) -> None:
        self._world = world
        self._checker = world.checker

    def expect(self, holds: object, mistake: str) -> None:
        """Notes the mistake unless it holds."""
        self._checker.expect(holds, mistake)

    # --- workers ----------------------------------------------------------------------------------------------------

    def created(self, pod: Pod) -> None:
        """A pod is created: its attempt is stored, so that whoever leads next knows of it."""
        lease = int(pod.spec.token.rpartition("/")[2])
        self.expect(lease in self._checker.leases, f"pod {pod.name} was started before its attempt was stored")

    def stopped(self, name: str) -> None:
        """A scheduler stops a worker: as far as the store knows its attempt is over, whoever leads."""
        lease = int(name.rpartition("-")[2], 16)
        run_id, action, _ = self._checker.leases.get(lease, (0, "", 0))
        row = self._checker.rows.get((run_id, action))
        self.expect(row is None or row.lease != lease, f"worker {name} is stopped while its attempt goes on")

    def begins(self, worker: Agent | LocalWorker) -> None:
        """A worker begins its attempt: nobody else may still be at it, unless told to stop."""
        spec = worker.pod.spec if isinstance(worker, Agent) else worker.spec
        for other in list(self._world.agents.values()):
            same = all(other.pod.spec.labels[key] == spec.labels[key] for key in ("project", "run", "action"))
            if other is worker or not same or not other.may_work or other.stopped_by_scheduler or other.disowned:
                continue
            overlaps = not self._was_timed_out(other)
            self.expect(not overlaps, f"{spec.name} begins while {other.label} may still work")

    def _was_timed_out(self, agent: Agent) -> bool:
        """Its attempt took too long: it is being stopped, and the next one does not wait for that."""
        found = self._checker.leases.get(agent.lease)
        if found is None:
            return False
        row = self._checker.rows[found[0], found[1]]
        return any(past.attempt == found[2] and past.phase is Phase.TIMED_OUT for past in wire.history_of(row.history))

    def answered(self, run: RunKey, child: str, result: ActionResult) -> None:
        """A parent was given a result: it is durable."""
        if not result.phase:
            self.expect(result.HasField("error"), f"a call of {child} was refused without a reason")
            return
        row = self._checker.row(run, child)
        if row is None or row.phase != result.phase:
            self.expect(False, f"{child} was answered with {result.phase} before that was durable: {row}")
        elif row.phase == Phase.SUCCEEDED:
            self.expect(wire.payload(row.outputs) == result.outputs, f"the outputs of {child}")
        else:
            self.expect(TaskError.FromString(row.error) == result.error, f"the error of {child}")

    def refused_for_now(self, result: ActionResult) -> None:
        """A call was refused and may be made again: a full queue says when."""
        told = result.error.code != "QUEUE_FULL" or result.HasField("retry_after")
        self.expect(told, "a full queue did not say when to ask again")

    # --- schedulers -------------------------------------------------------------------------------------------------

    def said(self, process: Process, orders: Sequence[WorkerOrder]) -> None:
        """Something leaves a process: it leads, truly, and what it tells is durable."""
        service = process.service
        leads = service is not None and service.term.epoch == self._world.leading_epoch()
        self.expect(leads, f"{process.name} speaks to workers and does not lead")
        for order in orders:
            if order.HasField("end_accepted") and (found := self._checker.leases.get(order.lease)) is not None:
                run_id, name, attempt = found
                self._checker.end_accepted(self._checker.runs[run_id].key, name, attempt)

    def unfit(self, process: Process, error: BaseException) -> None:
        """A process ends itself: only trouble of its stores is a reason."""
        expected = process.life.dead or isinstance(error, PlatformError)
        self.expect(expected, f"{process.name} failed: {error!r}")

    def took_over(self, service: Service) -> None:
        """A new leader is ready: everything that lives is in its hands, and each pod's attempt has its lease."""
        if not self._is_current(service):
            return
        engine, checker = service.scheduler.engine, self._checker
        for (run_id, name), row in checker.rows.items():
            run = checker.runs[run_id]
            if Phase(run.phase).terminal or Phase(row.phase).terminal:
                continue
            living = engine.runs.get(run.key)
            action = living.actions.get(name) if living is not None else None
            self.expect(action is not None, f"{name} of {run.key} was lost in a change of leaders")

    def admitted(self, service: Service, action: Action) -> None:
        """An action was admitted: no limit is passed by it, and nobody who clearly goes first waits for the same."""
        attempt = action.attempt
        if attempt is None or not self._is_current(service):
            return
        self._checker.placed(action.run.key, action.name, attempt.lease)
        engine = service.scheduler.engine
        running = [each for each in engine.attempts.values() if not each.waiting]
        queue = self._queue(action.queue)
        where = f"{action.run.key.name}/{action.name} was admitted to {action.queue}"
        if queue is not None:
            count = sum(each.action.queue == action.queue for each in running)
            limit = queue.action_concurrency
            self.expect(not limit or count <= limit, f"{where}, which runs {count} of {limit} actions")
            beside = [each.action.run for each in engine.attempts.values() if each.action.queue == action.queue]
            runs, limit = len(set(beside)), queue.run_concurrency
            is_new = beside.count(action.run) == 1
            self.expect(not limit or not is_new or runs <= limit, f"{where}, which has {runs} of {limit} runs")
            cluster = attempt.slot.cluster
            allowed = not queue.clusters or cluster in queue.clusters
            self.expect(allowed, f"{where} on {cluster}, and may use {queue.clusters}")
        limit = self._run_limit(action.run.key)
        count = sum(each.action.run is action.run for each in running)
        self.expect(not limit or count <= limit, f"{where}; its run has {count} of {limit} attempts")
        self._rooms_suffice(attempt, running, where)
        self._nobody_went_first(service, action, where)

    def _rooms_suffice(self, attempt: Attempt, running: list[Attempt], where: str) -> None:
        quotas = {name: shape.quota_cpu_millis for name, shape in self._world.administration.classes.items()}
        rooms = {"local": self._world.room.cpu_millis}
        for what, limits in (("resource_class", quotas), ("cluster", rooms)):
            name = getattr(attempt.slot, what)
            beside = [each for each in running if getattr(each.slot, what) == name]
            used = sum(each.slot.demand.cpu_millis for each in beside)
            fits = not limits.get(name) or used <= limits[name] or len(beside) == 1
            self.expect(fits, f"{where}: {what} {name} has {limits.get(name)}, {used} are used")

    def _nobody_went_first(self, service: Service, action: Action, where: str) -> None:
        """Of those that wait for the same room in another queue that may run them."""
        engine, now = service.scheduler.engine, service.scheduler.engine.clock.now()
        own, slot = self._queue(action.queue), action.attempt.slot if action.attempt is not None else None
        if own is None or slot is None or self._checker.jumped:
            return
        waiting = [each for run in engine.runs.values() for each in run.actions.values() if each in engine.admission]
        mates = [each for each in (*waiting, action) if each.queue == action.queue]
        best = own.priority + AGEING_PER_S * max(now - each.state.queued_at for each in mates)
        for other in waiting:
            theirs = self._queue(other.queue)
            if theirs is None or other.queue == action.queue or theirs.clusters != own.clusters:
                continue
            priority = theirs.priority + AGEING_PER_S * (now - other.state.queued_at)
            if priority <= best + _CLEARLY or other.task.demand != action.task.demand:
                continue
            could = self._could_run(service, other, theirs)
            self.expect(not could, f"{where} before {other.run.key.name}/{other.name}, which goes first")

    def _could_run(self, service: Service, action: Action, queue: QueueSettings) -> bool:
        figures = service.scheduler.admission.figures(queue.name)
        limit = self._run_limit(action.run.key)
        running = [each for each in service.scheduler.engine.attempts.values() if not each.waiting]
        return (
            not (0 < queue.action_concurrency <= figures.running)
            and not (0 < queue.run_concurrency <= figures.runs)
            and not (0 < limit <= sum(each.action.run is action.run for each in running))
        )

    def _run_limit(self, key: RunKey) -> int:
        return next(one.settings.max_action_concurrency for one in self._world.programs if one.key == key)

    def _queue(self, name: str) -> QueueSettings | None:
        return self._world.administration.queues.get(name)

    def _is_current(self, service: Service) -> bool:
        return service.term.epoch == self._world.memory.epoch

    # --- figures ----------------------------------------------------------------------------------------------------

    def balanced(self) -> None:
        """What the leader counts is what there is."""
        process = self._world.leader()
        if process is None or process.service is None or not self._is_current(process.service):
            return
        scheduler = process.service.scheduler
        running: Counter[str] = Counter()
        held: Counter[str] = Counter()
        used: dict[str, int] = defaultdict(int)
        for attempt in scheduler.engine.attempts.values():
            held[attempt.action.queue] += 1
            if not attempt.waiting:
                running[attempt.action.queue] += 1
                used[attempt.slot.cluster] += attempt.slot.demand.cpu_millis
        for queue in ("default", *self._world.administration.queues):
            figures = scheduler.admission.figures(queue)
            counted, there = (figures.running, figures.held), (running[queue], held[queue])
            self.expect(counted == there, f"queue {queue} counts {counted} running and held, there are {there}")
        for cluster in ("local", *(pods.name for pods in self._world.clusters)):
            counted_cpu = scheduler.admission.cluster_figures(cluster).used_cpu_millis
            self.expect(counted_cpu == used[cluster], f"{cluster} counts {counted_cpu}, {used[cluster]} are used")

    def nothing_is_left(self) -> None:
        """Everything has ended."""
        process = self._world.leader()
        if process is None or process.service is None:
            self.expect(False, "nobody leads in the end")
            return
        scheduler = process.service.scheduler
        engine = scheduler.engine
        self.expect(not engine.attempts, f"leases are left: {list(engine.attempts)}")
        self.expect(not engine.runs, f"runs are left: {list(engine.runs)}")
        self.expect(not scheduler.admission.size_of_bookkeeping(), "the admission keeps something")
        self.expect(not len(engine.timers), f"{len(engine.timers)} timers are left")
        left = [process.service.fresh.known_names(name) for name in ("local", "prod")]
        self.expect(not any(left), f"workers are remembered: {left}")
        self._checker.ended()
