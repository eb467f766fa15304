"""The cluster port: how scheduler and reuse pool start workers, whatever a worker is there.

A worker is a process on this machine or a pod. The port promises that `start` is idempotent by worker name, that `stop`
takes the worker and everything it started, and that every worker that was started is reported to have exited exactly
once. It knows nothing of attempts, queues or pools: what a worker is for is the business of whoever started it.

The stream of worker messages reaches the owner through its `WorkerSink` when the worker speaks over an inherited socket
(processes); pods open a gRPC stream to the owner instead, and their sink hears of progress and exits only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder, WorkerReport
    from flyteapi.task.v1.task_spec_pb2 import ImageSpec, PodTemplate, ResourceRequest, TaskSpec
    from flyteplane.cluster.python_installs import PythonInstall


#: What a worker has to end its task in, once its contact time is over; only then may somebody else be given its work.
CONTACT_MARGIN_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodConstraints:
    """What the operator's resource class adds to a pod and what it lets a user's template do."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    """As in a pod's spec."""
    priority_class: str = ""
    allow_host_paths: bool = False
    allow_privileged: bool = False
    allow_service_account_token: bool = False
    service_accounts: Sequence[str] = ()
    """Service accounts that pods may run as besides the namespace's own default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRequest:
    """What a worker needs where it is a pod; processes look at none of it."""

    image: ImageSpec
    resources: ResourceRequest
    template: PodTemplate | None = None
    """The user's template, by name or by value."""
    service_account: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The user's, for the pod."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    interruptible: bool = False
    """May be placed on nodes that can be taken away."""
    secret_files: bool = False
    """Whether it is handed secrets as files, which lie in memory."""
    constraints: PodConstraints = field(default_factory=PodConstraints)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """What to start."""

    name: str
    """Unique and deterministic; starting the same name again adopts what is there."""
    replica: bool = False
    """A replica executes many attempts; any other worker ends after one."""
    python_installs: tuple[PythonInstall, ...] = ()
    """How a process gets packages beyond the platform's own environment; a pod has them in its image."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Plain environment variables of the process."""
    cpu_millis: int = 0
    """Request and limit in thousandths of a core; 0: no limit of its own."""
    memory_bytes: int = 0
    """Limit; 0: no limit of its own."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """project, domain, run, action, attempt or pool: for people and for reconciliation."""
    token: str = ""
    """With which a worker that opens a stream of its own says who it is."""
    pod: PodRequest | None = None
    """Set for workers that may become pods."""


class ExitReason(StrEnum):
    """Why a worker is gone, where it is known; part of the failure that people see."""

    ENDED = "ENDED"
    """By itself, with `exit_code`, or by a signal."""
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    OUT_OF_DISK = "OUT_OF_DISK"
    """It wrote more than its own limit allows."""
    EVICTED = "EVICTED"
    PREEMPTED = "PREEMPTED"
    NODE_LOST = "NODE_LOST"
    POD_DELETED = "POD_DELETED"
    """Somebody else deleted it."""
    IMAGE_NOT_FOUND = "IMAGE_NOT_FOUND"
    """The registry, or the name, says that there is none: trying again is of no use."""
    IMAGE_PULL_FAILED = "IMAGE_PULL_FAILED"
    """The image could not be had for longer than the cluster's patience lasts."""
    CONTAINER_REFUSED = "CONTAINER_REFUSED"
    """The node cannot make the container: a command, volume or config map that does not exist."""
    SIDECAR_FAILED = "SIDECAR_FAILED"
    """An init container or a sidecar failed, so that the primary could not run."""
    CUT_OFF = "CUT_OFF"
    """It could not reach its owner for longer than it may, and ended itself."""
    STOPPED = "STOPPED"
    """It was asked to stop."""
    LOST = "LOST"
    """Nobody saw how."""


class WorkerStage(StrEnum):
    """Where a worker stands that cannot be spoken to yet."""

    WAITING = "WAITING"
    """The cluster has no room for it yet."""
    STARTING = "STARTING"
    """It has a place; image and containers are being made ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProgress:
    """What happens to a worker before it speaks, for people: "0/3 nodes are available: 3 Insufficient cpu"."""

    name: str
    stage: WorkerStage
    reason: str = ""
    """UPPER_SNAKE, or Kubernetes' CamelCase such as "Unschedulable" or "ErrImagePull"; empty if all goes well."""
    message: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerExit:
    """How a worker ended."""

    name: str
    reason: ExitReason = ExitReason.ENDED
    exit_code: int = 0
    """Exit code of the process; 0 if a signal ended it or if it is not known."""
    signal: int = 0
    out_of_memory: bool = False
    known: bool = True
    """False if the worker is gone and nobody saw how (its template or node died)."""
    message: str = ""
    """For people. What the worker wrote last may follow the first line: of a replica, words of any of its tasks."""


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

    def progress(self, progress: WorkerProgress) -> None:
        """The worker cannot be spoken to yet, for this reason."""

    def exited(self, exit: WorkerExit) -> None:
        """The worker and its output have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCapacity:
    """Room for workers; 0 where the cluster itself decides."""

    cpu_millis: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterHealth:
    """Whether the cluster can be asked."""

    reachable: bool = True
    message: str = ""
    """Why it cannot be; for people."""


class Cluster(Protocol):
    """Where workers are placed."""

    @property
    def name(self) -> str:
        """Name in the operator's configuration, "local" for this machine."""

    @property
    def kind(self) -> str:
        """ "process", "kubernetes" or "memory"."""

    @property
    def outlives_owner(self) -> bool:
        """True if workers go on when the process that started them is gone, and can be adopted by the next one."""

    @property
    def contact_s(self) -> float:
        """How long its workers go on without an answer from their owner; 0 for workers that end with it."""

    def capacity(self) -> ClusterCapacity:
        """Room for workers."""

    def health(self) -> ClusterHealth:
        """Whether the cluster can be asked. While it cannot, nothing is said of its workers: no exit, no progress."""

    def refuse_unfit(self, task: TaskSpec, constraints: PodConstraints) -> None:
        """Raises `InvalidArgument` for a task that this cluster can never carry out as it asks. Pure and quick: it is
        called when a task is submitted."""

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        """Starts a worker; returns when the start is under way. The same name again adopts the worker that is there.

        Raises:
            InvalidArgument: this cluster can never run it; also a template or image that is refused for good.
            NotFound: something that the worker names does not exist there (a template, a namespace).
            ResourceExhausted: a quota of the cluster is used up; try again later.
            Unavailable: it cannot be tried now; try again later. Whether it was started is unknown.
        """

    async def adopt(self, name: str, sink: WorkerSink) -> bool:
        """Listens to a worker that an owner before this one started. False: there is none of this name, as the cluster
        itself says. A worker that has ended already is told to the sink as an exit, and True is returned. Raises
        `Unavailable` if the cluster cannot be asked."""

    async def others(self, known: Collection[str]) -> Sequence[str]:
        """Names of workers that run one attempt and are not among the known ones: left by an owner before, to be
        stopped. Replicas are never among them: the scheduler compares, and the reuse pool, which may use the same
        cluster, keeps a register of its own. Raises `Unavailable`."""

    async def stop(self, name: str, *, grace_s: float) -> None:
        """Asks the worker and all its processes to end (SIGTERM), kills them after `grace_s` seconds. Idempotent."""

    def let_go(self, *, replicas: bool = False) -> None:
        """Forgets all workers of one attempt that outlive this process, or all replicas that do: another owner answers
        for them from now on. None is stopped or removed, and nothing more is said of any."""

    async def close(self) -> None:
        """Stops all workers but those that outlive this process, and whatever serves them."""
