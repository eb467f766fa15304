"""The cluster port: how scheduler and reuse pool start workers, whatever a worker is there.

A worker is a process on this machine or a pod. The port promises that `start` is idempotent by worker name, that `stop`
takes the worker and everything it started, and that every worker that was started is reported to have exited exactly
once. It knows nothing of attempts, queues or pools: what a worker is for is the business of whoever started it.

The stream of worker messages reaches the owner through its `WorkerSink` when the worker speaks over an inherited socket
(processes); pods open a gRPC stream to the owner instead, and their sink hears of exits only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder, WorkerReport


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """What to start."""

    name: str
    """Unique and deterministic; starting the same name again adopts what is there."""
    replica: bool = False
    """A replica executes many attempts; any other worker ends after one."""
    python_packages: tuple[str, ...] = ()
    """Requirements beyond the platform's own environment."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Plain environment variables of the process."""
    cpu_millis: int = 0
    """Request and limit in thousandths of a core; 0: no limit of its own."""
    memory_bytes: int = 0
    """Limit; 0: no limit of its own."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """project, domain, run, action, attempt or pool: for people and for reconciliation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerExit:
    """How a worker ended."""

    name: str
    exit_code: int = 0
    """Exit code of the process; 0 if a signal ended it or if it is not known."""
    signal: int = 0
    out_of_memory: bool = False
    known: bool = True
    """False if the worker is gone and nobody saw how (its template or node died)."""
    message: str = ""


class WorkerChannel(Protocol):
    """The way to one running worker. Orders sent are delivered in order, or the worker is reported closed."""

    def send(self, orders: Sequence[WorkerOrder]) -> None:
        """Queues orders as one batch. Never blocks, never raises for a worker that is gone."""

    def close(self) -> None:
        """Ends the stream; a worker on an inherited socket then kills its own process group."""


class WorkerSink(Protocol):
    """Who started a worker and listens to it. All calls come on the event loop, `exited` last and exactly once."""

    def opened(self, name: str, channel: WorkerChannel) -> None:
        """The worker can be spoken to."""

    def received(self, name: str, reports: Sequence[WorkerReport]) -> None:
        """The worker said something."""

    def output(self, name: str, data: bytes) -> None:
        """The worker wrote to its standard output or error outside of any attempt's own capture."""

    def exited(self, exit: WorkerExit) -> None:
        """The worker and its output have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCapacity:
    """Room for workers; 0 where the cluster itself decides."""

    cpu_millis: int
    memory_bytes: int


class Cluster(Protocol):
    """Where workers are placed."""

    @property
    def name(self) -> str:
        """Name in the operator's configuration, "local" for this machine."""

    def capacity(self) -> ClusterCapacity:
        """Room for workers."""

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        """Starts a worker; returns when the start is under way. Raises `Unavailable` if it cannot be tried now and
        `InvalidArgument` if this cluster can never run it."""

    async def stop(self, name: str, *, grace_s: float) -> None:
        """Asks the worker and all its processes to end (SIGTERM), kills them after `grace_s` seconds. Idempotent."""

    async def close(self) -> None:
        """Stops all workers and whatever serves them."""
