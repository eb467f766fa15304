"""A cluster without processes: workers are Python callables that answer orders with reports.

For tests of whoever owns workers. It keeps the same promises as the real clusters: one worker for a name, orders in
order, reports on the event loop, an exit that is told once and last. With `outlives_owner` it behaves like pods: its
workers stay when their owner is gone, another owner may adopt them, and they open streams of their own, which the test
plays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from flyteapi.scheduler.v1.worker_service_pb2 import Hello, WorkerOrder, WorkerReport
from flyteplane.cluster.ports import (
    ClusterCapacity,
    ClusterHealth,
    ExitReason,
    PodConstraints,
    WorkerChannel,
    WorkerExit,
    WorkerProgress,
    WorkerSink,
    WorkerSpec,
    WorkerStage,
)
from flyteplane.foundation.errors import Unavailable

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

_UNBOUNDED: Final = ClusterCapacity(cpu_millis=0, memory_bytes=0)

Script: TypeAlias = Callable[["MemoryWorker", WorkerOrder], Iterable[WorkerReport]]
"""What a worker does: gets each order, returns what it says. It may also call the worker's `say`, `write` and `exit`
later.
"""


@dataclass(slots=True)
class MemoryWorker:
    """A worker that was started; also its channel."""

    spec: WorkerSpec
    sink: WorkerSink
    script: Script
    gone: Callable[[MemoryWorker], None]
    received: list[WorkerOrder] = field(default_factory=list)
    """Every order so far."""
    exited: WorkerExit | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, orders: Sequence[WorkerOrder]) -> None:
        """Delivers orders in the next turn of the loop."""
        asyncio.get_running_loop().call_soon(self._obey, list(orders))

    def close(self) -> None:
        """Ends the stream; as a process would, the worker dies of it."""
        self.exit(signal=9, message="its stream was closed")

    def say(self, *reports: WorkerReport) -> None:
        """Reports something, unless the worker has ended."""
        if reports and self.exited is None:
            self.sink.received(self.spec.name, reports)

    def write(self, data: bytes) -> None:
        """Writes to standard output."""
        if self.exited is None:
            self.sink.output(self.spec.name, data)

    def tell(self, stage: WorkerStage, *, reason: str = "", message: str = "", node: str = "") -> None:
        """Says how the start comes along."""
        if self.exited is None:
            progress = WorkerProgress(name=self.spec.name, stage=stage, reason=reason, message=message, node=node)
            self.sink.progress(progress)

    def exit(
        self,
        *,
        code: int = 0,
        signal: int = 0,
        out_of_memory: bool = False,
        known: bool = True,
        message: str = "",
        reason: ExitReason = ExitReason.ENDED,
    ) -> None:
        """Ends the worker; the second time does nothing."""
        if self.exited is not None:
            return
        self.exited = WorkerExit(
            name=self.spec.name,
            reason=reason,
            exit_code=code,
            signal=signal,
            out_of_memory=out_of_memory,
            known=known,
            message=message,
        )
        self.gone(self)
        asyncio.get_running_loop().call_soon(self._tell_exit)

    def _tell_exit(self) -> None:
        assert self.exited is not None
        self.ended.set()
        self.sink.exited(self.exited)

    def _obey(self, orders: list[WorkerOrder]) -> None:
        for order in orders:
            if self.exited is None:
                self.received.append(order)
                self.say(*self.script(self, order))


class _Deaf:
    """Listens to nothing. Implements `WorkerSink`."""

    def opened(self, name: str, channel: WorkerChannel) -> None:
        """See the port."""

    def received(self, name: str, reports: Sequence[WorkerReport]) -> None:
        """See the port."""

    def output(self, name: str, data: bytes) -> None:
        """See the port."""

    def progress(self, progress: WorkerProgress) -> None:
        """See the port."""

    def exited(self, exit: WorkerExit) -> None:
        """See the port."""


_DEAF: Final = _Deaf()


class MemoryCluster:
    """Implements `Cluster` without processes.

    Args:
        script: what every worker does.
        capacity: room for workers.
        outlives_owner: whether workers can be adopted by another owner.
        contact_s: how long such workers go on without an answer.
    """

    def __init__(
        self,
        script: Script = lambda _worker, _order: (),
        *,
        name: str = "memory",
        capacity: ClusterCapacity = _UNBOUNDED,
        outlives_owner: bool = False,
        contact_s: float = 30.0,
    ) -> None:
        self._script = script
        self._name = name
        self._capacity = capacity
        self._outlives_owner = outlives_owner
        self._contact_s = contact_s
        self._closed = False
        self.workers: dict[str, MemoryWorker] = {}
        """Workers that have not ended, by name."""
        self.started: list[WorkerSpec] = []
        """Every worker that was ever started."""
        self.refusal: Exception | None = None
        """Raised by `start` if set."""
        self.unreachable = ""
        """Why the cluster cannot be asked; empty while it can."""
        self.unfit: Exception | None = None
        """Raised by `refuse_unfit` if set."""

    @property
    def name(self) -> str:
        """Name in the operator's configuration."""
        return self._name

    @property
    def kind(self) -> str:
        """See the port."""
        return "memory"

    @property
    def outlives_owner(self) -> bool:
        """See the port."""
        return self._outlives_owner

    @property
    def contact_s(self) -> float:
        """See the port."""
        return self._contact_s if self._outlives_owner else 0.0

    def capacity(self) -> ClusterCapacity:
        """Room for workers."""
        return self._capacity

    def health(self) -> ClusterHealth:
        """See the port."""
        return ClusterHealth(reachable=not self.unreachable, message=self.unreachable)

    def refuse_unfit(self, task: TaskSpec, constraints: PodConstraints) -> None:
        """See the port."""
        if self.unfit is not None:
            raise self.unfit

    async def adopt(self, name: str, sink: WorkerSink) -> bool:
        """See the port."""
        self._ask()
        worker = self.workers.get(name)
        if worker is None or not self._outlives_owner:
            return False
        worker.sink = sink
        return True

    def let_go(self, *, replicas: bool = False) -> None:
        """See the port."""
        if self._outlives_owner:
            for worker in self.workers.values():
                if worker.spec.replica is replicas:
                    worker.sink = _DEAF

    async def others(self, known: Collection[str]) -> Sequence[str]:
        """See the port."""
        self._ask()
        return [name for name, worker in self.workers.items() if not worker.spec.replica and name not in known]

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        """Starts a worker, which says Hello, or adopts the one of this name."""
        if self._closed:
            raise Unavailable(f"cluster {self._name} is closing", reason="CLUSTER_CLOSED")
        self._ask()
        if self.refusal is not None:
            raise self.refusal
        if (running := self.workers.get(spec.name)) is not None:
            running.sink = sink
            if not self._outlives_owner:
                sink.opened(spec.name, running)
            return
        self.started.append(spec)
        worker = MemoryWorker(spec, sink, self._script, self._forget)
        self.workers[spec.name] = worker
        if self._outlives_owner:
            return
        sink.opened(spec.name, worker)
        hello = WorkerReport(hello=Hello(protocol=1, hostname="memory"))
        asyncio.get_running_loop().call_soon(worker.say, hello)

    async def stop(self, name: str, *, grace_s: float) -> None:
        """Ends a worker; returns when its exit was told."""
        if (worker := self.workers.get(name)) is not None:
            worker.exit(signal=15, message="stopped")
            await worker.ended.wait()

    async def close(self) -> None:
        """Ends all workers, unless they outlive their owner."""
        self._closed = True
        if self._outlives_owner:
            return
        await asyncio.gather(*(self.stop(name, grace_s=0.0) for name in list(self.workers)))

    def _ask(self) -> None:
        if self.unreachable:
            raise Unavailable(self.unreachable, reason="CLUSTER_UNREACHABLE")

    def _forget(self, worker: MemoryWorker) -> None:
        self.workers.pop(worker.spec.name, None)
