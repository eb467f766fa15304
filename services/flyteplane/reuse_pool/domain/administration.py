"""What people and new identities do to a living pool."""

from dataclasses import replace

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.reuse_pool.domain.dispatch import dispatch
from flyteplane.reuse_pool.domain.effects import Effect
from flyteplane.reuse_pool.domain.pool_state import PoolState
from flyteplane.reuse_pool.domain.replica import ReplicaState
from flyteplane.reuse_pool.domain.replica_events import drain_replica


def open_pool(pool: PoolState, *, now: float) -> list[Effect]:
    """Start the replicas that a new pool has from the beginning."""
    effects: list[Effect] = []
    dispatch(pool, effects, now=now)
    return effects


def drain(pool: PoolState, *, now: float) -> list[Effect]:
    """Finish what runs and let all replicas go. Attempts that wait, and those that come later, get new replicas."""
    effects: list[Effect] = []
    pool.closing = not pool.waiting
    for replica in list(pool.roster):
        drain_replica(pool, replica, effects, now=now)
    dispatch(pool, effects, now=now)
    return effects


def resize(pool: PoolState, *, min_replicas: int, max_replicas: int, now: float) -> list[Effect]:
    """Change the bounds. Replicas beyond the new most finish what they have.

    Raises InvalidArgument for bounds that contradict each other, or that would leave waiting attempts without a hope.
    """
    if max_replicas == 0:
        raise InvalidArgument(
            "max_replicas is 0: nothing that waits in the pool would ever run",
            field="max_replicas",
            limit="at least 1",
            mend="To let all replicas go, drain the pool: `flyte drain pool`.",
        )
    pool.policy = replace(pool.policy, min_replicas=min_replicas, max_replicas=max_replicas)
    effects: list[Effect] = []
    surplus = pool.roster.regular - max_replicas
    regular = [r for r in pool.roster if not r.overflow and r.state is not ReplicaState.DRAINING]
    regular.sort(key=lambda replica: len(replica.attempts))
    for replica in regular[: max(0, surplus)]:
        drain_replica(pool, replica, effects, now=now)
    dispatch(pool, effects, now=now)
    return effects


def supersede(pool: PoolState, *, now: float) -> list[Effect]:
    """A newer pool serves the environment: drain, and keep no replicas without need from now on."""
    pool.superseded = True
    return drain(pool, now=now)


def reinstate(pool: PoolState, *, now: float) -> list[Effect]:
    """The newer pools of the environment are gone: keep replicas as the policy says again."""
    pool.superseded = False
    return open_pool(pool, now=now)
