"""Starting, adopting and stopping replicas, in the background.

A replica is registered before it is started, so that a service that crashes in between finds it again. A stop waits
for a start that is still under way: the cluster reports the end of every worker that it has started, and only then is
the replica forgotten. A leader that may have been replaced touches no replica that its successor may have adopted.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flyteplane.cluster.patience import patiently
from flyteplane.cluster.ports import Cluster, ExitReason, WorkerExit, WorkerSink
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import InvalidArgument, NotFound, PermissionDenied, PlatformError, Unavailable
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.observe import get_logger
from flyteplane.reuse_pool.application.ports import (
    NO_SECRETS,
    PoolStore,
    ReplicaRecord,
    ReplicaTokens,
    SecretsPort,
    SecretValues,
)
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.replica_clusters import ReplicaClusters
from flyteplane.reuse_pool.application.replica_placement import ReplicaPlacement
from flyteplane.reuse_pool.application.sessions import OpenPool, Session
from flyteplane.reuse_pool.domain.effects import Start, Stop

_log = get_logger("reuse_pool")

#: Trying again is of no use before somebody has changed something.
_PERMANENT: Final = (InvalidArgument, NotFound, PermissionDenied)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleHooks:
    """What the parts around it are told. They are made around it, which therefore is there before them."""

    sink: WorkerSink
    """Listens to replicas."""
    on_start_failed: Callable[[Session, PlatformError, bool], None]
    """A replica cannot be had, and why; the last says whether trying again is of no use."""
    on_given_up: Callable[[Session], None]
    """A replica is stopped, and listened to no more."""
    on_start_moved: Callable[[OpenPool], None]
    """The start of a replica has come along, or was held up."""
    on_secrets: Callable[[], None]
    """What was kept of an adopted replica can be looked at again."""


class ReplicaLifecycle:
    """Carries out the Start and Stop effects.

    Args:
        leads: whether this process leads at this very moment.
        fenced: called with the error once another leader has the register.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        clusters: ReplicaClusters,
        store: PoolStore,
        secrets: SecretsPort | None,
        tokens: ReplicaTokens | None,
        clock: TimerClock,
        background: BackgroundTasks,
        leads: Callable[[], bool],
        fenced: Callable[[BaseException], None],
    ) -> None:
        self._registry = registry
        self._clusters = clusters
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._background = background
        self._leads = leads
        self._fenced = fenced
        self._placement = ReplicaPlacement(
            clusters, tokens=tokens, clock=clock, leads=leads, changed=lambda pool: self._hooks.on_start_moved(pool)
        )
        self._hooks: LifecycleHooks
        self._starting: dict[str, asyncio.Task[None]] = {}

    def connect(self, hooks: LifecycleHooks) -> None:
        """Tells it of the parts around it; once, before the first effect."""
        self._hooks = hooks

    def start(self, effect: Start, pool: OpenPool) -> None:
        """Start a replica."""
        replica = effect.replica
        session = Session(pool=pool, replica=replica, started_at=self._clock.now())
        self._registry.sessions[replica.name] = session
        task = self._background.start(self._start(session), name=f"start {replica.name}")
        self._starting[replica.name] = task
        task.add_done_callback(lambda _: self._starting.pop(replica.name, None))

    def adopt(self, session: Session) -> None:
        """Listen to a replica that an earlier life of the service has started."""
        session.awaits_secrets = bool(session.pool.declaration.template.secrets)
        self._background.start(self._adopt(session), name=f"adopt {session.replica.name}")

    def remove(self, name: str, cluster: Cluster) -> None:
        """End a replica of an earlier life that nobody can use any more."""
        self._background.start(self._placement.remove(name, cluster), name=f"remove {name}")

    def stop(self, effect: Stop) -> None:
        """Stop a replica, and listen to it no more."""
        session = self._registry.sessions.get(effect.replica.name)
        if session is None or session.given_up:
            return
        session.given_up = True
        session.end_reason = effect.reason
        self._hooks.on_given_up(session)
        _log.info("replica_stopped", replica=effect.replica.name, reason=effect.reason)
        self._background.start(self._stop(session, effect.grace_s), name=f"stop {effect.replica.name}")

    async def stop_all(self, *, grace_s: float) -> None:
        """Stop every replica that would not outlive this process, and return when they are gone; let go of the rest."""
        sessions = list(self._registry.sessions.values())
        for session in sessions:
            session.given_up = True
            session.end_reason = session.end_reason or "the service was stopped"
        ending = [session for session in sessions if not self._outlives_us(session)]
        await asyncio.gather(*(self._stop(session, grace_s) for session in ending))
        for cluster in self._clusters:
            cluster.let_go(replicas=True)

    async def _start(self, session: Session) -> None:
        pool, name = session.pool, session.replica.name
        try:
            record = ReplicaRecord(
                name=name,
                pool=pool.state.name,
                started_at=session.started_at,
                cluster=self._clusters.of(pool.declaration).name,
                overflow=session.replica.overflow,
            )
            await self._store.note_replica(record)
            session.secrets = await self._resolve(pool, name)
            self._refuse_replaced(session)
            if await self._placement.start(session, self._hooks.sink):
                return
        except PlatformError as error:
            if error.reason == "FENCED":
                self._fenced(error)
            _log.warning("replica_not_started", replica=name, problem=error.public_text)
            self._hooks.on_start_failed(session, error, isinstance(error, _PERMANENT))
            return
        except Exception as error:
            # What goes wrong here must not leave the pool waiting for a replica that never comes.
            failure = PlatformError("an internal error; see the log of the platform", reason="REPLICA_START_FAILED")
            self._hooks.on_start_failed(session, failure, False)
            raise failure from error
        self._hooks.on_start_failed(
            session, PlatformError("it was not needed any more", reason="REPLICA_NOT_NEEDED"), False
        )

    async def _adopt(self, session: Session) -> None:
        name, cluster = session.replica.name, self._clusters.of(session.pool.declaration)
        await self._resolve_again(session)
        found = await patiently(
            lambda: cluster.adopt(name, self._hooks.sink),
            clock=self._clock,
            wanted=lambda: not session.given_up,
            refused=lambda error: _log.warning("replica_not_adopted_yet", replica=name, problem=error.public_text),
        )
        if found is False:
            message = "It was gone when the reuse pool began anew."
            self._hooks.sink.exited(WorkerExit(name=name, known=False, reason=ExitReason.LOST, message=message))

    async def _resolve_again(self, session: Session) -> None:
        """Have the secrets of an adopted replica once more. One whose secrets are gone finishes what it has."""
        name = session.replica.name
        if session.awaits_secrets:
            try:
                found = await patiently(
                    lambda: self._resolve(session.pool, name),
                    clock=self._clock,
                    wanted=lambda: not session.given_up,
                    refused=lambda error: _log.warning("secrets_not_had_yet", replica=name, problem=error.public_text),
                )
                session.secrets = found or NO_SECRETS
            except PlatformError as error:
                _log.warning("replica_takes_nothing_new", replica=name, problem=error.public_text)
                session.replica.drain_when_back = True
            session.awaits_secrets = False
            self._hooks.on_secrets()

    def _refuse_replaced(self, session: Session) -> None:
        if self._outlives_us(session) and not self._leads():
            raise Unavailable("this process leads no longer", reason="NOT_LEADER")

    def _outlives_us(self, session: Session) -> bool:
        return self._clusters.of(session.pool.declaration).outlives_owner

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
            await self._placement.stop(session, self._hooks.sink, grace_s=grace_s)
