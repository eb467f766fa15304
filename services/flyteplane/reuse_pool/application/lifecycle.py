"""Starting and stopping replicas, in the background.

A replica is registered before it is started, so that a service that crashes in between finds it again. A stop waits
for a start that is still under way: the cluster reports the end of every worker that it has started, and only then is
the replica forgotten.
"""

import asyncio
import logging
from collections.abc import Callable

from flyteplane.cluster.ports import Cluster, WorkerSink
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import InvalidArgument, NotFound, PermissionDenied, PlatformError
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.reuse_pool.application.ports import NO_SECRETS, PoolStore, ReplicaRecord, SecretsPort, SecretValues
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.sessions import OpenPool, Session
from flyteplane.reuse_pool.application.templates import worker_spec
from flyteplane.reuse_pool.domain.effects import Start, Stop

_log = logging.getLogger("flyteplane.reuse_pool")

#: Trying again is of no use before somebody has changed something.
_PERMANENT = (InvalidArgument, NotFound, PermissionDenied)
StartFailed = Callable[[Session, PlatformError, bool], None]


class ReplicaLifecycle:
    """Carries out the Start and Stop effects.

    `sink` and `start_failed` are set by whoever wires the service, before the first effect.
    """

    sink: WorkerSink
    start_failed: StartFailed

    def __init__(
        self,
        registry: Registry,
        *,
        cluster: Cluster,
        store: PoolStore,
        secrets: SecretsPort | None,
        clock: Clock,
        background: BackgroundTasks,
    ) -> None:
        self._registry = registry
        self._cluster = cluster
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._background = background
        self._starting: dict[str, asyncio.Task[None]] = {}

    def start(self, effect: Start, pool: OpenPool) -> None:
        """Start a replica."""
        replica = effect.replica
        session = Session(pool=pool, replica=replica, started_at=self._clock.now())
        self._registry.sessions[replica.name] = session
        task = self._background.start(self._start(session), name=f"start {replica.name}")
        self._starting[replica.name] = task
        task.add_done_callback(lambda _: self._starting.pop(replica.name, None))

    def stop(self, effect: Stop) -> None:
        """Stop a replica, and listen to it no more."""
        session = self._registry.sessions.get(effect.replica.name)
        if session is None or session.given_up:
            return
        session.given_up = True
        session.end_reason = effect.reason
        _log.info("replica %s is stopped: %s", effect.replica.name, effect.reason)
        self._background.start(self._stop(session, effect.grace_s), name=f"stop {effect.replica.name}")

    async def stop_all(self, *, grace_s: float) -> None:
        """Stop every replica and return when they are gone."""
        sessions = list(self._registry.sessions.values())
        for session in sessions:
            session.given_up = True
            session.end_reason = session.end_reason or "the service was stopped"
        await asyncio.gather(*(self._stop(session, grace_s) for session in sessions))

    async def _start(self, session: Session) -> None:
        pool, name = session.pool, session.replica.name
        try:
            spec = worker_spec(pool.declaration, name=name)
            record = ReplicaRecord(name=name, pool=pool.state.name, started_at=session.started_at)
            await self._store.note_replica(record)
            session.secrets = await self._resolve(pool, name)
            if not session.given_up:
                await self._cluster.start(spec, self.sink)
                return
        except PlatformError as error:
            _log.warning("replica %s cannot be started: %s", name, error.public_text)
            self.start_failed(session, error, isinstance(error, _PERMANENT))
            return
        except Exception as error:
            # What goes wrong here must not leave the pool waiting for a replica that never comes.
            failure = PlatformError("an internal error; see the log of the platform", reason="REPLICA_START_FAILED")
            self.start_failed(session, failure, False)
            raise failure from error
        self.start_failed(session, PlatformError("it was not needed any more", reason="REPLICA_NOT_NEEDED"), False)

    async def _resolve(self, pool: OpenPool, name: str) -> SecretValues:
        if not pool.declaration.template.secrets:
            return NO_SECRETS
        if self._secrets is None:
            raise InvalidArgument("this platform delivers no secrets", reason="NO_SECRETS", field="template.secrets")
        return await self._secrets.resolve(pool.declaration, replica=name)

    async def _stop(self, session: Session, grace_s: float) -> None:
        name = session.replica.name
        starting = self._starting.get(name)
        if starting is not None:
            await asyncio.wait([starting])
        if name in self._registry.sessions:
            await self._cluster.stop(name, grace_s=grace_s)
