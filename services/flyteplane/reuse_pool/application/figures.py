"""What pools count, as metrics: how full each living pool is, and what has happened since the service began.

Nothing is counted for the sake of a metric: pools know these figures anyway, and they are read when somebody asks.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from flyteplane.observe import Reading
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.sessions import OpenPool
from flyteplane.reuse_pool.domain.pool_state import PoolState
from flyteplane.reuse_pool.domain.replica import ReplicaState

_PREFIX: Final = "reuse_"

#: Fields of `PoolState` that only grow.
_TOTALS: Final = {
    "placed": "Attempts given to replicas.",
    "placed_warm": "Attempts that found a warm slot at once.",
    "placed_in_lent_slots": "Attempts given slots that tasks lent while they waited for their children.",
    "overflow_started": "Replicas started beyond max_replicas, because tasks waited for children in their own pool.",
    "replicas_lost": "Replicas that ended without having been asked to, or were given up.",
    "deadlocks_refused": "Attempts refused because all replicas waited for each other.",
}


#: What `Registry.continued` counts.
_CONTINUED: Final = {
    "takeovers": "Times that this process began to lead the pools.",
    "replicas_adopted": "Replicas of an earlier life of the service that were taken up.",
    "attempts_resumed": "Attempts that such replicas came back with, and that went on.",
    "attempts_lost_in_takeovers": "Attempts that no replica came back with; they are placed again.",
    "unwanted_attempts_stopped": "Attempts that came back, and that no scheduler held any more.",
}


def note_past(registry: Registry, pool: PoolState) -> None:
    """A pool goes: what it counted stays in the totals of the service."""
    registry.past.update({name: getattr(pool, name) for name in _TOTALS})


def readings(registry: Registry) -> Iterator[Reading]:
    """The figures of this moment."""
    totals = Counter(registry.past)
    for pool in registry.pools.values():
        totals.update({name: getattr(pool.state, name) for name in _TOTALS})
        yield from _of_pool(pool)
    for name, description in _TOTALS.items():
        yield Reading(_PREFIX + name, description, totals[name], grows=True)
    for name, description in _CONTINUED.items():
        yield Reading(_PREFIX + name, description, registry.continued[name], grows=True)
    yield Reading(_PREFIX + "pools", "Living pools.", len(registry.pools))


def _of_pool(pool: OpenPool) -> Iterator[Reading]:
    state, scope = pool.state, pool.declaration.scope
    labels = {
        "project": scope.project,
        "domain": scope.domain,
        "environment": pool.declaration.environment,
        "pool": state.name[:12],
    }
    by_state = Counter(replica.state for replica in state.roster)
    for kind in ReplicaState:
        words = {**labels, "state": kind.value}
        yield Reading(_PREFIX + "replicas", "Replicas by state, overflow included.", by_state[kind], words)
    overflow = len(state.roster.overflow)
    at_work = sum(replica.running for replica in state.roster)
    yield Reading(_PREFIX + "overflow_replicas", "Replicas beyond max_replicas.", overflow, labels)
    yield Reading(_PREFIX + "at_work", "Attempts that run and do not wait for children.", at_work, labels)
    yield Reading(_PREFIX + "waiting", "Attempts that wait for a slot.", state.waiting, labels)
    yield Reading(_PREFIX + "failed_starts", "Failed starts in a row.", state.failures, labels)
