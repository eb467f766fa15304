"""One life of a scheduler, and the workers that it placed, as their own side sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyte.spec.digests import task_digest
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import EndAccepted, WorkerOrder, WorkerReport

if TYPE_CHECKING:
    from tests.state.held_records import HeldRecords
    from tests.state.world import World

    from flyteapi.task.v1.task_spec_pb2 import TaskSpec
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.ports import RunKey
    from flyteplane.scheduler.application.scheduler import Scheduler
    from flyteplane.scheduler.domain.failures import Failure


@dataclass(slots=True, eq=False)
class Worker:
    """Where an attempt runs, as its own side sees it."""

    owner: Incarnation
    action: Action
    lease: int
    attempt: int
    calls: dict[int, str] = field(default_factory=dict)
    """Children by call number, as long as no answer has come and the call was not cancelled."""
    cancelled: set[int] = field(default_factory=set)
    next_call: int = 1
    started: bool = False
    over: bool = False
    """It has said how it ended, is dead, or was told to stop."""

    @property
    def run(self) -> RunKey:
        """Identity of its run."""
        return self.action.run.key

    def say(self, **report: Any) -> None:
        """Reports something to the scheduler that placed it."""
        self.owner.receive(WorkerReport(lease=self.lease, **report))

    def submit(self, name: str, spec: TaskSpec, *, call: int = 0) -> int:
        """Calls a child; returns the number of the call."""
        if not call:
            call, self.next_call = self.next_call, self.next_call + 1
        digest = task_digest(spec)
        self.calls[call] = name
        self.say(declare_task={"digest": digest, "spec": spec})
        self.say(submit={"call": call, "name": name, "task_digest": digest, "inputs_digest": b"i" * 32})
        return call

    def cancel(self, call: int) -> None:
        """Waits for a child no longer."""
        del self.calls[call]
        self.cancelled.add(call)
        self.say(cancel_call={"call": call})

    def start(self) -> None:
        """User code is about to run."""
        self.started = True
        self.say(started={})

    def succeed(self, data: bytes) -> None:
        """Returns."""
        self.over = True
        self.say(ended={"outputs": {"inline": data}})

    def fail(self, *, recoverable: bool = True) -> None:
        """Raises."""
        self.over = True
        error = {"kind": 1, "code": "ValueError", "message": "boom", "recoverable": recoverable}
        self.say(ended={"error": error})

    def die(self, failure: Failure) -> None:
        """Is gone, and its cluster says so."""
        self.over = True
        self.owner.scheduler.engine.lost(self.lease, failure)


class Incarnation:
    """One life of a scheduler, with the workers that it placed. Implements `Placement`."""

    def __init__(self, world: World, records: HeldRecords, scheduler: Scheduler) -> None:
        self.world = world
        self.records = records
        self.scheduler = scheduler
        self.workers: dict[int, Worker] = {}
        self.failures: list[BaseException] = []
        self.revoked: list[Worker] = []
        """Workers that were told that their attempt is over, which may not be durable yet."""
        self.dead = False

    def receive(self, report: WorkerReport) -> None:
        """A worker says something; nobody listens any more once the process is dead."""
        if not self.dead:
            self.scheduler.engine.receive([report], placement=self)

    def living(self) -> list[Worker]:
        """Workers that run, the oldest first."""
        return [worker for worker in self.workers.values() if not worker.over]

    def whereabouts(self, lease: int) -> tuple[str, str]:
        """See the port."""
        return "", ""

    def adopt(self, action: Action) -> bool:
        """See the port."""
        return False

    def place(self, action: Action) -> None:
        """See the port."""
        attempt, run = action.attempt, action.run
        assert attempt is not None
        worker = Worker(owner=self, action=action, lease=attempt.lease, attempt=action.state.attempt)
        self.workers[worker.lease] = worker
        if self is self.world.now:
            self.world.checker.placed(run.key, action.name, worker.lease)
        # As it was accepted, whatever the scheduler makes of it since.
        limit = RunSettings.FromString(run.row.settings).max_action_concurrency
        attempts = (action.attempt for action in run.actions.values())
        running = sum(attempt is not None and not attempt.waiting for attempt in attempts)
        # One that had to reserve its key has had its slot since before that: a parent that got its answers meanwhile
        # runs again beside it, beyond the limit.
        bounded = bool(limit) and not action.task.spec.cache.serialize
        self.world.checker.expect(not bounded or running <= limit, f"{running} actions run, {limit} may")
        self.world.on_place(worker)

    def send(self, lease: int, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        worker = self.workers.get(lease)
        if self.dead or worker is None:
            return
        checker = self.world.checker
        for order in orders:
            kind = order.WhichOneof("order")
            if kind == "result":
                child = worker.calls.pop(order.result.call, None)
                if child is not None:
                    checker.result(lease, worker.run, child, order.result)
                else:
                    cancelled = order.result.call in worker.cancelled
                    checker.expect(cancelled, f"call {order.result.call} of {lease:x} was answered twice")
            elif kind == "end_accepted":
                checker.end_accepted(worker.run, worker.action.name, worker.attempt)
            elif kind == "lease_revoked":
                self.revoked.append(worker)
                worker.over = True
            self.world.on_order(worker, order)

    def stop(self, lease: int, reason: str) -> None:
        """See the port."""
        if lease in self.workers and not self.dead:
            self.workers[lease].over = True

    def finished(self, lease: int) -> None:
        """See the port."""
        self.send(lease, [WorkerOrder(lease=lease, end_accepted=EndAccepted())])

    async def close(self) -> None:
        """See the port."""
