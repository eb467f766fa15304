"""Replicas on their clusters: asks for them and ends them.

A cluster of pods may be out of reach for a while. It is asked until it answers, and nothing that it holds counts as
failed or gone meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flyteplane.cluster.patience import patiently
from flyteplane.cluster.ports import ExitReason, WorkerExit
from flyteplane.reuse_pool.application.templates import worker_spec
from flyteplane.reuse_pool.domain import replica_events

if TYPE_CHECKING:
    from flyteplane.cluster.ports import Cluster, WorkerSink
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.foundation.errors import PlatformError
    from flyteplane.reuse_pool.application.ports import ReplicaTokens
    from flyteplane.reuse_pool.application.replica_clusters import ReplicaClusters
    from flyteplane.reuse_pool.application.sessions import OpenPool, Session


class ReplicaPlacement:
    """See the module.

    Args:
        tokens: None on a platform without replicas over the network.
        leads: whether this process leads at this very moment: one that does not touches no pod any more.
        changed: called when the start of a replica has come along, or was held up.
    """

    def __init__(
        self,
        clusters: ReplicaClusters,
        *,
        tokens: ReplicaTokens | None,
        clock: TimerClock,
        leads: Callable[[], bool],
        changed: Callable[[OpenPool], None],
    ) -> None:
        self._clusters = clusters
        self._tokens = tokens
        self._clock = clock
        self._leads = leads
        self._changed = changed

    async def start(self, session: Session, sink: WorkerSink) -> bool:
        """Have a replica started. False if it was given up before its cluster took it. Raises as `Cluster.start`, but
        waits for a cluster of pods that is away or has no room."""
        cluster = self._clusters.of(session.pool.declaration)
        if cluster.outlives_owner:
            return await self._start_pod(session, cluster, sink)
        if session.given_up:
            return False
        await cluster.start(worker_spec(session.pool.declaration, name=session.replica.name), sink)
        return True

    async def _start_pod(self, session: Session, cluster: Cluster, sink: WorkerSink) -> bool:
        declaration, name = session.pool.declaration, session.replica.name
        token = self._tokens.hello_token(declaration, replica=name) if self._tokens is not None else ""
        spec = worker_spec(declaration, name=name, token=token, is_pod=True)

        async def ask() -> bool:
            await cluster.start(spec, sink)
            return True

        def refused(error: PlatformError) -> None:
            replica_events.waits_for_room(session.pool.state, session.replica, error.public_text)
            self._changed(session.pool)

        started = await patiently(
            ask, clock=self._clock, wanted=lambda: self._leads() and not session.given_up, refused=refused
        )
        if started:
            replica_events.has_place(session.pool.state, session.replica, now=self._clock.monotonic())
            self._changed(session.pool)
            return True
        # A start that was not answered may have had an effect.
        await self._stop_pod(name, cluster, grace_s=0.0)
        return False

    async def stop(self, session: Session, sink: WorkerSink, *, grace_s: float) -> None:
        """End a replica, and return when its end was told; of a pod that was never there it is told here."""
        cluster, name = self._clusters.of(session.pool.declaration), session.replica.name
        if not cluster.outlives_owner:
            await cluster.stop(name, grace_s=grace_s)
        elif await self._stop_pod(name, cluster, grace_s=grace_s):
            sink.exited(WorkerExit(name=name, reason=ExitReason.STOPPED, known=False))

    async def remove(self, name: str, cluster: Cluster) -> None:
        """End a pod of which nothing is known but its name. Goes on until the cluster has answered."""
        await self._stop_pod(name, cluster, grace_s=0.0)

    async def _stop_pod(self, name: str, cluster: Cluster, *, grace_s: float) -> bool:
        async def ask() -> bool:
            await cluster.stop(name, grace_s=grace_s)
            return True

        return bool(await patiently(ask, clock=self._clock, wanted=self._leads, refused=lambda error: None))
