"""What the service remembers of one replica and of one lease, beside what the domain decides upon."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from flyte.spec.limits import MOST_INTRODUCED
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.scheduler.v1.worker_service_pb2 import Assign, WorkerOrder, WorkerReport
from flyteplane.cluster.ports import WorkerChannel
from flyteplane.reuse_pool.application.ports import NO_SECRETS, SecretValues
from flyteplane.reuse_pool.domain.attempt import Attempt
from flyteplane.reuse_pool.domain.pool_state import PoolState
from flyteplane.reuse_pool.domain.replica import Replica

_TAIL_BYTES: Final = 2048
_MOST_OUTPUT_BYTES: Final = 512 * 1024


@dataclass(slots=True, eq=False, kw_only=True)
class OpenPool:
    """A living pool."""

    state: PoolState
    declaration: DeclarePool
    created_at: float
    """Seconds since the epoch."""
    first_seen_at: float
    """When its identity was first declared, in whatever life of the service."""
    told_trouble: str = ""
    """What the scheduler was told last of why replicas do not come."""
    on_pods: bool = False
    """Its replicas are pods: they see nothing of this machine, and go on without this process."""


@dataclass(slots=True, eq=False, kw_only=True)
class Session:
    """The conversation with one replica."""

    pool: OpenPool
    replica: Replica
    started_at: float
    """Seconds since the epoch."""
    channel: WorkerChannel | None = None
    orders: list[WorkerOrder] = field(default_factory=list)
    """Not sent yet; a turn's orders go out together."""
    known_tasks: set[bytes] = field(default_factory=set)
    known_runs: set[str] = field(default_factory=set)
    secrets: SecretValues = NO_SECRETS
    given_up: bool = False
    """The pool has done with it; what it still says has no effect."""
    tokens_renewed_at: float = -math.inf
    """By the monotonic clock: when it was last seen to that its tokens are fresh."""
    end_reason: str = ""
    node: str = ""
    """Machine of a replica that is a pod, as far as it is known."""
    kept: list[WorkerReport] | None = None
    """What a replica of an earlier life has said that cannot be judged yet; None once it can."""
    awaits_secrets: bool = False
    """Its secrets have to be resolved once more before it is given anything."""
    said_at_start: bytes = b""
    """The last it wrote before it said Hello: why it did not start."""

    def wrote(self, data: bytes) -> None:
        """Keep the end of what a replica writes while it starts. Secrets are given to it only later."""
        self.said_at_start = (self.said_at_start + data)[-_TAIL_BYTES:]

    def introduce(self, held: "Held") -> None:
        """Queue what the replica has to know before it is given the lease."""
        assign = held.assign
        if assign.task_digest not in self.known_tasks:
            if len(self.known_tasks) >= MOST_INTRODUCED:
                self.known_tasks.clear()
            self.known_tasks.add(assign.task_digest)
            self.orders.append(self._as_seen_here(held.declare_task))
        if assign.run not in self.known_runs:
            if len(self.known_runs) >= MOST_INTRODUCED:
                self.known_runs.clear()
            self.known_runs.add(assign.run)
            self.orders.append(held.declare_run)

    def _as_seen_here(self, order: WorkerOrder) -> WorkerOrder:
        """A task that is used on several clusters has its code elsewhere on each, and for pods not on this machine."""
        said = order.declare_task.bundle_path
        bundle_path = "" if self.pool.on_pods else self.pool.declaration.bundle_path or said
        if said == bundle_path:
            return order
        seen = WorkerOrder()
        seen.CopyFrom(order)
        seen.declare_task.bundle_path = bundle_path
        return seen

    def forget_introductions(self) -> None:
        """A new stream knows nothing."""
        self.known_tasks.clear()
        self.known_runs.clear()


@dataclass(slots=True, eq=False, kw_only=True)
class Held:
    """A lease that the pool holds, with the messages that may have to be said again."""

    attempt: Attempt
    pool: OpenPool
    assign: Assign
    declare_task: WorkerOrder
    declare_run: WorkerOrder
    session: Session | None = None
    token_made_at: float = -math.inf
    """By the monotonic clock; of the token that its replica has for it, if it has one."""
    started: WorkerReport | None = None
    submits: dict[int, WorkerReport] | None = None
    """Calls without a result, by number."""
    end: WorkerReport | None = None
    traces: list[WorkerReport] | None = None
    """Recorded calls: nobody says whether they were heard."""
    output: deque[WorkerReport] | None = None
    """Output that the scheduler has not heard, or that would be lost with it as far as is known here."""
    output_bytes: int = 0

    def keep_output(self, report: WorkerReport, *, heard: bool) -> None:
        """Keep output until it is stored, the newest of it if that takes long. What does not say where it belongs can
        be said only once: of that the first is kept that nobody heard."""
        size = len(report.log.data)
        if not report.log.position and (heard or self.output_bytes + size > _MOST_OUTPUT_BYTES):
            return
        if self.output is None:
            self.output = deque()
        self.output.append(report)
        self.output_bytes += size
        while self.output_bytes > _MOST_OUTPUT_BYTES:
            self._drop_oldest(self.output)

    def output_stored(self, position: int) -> None:
        """Output up to this byte need not be said again."""
        output = self.output
        while output and output[0].log.position + len(output[0].log.data) - 1 <= position:
            self._drop_oldest(output)

    def _drop_oldest(self, output: deque[WorkerReport]) -> None:
        self.output_bytes -= len(output.popleft().log.data)

    def unacknowledged(self) -> Iterator[WorkerReport]:
        """What has to be said again on a new stream, in order."""
        if self.started is not None:
            yield self.started
        yield from self.traces or ()
        output = self.output or ()
        yield from output
        if output and not output[0].log.position:
            self.output, self.output_bytes = None, 0
        yield from (self.submits or {}).values()
        if self.end is not None:
            yield self.end
