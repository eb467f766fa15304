"""Going on with what an earlier life of the service has begun.

Replicas that outlive the service come back and say what they run. Until then a replica counts as one that starts, so
that no other is started in its place; if it stays away for longer than it may work without contact, it is given up.
"""

from flyteplane.reuse_pool.domain.attempt import Attempt
from flyteplane.reuse_pool.domain.pool_state import PoolState
from flyteplane.reuse_pool.domain.replica import Replica


def adopt(
    pool: PoolState, name: str, *, age_s: float, overflow: bool, warm: bool, draining: bool, now: float
) -> Replica:
    """Add a replica that an earlier life has started `age_s` ago.

    Args:
        warm: it has said Hello to that life; one that has not still starts, and runs nothing.
        draining: it was told to finish what it has.
    """
    replica = Replica(
        name=name,
        started_at=now - age_s,
        heard_at=now,
        idle_since=now,
        overflow=overflow,
        adopted=True,
        returning=warm,
        drain_when_back=draining,
    )
    pool.roster.add(replica)
    pool.due(now + pool.settings.lease_time_s + pool.settings.lease_margin_s)
    return replica


def seat(pool: PoolState, attempt: Attempt, replica: Replica) -> None:
    """An attempt goes on where it is, whatever room there is."""
    pool.graph.add(attempt)
    pool.live += 1
    pool.closing = False
    pool.seat(attempt, replica)
