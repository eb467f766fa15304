"""The cluster port on Kubernetes: a worker is a pod, and pods go on when the process that started them is gone.

What is known of pods comes from lists and watches. Requests start and end pods and answer questions; none of them is
repeated to see whether something has changed. While the server is away nothing is said of any worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

from flyteplane.cluster.kubernetes.api import KubernetesApi
from flyteplane.cluster.kubernetes.connection import Connection
from flyteplane.cluster.kubernetes.containers import ever_ran
from flyteplane.cluster.kubernetes.creation import BuildPod, Creation
from flyteplane.cluster.kubernetes.informer import Informer, Rhythm
from flyteplane.cluster.kubernetes.keeper import PodKeeper, Warnings
from flyteplane.cluster.kubernetes.marks import Pod, belongs_to, pods_path
from flyteplane.cluster.kubernetes.rate_limiter import RateLimiter
from flyteplane.cluster.kubernetes.refusals import refused_opening, unavailable
from flyteplane.cluster.kubernetes.removal import remove
from flyteplane.cluster.kubernetes.settings import KubernetesSettings
from flyteplane.cluster.kubernetes.trouble import ApiFailure, KubernetesTrouble
from flyteplane.cluster.kubernetes.worker_pod import WorkerPod
from flyteplane.cluster.pods.builder import build_pod
from flyteplane.cluster.pods.fitness import refuse_unfit_pod
from flyteplane.cluster.pods.labels import INSTALLATION_LABEL, is_replica, worker_name_of
from flyteplane.cluster.pods.names import label_value, pod_name
from flyteplane.cluster.pods.surroundings import PodSurroundings
from flyteplane.cluster.ports import ClusterCapacity, ClusterHealth, PodConstraints, WorkerSink, WorkerSpec
from flyteplane.foundation.clock import SystemClock, TimerClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

_log = get_logger("cluster")

_UNBOUNDED: Final = ClusterCapacity(cpu_millis=0, memory_bytes=0)


def _build(spec: WorkerSpec, surroundings: PodSurroundings, named: Mapping[str, Any] | None) -> dict[str, Any]:
    return build_pod(spec, surroundings=surroundings, named_template=named)


def _passing(trouble: KubernetesTrouble) -> bool:
    """Whether it is the server that is in trouble, rather than what the operator wrote."""
    return not isinstance(trouble, ApiFailure) or trouble.transient


class KubernetesCluster:
    """Implements `Cluster` on one Kubernetes cluster. `open` comes first.

    Args:
        settings: of the cluster.
        build: makes manifests.
        clock: time and timers.
        random: for jitter.
    """

    def __init__(
        self,
        settings: KubernetesSettings,
        *,
        build: BuildPod = _build,
        clock: TimerClock | None = None,
        random: Random | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._random = random or Random()
        self._connection = Connection(kubeconfig=settings.kubeconfig, context=settings.context)
        limiter = RateLimiter(per_second=settings.requests_per_second, burst=settings.burst, clock=self._clock)
        self._api = KubernetesApi(
            self._connection, limiter=limiter, timeout_s=settings.request_timeout_s, clock=self._clock
        )
        self._background = BackgroundTasks(f"cluster-{settings.name}")
        self._creation = Creation(self._api, settings=settings, build=build)
        self._keeper = PodKeeper(
            self._api, settings=settings, clock=self._clock, background=self._background, remove=self._remove_soon
        )
        self._pods = self._informer()
        # Fitness does not depend on the name and the namespace of one pod.
        self._nowhere = settings.surroundings(pod_name="unnamed", namespace="unnamed")
        self._starting: dict[str, asyncio.Future[None]] = {}
        self._closed = asyncio.Event()

    @property
    def name(self) -> str:
        """Name in the operator's configuration."""
        return self._settings.name

    @property
    def kind(self) -> str:
        """See the port."""
        return "kubernetes"

    @property
    def outlives_owner(self) -> bool:
        """Pods belong to the cluster."""
        return True

    @property
    def contact_s(self) -> float:
        """See the port."""
        return self._settings.contact_s

    def capacity(self) -> ClusterCapacity:
        """The cluster's own scheduler knows."""
        return _UNBOUNDED

    def health(self) -> ClusterHealth:
        """See the port."""
        health = self._api.health
        if health.reachable and self._pods.trouble:
            return ClusterHealth(reachable=False, message=self._pods.trouble)
        return health

    def refuse_unfit(self, task: TaskSpec, constraints: PodConstraints) -> None:
        """See the port."""
        refuse_unfit_pod(task, constraints, surroundings=self._nowhere)

    async def open(self, *, must_answer: bool = True) -> None:
        """Reads the kubeconfig and begins to watch.

        Args:
            must_answer: whether a server that cannot be asked is an error; otherwise it is waited for, and `health`
                says so meanwhile.

        Raises:
            InvalidArgument: the kubeconfig is missing or cannot be used.
            PermissionDenied: its credentials are refused or do not suffice.
            Unavailable: its server does not answer, and must.
        """
        await self._connection.open()
        try:
            path = pods_path(self._settings.one_namespace)
            await self._api.call("GET", path, parameters={**self._selection, "limit": "1"})
        except KubernetesTrouble as trouble:
            if must_answer or not _passing(trouble):
                await self._connection.close()
                source = self._connection.source
                raise refused_opening(trouble, server=self._connection.server, source=source) from trouble
            _log.warning("cluster_does_not_answer_yet", cluster=self.name, problem=trouble.message)
        self._background.start(self._pods.run(), name="pods")
        self._background.start(self._warnings().run(), name="events")

    @property
    def _selection(self) -> dict[str, str]:
        return {"labelSelector": f"{INSTALLATION_LABEL}={label_value(self._settings.installation)}"}

    def _informer(self) -> Informer:
        settings = self._settings
        rhythm = Rhythm(
            watch_s=settings.watch_s,
            silence_s=settings.watch_silence_s,
            probe_s=settings.probe_s,
            resync_s=settings.resync_s,
        )
        return Informer(
            self._api,
            path=pods_path(settings.one_namespace),
            selection=self._selection,
            listener=self._keeper,
            rhythm=rhythm,
            clock=self._clock,
            random=self._random,
        )

    def _warnings(self) -> Informer:
        """Events have no bookmarks, so that silence proves nothing: their watches are kept short instead."""
        settings = self._settings
        scope = f"/api/v1/namespaces/{settings.one_namespace}" if settings.one_namespace else "/api/v1"
        return Informer(
            self._api,
            path=f"{scope}/events",
            selection={"fieldSelector": "type=Warning,involvedObject.kind=Pod"},
            listener=Warnings(self._keeper),
            rhythm=Rhythm(
                watch_s=settings.watch_silence_s,
                silence_s=2 * settings.watch_silence_s,
                probe_s=settings.watch_silence_s,
                resync_s=settings.resync_s,
            ),
            clock=self._clock,
            random=self._random,
        )

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        """See the port."""
        while (under_way := self._starting.get(spec.name)) is not None:
            await asyncio.wait([under_way])
        self._refuse_closed()
        if (worker := self._keeper.workers.get(spec.name)) is not None and not worker.told:
            self._keeper.listen(worker, sink)
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._starting[spec.name] = mine
        try:
            pod = await self._creation.create(spec)
            self._keeper.keep(spec.name, pod=pod, sink=sink)
        finally:
            del self._starting[spec.name]
            mine.set_result(None)

    async def adopt(self, name: str, sink: WorkerSink) -> bool:
        """See the port."""
        self._refuse_closed()
        if (worker := self._keeper.workers.get(name)) is not None and not worker.told:
            self._keeper.listen(worker, sink)
            return True
        pod = await self._find(name)
        if pod is None:
            return False
        self._keeper.keep(name, pod=pod, sink=sink)
        return True

    async def _find(self, name: str) -> Pod | None:
        """The pod of a worker, as the server itself says where it is not known yet."""
        pod: Pod | None = self._keeper.pods.get(pod_name(name))
        if pod is None:
            parameters = {**self._selection, "fieldSelector": f"metadata.name={pod_name(name)}"}
            path = pods_path(self._settings.one_namespace)
            try:
                found = (await self._api.call("GET", path, parameters=parameters)).get("items") or []
            except KubernetesTrouble as trouble:
                raise unavailable(trouble) from trouble
            pod = found[0] if found else None
        ours = pod is not None and belongs_to(pod, installation=self._settings.installation)
        return pod if ours and pod is not None and worker_name_of(pod) == name else None

    def let_go(self, *, replicas: bool = False) -> None:
        """See the port."""
        self._keeper.let_go(replicas=replicas)

    async def others(self, known: Collection[str]) -> Sequence[str]:
        """See the port. Pods that have ended are among them, so that nothing is left behind; replicas are not."""
        self._refuse_closed()
        if not self._pods.synced.is_set():
            await self._first_list()
        if not (health := self.health()).reachable:
            raise Unavailable(health.message, reason="CLUSTER_UNREACHABLE")
        expected = frozenset(known)
        staying = (pod for pod in self._keeper.pods.values() if not self._keeper.is_leaving(pod))
        names = (worker_name_of(pod) for pod in staying if not is_replica(pod))
        return [name for name in names if name and name not in expected]

    async def _first_list(self) -> None:
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                await self._pods.synced.wait()
        except TimeoutError as error:
            message = self.health().message or f"cluster {self.name} has not answered yet"
            raise Unavailable(message, reason="CLUSTER_UNREACHABLE") from error

    async def stop(self, name: str, *, grace_s: float) -> None:
        """See the port. Goes on until the pod is gone, however long the server is away.

        Raises:
            Unavailable: the worker is not known here and the server cannot be asked, or this is closed meanwhile.
        """
        self._refuse_closed()
        while (under_way := self._starting.get(name)) is not None:
            await asyncio.wait([under_way])
        worker = self._keeper.workers.get(name)
        if worker is None:
            if (pod := await self._find(name)) is None:
                return
            worker = self._keeper.keep(name, pod=pod, sink=None)
        worker.stopping = True
        self._remove(worker, max(1.0, grace_s))
        ended = asyncio.ensure_future(worker.done.wait())
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({ended, closed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            closed.cancel()
        if not worker.done.is_set():
            self._refuse_closed()

    def _remove_soon(self, worker: WorkerPod, overdue: bool) -> None:
        self._remove(worker, 0.0 if overdue else None)

    def _remove(self, worker: WorkerPod, grace_s: float | None) -> None:
        if self._closed.is_set():
            return
        if worker.removal is not None and not worker.removal.done():
            if grace_s is None or (worker.grace_s is not None and worker.grace_s <= grace_s):
                return
            worker.removal.cancel()
        worker.grace_s = grace_s
        removal = remove(
            self._api,
            worker,
            grace_s=grace_s,
            force_after_s=self._force_after_s(worker),
            vanished=self._keeper.vanished,
            random=self._random,
        )
        worker.removal = self._background.start(removal, name="remove-pod")

    def _force_after_s(self, worker: WorkerPod) -> float:
        """A pod that ran somewhere may still run there: it is forgotten only when it must have ended itself."""
        fence_s = self._settings.contact_s if ever_ran(worker.pod) else 0.0
        return fence_s + self._settings.kill_margin_s

    def _refuse_closed(self) -> None:
        if self._closed.is_set():
            raise Unavailable(f"cluster {self.name} is closing", reason="CLUSTER_CLOSED")

    async def close(self) -> None:
        """Ends watches and connections. Pods go on: whoever leads next adopts them."""
        self._closed.set()
        for worker in self._keeper.workers.values():
            worker.cancel_timer()
        await self._background.stop()
        await self._connection.close()
