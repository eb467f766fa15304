"""A simulated cluster of pods: what is true there, and what each scheduler process is told of it, and when.

`PodCluster` is the truth. A `PodLink` is one process's `Cluster`: its requests can be slow, refused, or answered with
an error although they took effect; what it hears of pods may come late, but comes once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from tests.state.fleet.life import Life, LifeClock

from flyteplane.cluster.ports import (
    ClusterCapacity,
    ClusterHealth,
    ExitReason,
    PodConstraints,
    WorkerExit,
    WorkerProgress,
    WorkerSink,
    WorkerSpec,
    WorkerStage,
)
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import ResourceExhausted, Unavailable

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

#: How long the record of a pod that has ended is kept once somebody was told.
_KEPT_S: Final = 5.0


@dataclass(eq=False, slots=True)
class Pod:
    """One pod."""

    spec: WorkerSpec
    placed: bool = False
    """It has a node."""
    exit: WorkerExit | None = None
    """How it ended; None while it lives."""
    why: ExitReason = ExitReason.ENDED
    """What the cluster says of its end if it was not the pod's own doing."""
    terminate: Callable[[float], None] = lambda grace_s: None
    """The pod's own side: SIGTERM, and SIGKILL some seconds later."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once its record is removed."""
    removing: bool = False

    @property
    def name(self) -> str:
        """Name of the worker."""
        return self.spec.name


class PodCluster:
    """What is true of one cluster.

    Args:
        contact_s: how long pods go on without an answer, as schedulers are told.
        on_create: judges a new pod.
        on_stop: judges the wish that a worker be stopped.
        on_run: begins a pod's own side once it has a node.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: ManualClock,
        random: Random,
        capacity: ClusterCapacity,
        contact_s: float,
        on_create: Callable[[Pod], None],
        on_stop: Callable[[str], None],
        on_run: Callable[[Pod], None],
        trace: Callable[[str], None],
    ) -> None:
        self.name = name
        self.clock = clock
        self.random = random
        self.capacity = capacity
        self.contact_s = contact_s
        self.trace = trace
        self.pods: dict[str, Pod] = {}
        self.links: list[PodLink] = []
        self.away = False
        """The API server cannot be reached."""
        self.slow_s = 0.0
        self.loses_answers = 0.0
        self.quota = 0
        """Most pods that may be there; 0: any number."""
        self.stuck = False
        """New pods get no node."""
        self.on_stop = on_stop
        self._on_create = on_create
        self._on_run = on_run

    def create(self, spec: WorkerSpec) -> Pod:
        """A pod is created."""
        pod = self.pods[spec.name] = Pod(spec)
        self.trace(f"pod {spec.name} created on {self.name}")
        self._on_create(pod)
        self.clock.call_later(self.random.choice([0.1, 0.3, 1.0]), lambda: self._place(pod))
        return pod

    def _place(self, pod: Pod) -> None:
        if pod.exit is not None or pod.placed:
            return
        if self.stuck:
            self._tell(pod, WorkerStage.WAITING, "Unschedulable", "0/3 nodes are available")
            self.clock.call_later(2.0, lambda: self._place(pod))
            return
        pod.placed = True
        self._tell(pod, WorkerStage.STARTING, "", "")
        self.clock.call_later(self.random.choice([0.1, 0.5]), lambda: self._run(pod))

    def _run(self, pod: Pod) -> None:
        if pod.exit is None:
            self._on_run(pod)

    def ended(self, pod: Pod, *, code: int = 0, signal: int = 0, reason: ExitReason = ExitReason.ENDED) -> None:
        """The pod's containers have ended: nothing of it runs any more."""
        if pod.exit is None:
            reason = pod.why if pod.why is not ExitReason.ENDED else reason
            known = reason is not ExitReason.LOST
            pod.exit = WorkerExit(name=pod.name, reason=reason, exit_code=code, signal=signal, known=known)
            self.trace(f"pod {pod.name} ended: {reason} {code} {signal}")
            for link in self.links:
                link.tell_exit(pod)
            if pod.removing:
                self.remove_later(pod)

    def disown(self, pod: Pod) -> None:
        """The pod counts as gone with its node, and its processes run on."""
        pod.terminate = lambda grace_s: None
        self.ended(pod, reason=ExitReason.NODE_LOST)

    def delete(self, pod: Pod, *, grace_s: float) -> None:
        """Somebody deletes the pod."""
        pod.removing = True
        if pod.exit is not None:
            self.remove_later(pod)
        elif pod.placed:
            pod.terminate(grace_s)
        else:
            self.ended(pod, reason=ExitReason.STOPPED)

    def remove_later(self, pod: Pod) -> None:
        """The record of a pod that has ended goes."""

        def remove() -> None:
            self.pods.pop(pod.name, None)
            pod.gone.set()

        self.clock.call_later(_KEPT_S, remove)

    def _tell(self, pod: Pod, stage: WorkerStage, reason: str, message: str) -> None:
        for link in self.links:
            link.tell_progress(WorkerProgress(name=pod.name, stage=stage, reason=reason, message=message, node="n"))

    def heal(self) -> None:
        """Everything is as it should be."""
        self.away = self.stuck = False
        self.slow_s = self.loses_answers = 0.0
        self.quota = 0


class PodLink:
    """Implements `Cluster` for one process."""

    outlives_owner = True
    kind = "memory"

    def __init__(self, cluster: PodCluster, *, life: Life, clock: LifeClock) -> None:
        self._cluster = cluster
        self._life = life
        self._clock = clock
        self._sinks: dict[str, WorkerSink] = {}
        self.contact_s = cluster.contact_s
        cluster.links.append(self)

    @property
    def name(self) -> str:
        """See the port."""
        return self._cluster.name

    def capacity(self) -> ClusterCapacity:
        """See the port."""
        return self._cluster.capacity

    def health(self) -> ClusterHealth:
        """See the port."""
        return ClusterHealth(reachable=not self._cluster.away)

    def refuse_unfit(self, task: TaskSpec, constraints: PodConstraints) -> None:
        """See the port."""

    async def _ask(self) -> None:
        cluster = self._cluster
        if cluster.slow_s:
            await cluster.clock.sleep(cluster.random.uniform(0, cluster.slow_s))
        if cluster.away:
            raise Unavailable(f"cluster {cluster.name} cannot be reached", reason="CLUSTER_UNREACHABLE")

    def _maybe_lose_answer(self) -> None:
        cluster = self._cluster
        if cluster.loses_answers and cluster.random.random() < cluster.loses_answers:
            raise Unavailable("the answer was lost", reason="CLUSTER_UNREACHABLE")

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        """See the port."""

        async def start() -> Pod:
            await self._ask()
            cluster = self._cluster
            pod = cluster.pods.get(spec.name)
            if pod is None:
                if cluster.quota and len(cluster.pods) >= cluster.quota:
                    raise ResourceExhausted("exceeded quota: pods", reason="QUOTA_EXCEEDED")
                pod = cluster.create(spec)
            self._maybe_lose_answer()
            return pod

        pod = await self._life.effect(start, name="start")
        self._listen(pod, sink)

    async def adopt(self, name: str, sink: WorkerSink) -> bool:
        """See the port."""

        async def find() -> Pod | None:
            await self._ask()
            found = self._cluster.pods.get(name)
            self._maybe_lose_answer()
            return found

        pod = await self._life.effect(find, name="adopt")
        if pod is not None:
            self._listen(pod, sink)
        return pod is not None

    async def others(self, known: Collection[str]) -> Sequence[str]:
        """See the port."""

        async def compare() -> list[str]:
            await self._ask()
            found = [pod.name for pod in self._cluster.pods.values() if not pod.removing]
            return [name for name in found if name not in known]

        return await self._life.effect(compare, name="others")

    async def stop(self, name: str, *, grace_s: float) -> None:
        """See the port."""
        self._cluster.on_stop(name)

        async def delete() -> Pod | None:
            await self._ask()
            pod = self._cluster.pods.get(name)
            if pod is not None:
                self._cluster.delete(pod, grace_s=max(1.0, grace_s))
            self._maybe_lose_answer()
            return pod

        pod = await self._life.effect(delete, name="stop")
        if pod is not None:
            await self._life.effect(pod.gone.wait)

    def let_go(self, *, replicas: bool = False) -> None:
        """See the port. None of its pods is a replica."""
        if not replicas:
            self._sinks.clear()

    async def close(self) -> None:
        """See the port. Pods stay."""

    def _listen(self, pod: Pod, sink: WorkerSink) -> None:
        self._sinks[pod.name] = sink
        if pod.exit is not None:
            self.tell_exit(pod)

    def tell_progress(self, progress: WorkerProgress) -> None:
        """Something is to be seen of a pod."""

        def tell() -> None:
            if (sink := self._sinks.get(progress.name)) is not None:
                sink.progress(progress)

        self._clock.call_later(self._gap_s(), tell)

    def tell_exit(self, pod: Pod) -> None:
        """A pod has ended; it is told once, as soon as the cluster can be watched."""

        def tell() -> None:
            if self._cluster.away:
                self._clock.call_later(1.0, tell)
            elif (sink := self._sinks.pop(pod.name, None)) is not None:
                assert pod.exit is not None
                sink.exited(pod.exit)
                self._cluster.remove_later(pod)

        self._clock.call_later(self._gap_s(), tell)

    def _gap_s(self) -> float:
        """How late the watch is: a list has to be read again now and then."""
        return self._cluster.random.choice([0.0, 0.0, 0.1, 0.1, 6.0])
