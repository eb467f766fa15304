"""A cluster of processes: its workers are children of the scheduler process and die with it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from tests.state.fleet.actor import Actor
from tests.state.fleet.life import Life, LifeClock

from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder, WorkerReport
from flyteplane.cluster.ports import ClusterCapacity, ClusterHealth, PodConstraints, WorkerExit, WorkerSink, WorkerSpec

if TYPE_CHECKING:
    from tests.state.fleet.world import FleetWorld

    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

_PIPE_S = 0.001
_KILLED, _TERMINATED = 9, 15


class LocalWorker:
    """A child process; also its channel."""

    def __init__(self, cluster: LocalCluster, spec: WorkerSpec, sink: WorkerSink) -> None:
        self.cluster = cluster
        self.spec = spec
        self.sink = sink
        self.life = Life()
        self.clock = LifeClock(cluster.world.clock, self.life)
        self.lease = 0
        self.actor: Actor | None = None
        self.ended = asyncio.Event()

    def send(self, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        self.clock.call_later(_PIPE_S, lambda: self._hear(orders))

    def close(self) -> None:
        """See the port."""
        self.end(signal=_KILLED)

    def _hear(self, orders: Sequence[WorkerOrder]) -> None:
        for order in orders:
            self._told(order)

    def _told(self, order: WorkerOrder) -> None:
        kind = order.WhichOneof("order")
        if kind == "assign":
            self.lease = order.lease
            self.cluster.world.judge.begins(self)
            self.actor = Actor(self.cluster.world, self, order.assign)
        elif kind == "result" and self.actor is not None:
            self.actor.told(order.result)
        elif kind in ("cancel", "lease_revoked", "end_accepted"):
            if self.actor is not None:
                self.actor.over = True
            self.clock.call_later(0.1, self.end)

    def say(self, **report: Any) -> None:
        """See `Host`."""
        message = WorkerReport(lease=self.lease, **report)
        self.cluster.reach(lambda: self.sink.received(self.spec.name, [message]))

    def exit(self, *, code: int = 0, signal: int = 0) -> None:
        """See `Host`."""
        self.end(code=code, signal=signal)

    def end(self, *, code: int = 0, signal: int = 0) -> None:
        """The process ends, and its owner sees it."""
        if self.life.dead:
            return
        self.life.die()
        del self.cluster.workers[self.spec.name]
        exit = WorkerExit(name=self.spec.name, exit_code=code, signal=signal)

        def tell() -> None:
            self.ended.set()
            self.sink.exited(exit)

        self.cluster.reach(tell)


class LocalCluster:
    """Implements `Cluster` for one scheduler process."""

    name = "local"
    kind = "process"
    outlives_owner = False
    contact_s = 0.0

    def __init__(self, world: FleetWorld, *, life: Life, capacity: ClusterCapacity) -> None:
        self.world = world
        self.workers: dict[str, LocalWorker] = {}
        self._life = life
        self._capacity = capacity

    def reach(self, what: Any) -> None:
        """Something comes from a child, a moment later."""
        self.world.clock.call_later(_PIPE_S, lambda: self._life.do(what))

    def owner_died(self) -> None:
        """No child outlives its owner."""
        for worker in list(self.workers.values()):
            worker.life.die()
        self.workers.clear()

    def capacity(self) -> ClusterCapacity:
        """See the port."""
        return self._capacity

    def health(self) -> ClusterHealth:
        """See the port."""
        return ClusterHealth()

    def refuse_unfit(self, task: TaskSpec, constraints: PodConstraints) -> None:
        """See the port."""

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        """See the port."""

        async def fork() -> LocalWorker:
            worker = self.workers[spec.name] = LocalWorker(self, spec, sink)
            return worker

        worker = await self._life.effect(fork)
        sink.opened(spec.name, worker)

    async def adopt(self, name: str, sink: WorkerSink) -> bool:
        """See the port."""
        return False

    async def others(self, known: Collection[str]) -> Sequence[str]:
        """See the port."""
        return [name for name in self.workers if name not in known]

    async def stop(self, name: str, *, grace_s: float) -> None:
        """See the port."""
        worker = self.workers.get(name)
        if worker is not None:
            worker.clock.call_later(min(grace_s, 0.2), lambda: worker.end(signal=_TERMINATED))
            await worker.ended.wait()

    def let_go(self, *, replicas: bool = False) -> None:
        """See the port."""

    async def close(self) -> None:
        """See the port."""
