"""Pools come with a declaration, take over from their predecessors, and go when nothing is left of them."""

from dataclasses import replace
from typing import Final

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger
from flyteplane.reuse_pool.application.effect_runner import EffectRunner
from flyteplane.reuse_pool.application.figures import note_past
from flyteplane.reuse_pool.application.journal import Journal
from flyteplane.reuse_pool.application.ports import PoolRecord, PoolStore
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.replica_clusters import ReplicaClusters
from flyteplane.reuse_pool.application.sessions import OpenPool, Session
from flyteplane.reuse_pool.application.templates import EnvironmentKey, environment_of, policy_of
from flyteplane.reuse_pool.domain import administration, deadlines, replica_events
from flyteplane.reuse_pool.domain.effects import Effect
from flyteplane.reuse_pool.domain.pool_state import PoolState

_log = get_logger("reuse_pool")

_MOST_REASON: Final = 500


class PoolKeeper:
    """Opens and closes pools.

    Args:
        life: names this life of the service; part of the names of replicas, so that none is used twice.
        first_seen: when identities were first declared, from the register.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        runner: EffectRunner,
        clusters: ReplicaClusters,
        store: PoolStore,
        clock: Clock,
        journal: Journal,
        life: str,
        first_seen: dict[str, float],
    ) -> None:
        self._registry = registry
        self._runner = runner
        self._clusters = clusters
        self._store = store
        self._clock = clock
        self._journal = journal
        self._life = life
        self._first_seen = first_seen
        self._opened = 0

    def open(self, declaration: DeclarePool) -> None:
        """Open the pool of a declaration unless it lives. One that contradicts itself refuses its attempts later."""
        if (living := self._registry.pools.get(declaration.pool)) is not None:
            # What its resource class asks of pods may have changed; it counts for replicas to come.
            living.declaration = declaration
        else:
            try:
                self._open(declaration)
            except PlatformError as error:
                _log.warning("pool_not_opened", pool=declaration.pool[:12], problem=error.public_text)

    def for_attempt(self, name: str) -> OpenPool | None:
        """The pool for an attempt; one that is gone is opened again. None: not declared. Raises InvalidArgument."""
        pool = self._registry.pools.get(name)
        if pool is not None:
            return pool
        declaration = self._registry.catalogue.pool(name)
        return self._open(declaration) if declaration is not None else None

    def wake(self, pool: OpenPool, now: float) -> None:
        """Do what is due in a pool."""
        self._run(pool, deadlines.tick(pool.state, now=now))

    def start_failed(self, session: Session, error: PlatformError, permanent: bool) -> None:
        """A replica could not be started."""
        name, pool = session.replica.name, session.pool
        self._registry.sessions.pop(name, None)
        if not session.given_up and name in pool.state.roster.by_name:
            effects = replica_events.start_failed(
                pool.state,
                session.replica,
                error.reason,
                error.public_text,
                permanent=permanent,
                now=self._clock.monotonic(),
            )
            self._runner.run(pool, effects)
        self.replica_gone(session, session.end_reason or error.reason)
        self._registry.flush()

    def replica_gone(self, session: Session, reason: str) -> None:
        """A replica has ended and its pool knows."""
        # Its first line only: what a task wrote may follow.
        _log.info("replica_ended", replica=session.replica.name, reason=reason.partition("\n")[0])
        name, at = session.replica.name, self._clock.now()
        self._journal.note(lambda: self._store.note_replica_end(name, at=at, reason=reason[:_MOST_REASON]))
        self._remove_if_gone(session.pool)

    def replica_is_warm(self, session: Session) -> None:
        """A replica has said Hello for the first time."""
        name = session.replica.name
        self._journal.note(lambda: self._store.note_warm(name))

    def replica_drains(self, name: str) -> None:
        """A replica was told to finish what it has."""
        self._journal.note(lambda: self._store.note_draining(name))

    def drain(self, pool: OpenPool) -> None:
        """Let all replicas of a pool go."""
        self._run(pool, administration.drain(pool.state, now=self._clock.monotonic()))

    def resize(self, pool: OpenPool, *, min_replicas: int, max_replicas: int) -> None:
        """Change the bounds of a pool. Raises InvalidArgument."""
        now = self._clock.monotonic()
        effects = administration.resize(pool.state, min_replicas=min_replicas, max_replicas=max_replicas, now=now)
        self._run(pool, effects)
        name = pool.state.name
        self._journal.note(lambda: self._store.note_bounds(name, min_replicas=min_replicas, max_replicas=max_replicas))

    def start_pause_s(self, pool: OpenPool) -> float:
        """For how long no replica of the pool is started, because starting them has failed."""
        return max(0.0, pool.state.start_not_before - self._clock.monotonic())

    def reopen(self, record: PoolRecord) -> OpenPool:
        """Open a pool of an earlier life of the service, whose replicas are adopted next; then call `resume`."""
        pool = self._make(DeclarePool.FromString(record.declaration))
        policy = pool.state.policy
        least, most = record.min_replicas, record.max_replicas
        if least is not None and most is not None:
            pool.state.policy = replace(policy, min_replicas=least, max_replicas=most)
        return pool

    def resume(self, pool: OpenPool) -> None:
        """All replicas of a reopened pool are adopted: start what is missing."""
        self._take_over(pool)
        self._run(pool, administration.open_pool(pool.state, now=self._clock.monotonic()))

    def _open(self, declaration: DeclarePool) -> OpenPool:
        pool = self._make(declaration)
        self._note(pool)
        self._take_over(pool)
        self._run(pool, administration.open_pool(pool.state, now=self._clock.monotonic()))
        return pool

    def _make(self, declaration: DeclarePool) -> OpenPool:
        name, now = declaration.pool, self._clock.now()
        self._opened += 1
        state = PoolState(
            name=name,
            policy=policy_of(declaration.policy),
            settings=self._clusters.settings_for(declaration, self._registry.settings),
            graph=self._registry.graph,
            blame=self._registry.blame,
            replica_prefix=f"{name[:10]}-{self._life}{self._opened}",
            idle_since=self._clock.monotonic(),
        )
        first_seen = self._first_seen.setdefault(name, now)
        pool = OpenPool(
            state=state,
            declaration=declaration,
            created_at=now,
            first_seen_at=first_seen,
            on_pods=self._clusters.of(declaration).outlives_owner,
        )
        self._registry.pools[name] = pool
        return pool

    def _take_over(self, pool: OpenPool) -> None:
        """Of the living pools of one environment, all but the one that was declared last keep nothing without need."""
        environment = environment_of(pool.declaration)
        for other in list(self._registry.pools.values()):
            if other is pool or environment_of(other.declaration) != environment:
                continue
            if other.first_seen_at <= pool.first_seen_at:
                self._run(other, administration.supersede(other.state, now=self._clock.monotonic()))
            else:
                pool.state.superseded = True

    def _hand_back(self, environment: EnvironmentKey) -> None:
        """A pool of the environment is gone: the newest of those that are left is the present one, as after a change
        that was taken back."""
        left = [pool for pool in self._registry.pools.values() if environment_of(pool.declaration) == environment]
        newest = max(left, key=lambda pool: pool.first_seen_at, default=None)
        if newest is not None and newest.state.superseded:
            self._runner.run(newest, administration.reinstate(newest.state, now=self._clock.monotonic()))

    def _note(self, pool: OpenPool) -> None:
        project, domain, environment, run, *_ = environment_of(pool.declaration)
        record = PoolRecord(
            name=pool.state.name,
            project=project,
            domain=domain,
            environment=environment,
            run=run,
            created_at=pool.first_seen_at,
            declaration=pool.declaration.SerializeToString(),
        )
        _log.info("pool_opened", pool=pool.state.name[:12], environment=f"{project}/{domain}/{environment}")
        self._journal.note(lambda: self._store.note_pool(record))

    def _run(self, pool: OpenPool, effects: list[Effect]) -> None:
        self._runner.run(pool, effects)
        self._remove_if_gone(pool)
        self._registry.flush()

    def _remove_if_gone(self, pool: OpenPool) -> None:
        name = pool.state.name
        if not pool.state.gone or self._registry.pools.get(name) is not pool:
            return
        del self._registry.pools[name]
        note_past(self._registry, pool.state)
        if pool.told_trouble and self._registry.outbox is not None:
            self._registry.outbox.trouble(name, "")
        if pool.declaration.run:
            # The run may come back to it, but no other pool will ever take over from it.
            self._first_seen.pop(name, None)
        self._registry.graph.turns.forget(name)
        _log.info("pool_gone", pool=name[:12])
        at = self._clock.now()
        self._journal.note(lambda: self._store.note_pool_end(name, at=at, reason="drained"))
        self._hand_back(environment_of(pool.declaration))
