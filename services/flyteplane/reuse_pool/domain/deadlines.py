"""What time alone brings about.

`tick` may be called at any time and does what is due; `PoolState.wake_at` says when it has to be called at the latest.
"""

from flyteplane.reuse_pool.domain.dispatch import dispatch
from flyteplane.reuse_pool.domain.effects import Effect, Stop
from flyteplane.reuse_pool.domain.pool_state import NEVER, PoolState
from flyteplane.reuse_pool.domain.replica import Replica, ReplicaState
from flyteplane.reuse_pool.domain.replica_events import drain_replica, give_up, start_failed


def tick(pool: PoolState, *, now: float) -> list[Effect]:
    """Do what is due, and note when something will be due next."""
    pool.wake_at = NEVER
    effects: list[Effect] = []
    _kill_where_attempts_do_not_stop(pool, effects, now=now)
    for replica in list(pool.roster):
        _look_at(pool, replica, effects, now=now)
    if not pool.live and not pool.closing and now >= pool.idle_since + pool.policy.idle_ttl_s:
        pool.closing = True
        for replica in list(pool.roster):
            drain_replica(pool, replica, effects, now=now)
    dispatch(pool, effects, now=now)
    _note_next(pool, now=now)
    return effects


def forgive(pool: PoolState, seconds: float) -> None:
    """The pool itself was away for so long: what it could not hear is held against nobody."""
    for replica in pool.roster:
        replica.heard_at += seconds


def _kill_where_attempts_do_not_stop(pool: PoolState, effects: list[Effect], *, now: float) -> None:
    late = [attempt for attempt in pool.stopping.values() if attempt.stop_by <= now]
    for attempt in late:
        replica = attempt.replica
        if replica is not None and attempt.lease in replica.attempts:
            message = f"was killed because the aborted action {attempt.action} did not stop in time"
            effects += give_up(pool, replica, "REPLICA_KILLED", message, now=now)


def _look_at(pool: PoolState, replica: Replica, effects: list[Effect], *, now: float) -> None:
    settings = pool.settings
    if replica.name not in pool.roster.by_name:
        return
    if replica.state is ReplicaState.STARTING and not replica.returning:
        if now >= replica.heard_at + settings.start_timeout_s:
            message = f"replica {replica.name} did not say Hello within {settings.start_timeout_s:g} s"
            effects.append(Stop(replica, 0.0, message))
            effects += start_failed(pool, replica, "REPLICA_START_TIMEOUT", message, permanent=False, now=now)
    elif now >= replica.heard_at + settings.lease_time_s + settings.lease_margin_s:
        message = f"has not been heard of for {now - replica.heard_at:.0f} s"
        effects += give_up(pool, replica, "REPLICA_LOST", message, now=now)
    elif replica.returning:
        return
    elif replica.state is ReplicaState.DRAINING:
        if replica.empty and now >= replica.idle_since + settings.drain_exit_s:
            pool.roster.remove(replica)
            effects.append(Stop(replica, settings.stop_grace_s, "has drained and did not exit"))
    elif _superfluous(pool, replica, now=now) or now >= replica.started_at + settings.recycle_after_s:
        drain_replica(pool, replica, effects, now=now)


def _superfluous(pool: PoolState, replica: Replica, *, now: float) -> bool:
    if not replica.idle:
        return False
    if replica.overflow:
        return now >= replica.idle_since + pool.settings.overflow_idle_s
    least = pool.policy.min_replicas if pool.keeps_least else 0
    return pool.roster.regular > least and now >= replica.idle_since + pool.policy.scaledown_ttl_s


def _note_next(pool: PoolState, *, now: float) -> None:
    if not pool.live and not pool.closing:
        pool.due(pool.idle_since + pool.policy.idle_ttl_s)
    for attempt in pool.stopping.values():
        pool.due(attempt.stop_by)
    for replica in pool.roster:
        if replica.state is ReplicaState.STARTING and not replica.returning:
            pool.due(replica.heard_at + pool.settings.start_timeout_s)
        else:
            _note_next_of(pool, replica, now=now)


def _note_next_of(pool: PoolState, replica: Replica, *, now: float) -> None:
    settings = pool.settings
    pool.due(replica.heard_at + settings.lease_time_s + settings.lease_margin_s)
    if replica.returning:
        return
    if replica.state is ReplicaState.DRAINING:
        if replica.empty:
            pool.due(replica.idle_since + settings.drain_exit_s)
        return
    pool.due(replica.started_at + settings.recycle_after_s)
    if replica.idle:
        idle_s = settings.overflow_idle_s if replica.overflow else pool.policy.scaledown_ttl_s
        # One that is idle for longer is kept by min_replicas: nothing will be due for its sake.
        if replica.idle_since + idle_s > now:
            pool.due(replica.idle_since + idle_s)
