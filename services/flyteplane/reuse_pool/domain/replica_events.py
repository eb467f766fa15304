"""What happens to replicas: they say Hello, live, drain, fail to start, end, or are given up."""

from collections.abc import Collection

from flyteplane.reuse_pool.domain.attempt import Attempt, Stage
from flyteplane.reuse_pool.domain.blame import culprit_of
from flyteplane.reuse_pool.domain.dispatch import dispatch
from flyteplane.reuse_pool.domain.effects import Assign, Cancel, Drain, Effect, Forget, Lose, Refuse, Stop
from flyteplane.reuse_pool.domain.pool_state import NEVER, PoolState
from flyteplane.reuse_pool.domain.replica import Replica, ReplicaEnd, ReplicaState
from flyteplane.reuse_pool.domain.scaling import backoff_s


def hello(pool: PoolState, replica: Replica, running: Collection[int], *, now: float) -> list[Effect]:
    """A replica can be given work, or has come back after a break with the leases that it still runs."""
    replica.heard_at = now
    if replica.state is not ReplicaState.STARTING:
        return _come_back(pool, replica, running, now=now)
    # One that dies before it has worked counts as a failed start as well, so failures are counted on until one has.
    pool.trouble = ""
    pool.start_not_before = -NEVER
    replica.idle_since = now
    replica.returning = False
    pool.roster.set_state(replica, ReplicaState.WARM)
    watch_replica(pool, replica)
    effects: list[Effect] = []
    if replica.drain_when_back:
        drain_replica(pool, replica, effects, now=now)
    dispatch(pool, effects, now=now)
    return effects


def _come_back(pool: PoolState, replica: Replica, running: Collection[int], *, now: float) -> list[Effect]:
    """What was sent into a break may never have arrived. A replica ignores an Assign under a lease that it knows."""
    effects: list[Effect] = []
    for attempt in list(replica.attempts.values()):
        if attempt.stage is Stage.PLACED and attempt.lease not in running:
            effects.append(Assign(attempt, replica))
        elif attempt.stage is Stage.STOPPING and attempt.lease in running:
            effects.append(Cancel(attempt, replica, "the scheduler took the attempt back"))
        elif attempt.stage is Stage.STOPPING:
            pool.unseat(attempt, now=now)
            pool.retire(attempt, Stage.OVER, now=now)
            effects.append(Forget(attempt))
    if replica.state is ReplicaState.DRAINING:
        effects.append(Drain(replica))
    dispatch(pool, effects, now=now)
    return effects


def heartbeat(pool: PoolState, replica: Replica, resident_bytes: int, *, now: float) -> list[Effect]:
    """A replica lives, and says how large it is."""
    replica.resident_bytes = resident_bytes
    effects: list[Effect] = []
    limit = pool.settings.recycle_above_bytes
    if limit and resident_bytes > limit and replica.state is ReplicaState.WARM:
        drain_replica(pool, replica, effects, now=now)
        dispatch(pool, effects, now=now)
    return effects


def start_failed(
    pool: PoolState, replica: Replica, reason: str, message: str, *, permanent: bool, now: float
) -> list[Effect]:
    """A replica could not be started. `permanent`: trying again is of no use."""
    pool.roster.remove(replica)
    # Replicas that were started together and fail together count as one failure.
    if replica.started_at > pool.failed_at:
        pool.failures += 1
        pool.failed_at = now
    pool.trouble = message
    pause = backoff_s(pool.failures, base_s=pool.settings.start_backoff_s, cap_s=pool.settings.start_backoff_cap_s)
    pool.start_not_before = now + pause
    pool.due(pool.start_not_before)
    effects: list[Effect] = []
    warm = pool.roster.accepting - pool.roster.starting
    if permanent or (pool.failures >= pool.settings.failed_starts and not warm):
        text = f"replicas of the pool cannot be started: {message}"
        _refuse_waiting(pool, effects, reason, text, retryable=not permanent, now=now)
    dispatch(pool, effects, now=now)
    return effects


def waits_for_room(pool: PoolState, replica: Replica, why: str) -> None:
    """Its cluster has no place for a replica that starts, or cannot be asked: it may wait for as long as that lasts."""
    if replica.state is ReplicaState.STARTING and not replica.returning:
        replica.heard_at = NEVER
        pool.trouble = why


def has_place(pool: PoolState, replica: Replica, *, now: float, trouble: str = "") -> None:
    """A replica that starts has a place, and from now on its time to say Hello; `trouble` keeps it from that."""
    if replica.state is ReplicaState.STARTING and not replica.returning:
        if trouble or replica.heard_at == NEVER:
            pool.trouble = trouble
        replica.heard_at = now
        pool.due(now + pool.settings.start_timeout_s)


def exited(pool: PoolState, replica: Replica, end: ReplicaEnd, *, now: float) -> list[Effect]:
    """A replica has ended without having been given up before."""
    starting = replica.state is ReplicaState.STARTING and not replica.returning
    warm = replica.state is ReplicaState.WARM
    if starting or (warm and _never_worked(replica) and not end.taken_away):
        message, reason = f"replica {replica.name} {end.describe()}", end.reason or "REPLICA_START_FAILED"
        return start_failed(pool, replica, reason, message, permanent=end.for_good, now=now)
    if replica.attempts or replica.state is not ReplicaState.DRAINING:
        pool.replicas_lost += 1
    culprit = culprit_of(list(replica.attempts.values()), end)
    if culprit is None and end.known and not end.taken_away:
        pool.blame.note_suspects([attempt for attempt in replica.attempts.values() if not attempt.calls])
    crashed = "REPLICA_CRASHED" if end.known else "REPLICA_LOST"
    reason = "OUT_OF_MEMORY" if end.out_of_memory else end.reason or crashed
    effects: list[Effect] = []
    _lose_all(pool, replica, reason, end, culprit, effects, now=now)
    dispatch(pool, effects, now=now)
    return effects


def give_up(pool: PoolState, replica: Replica, reason: str, message: str, *, now: float) -> list[Effect]:
    """A replica is killed by the pool itself; none of its attempts is to blame."""
    pool.replicas_lost += 1
    effects: list[Effect] = [Stop(replica, 0.0, message)]
    _lose_all(pool, replica, reason, ReplicaEnd(known=False, message=message), None, effects, now=now)
    dispatch(pool, effects, now=now)
    return effects


def drain_replica(pool: PoolState, replica: Replica, effects: list[Effect], *, now: float) -> None:
    """Give a replica nothing new; it exits when it has finished. One that has not started yet is stopped; one that is
    to come back may have something to finish."""
    if replica.returning:
        replica.drain_when_back = True
    elif replica.state is ReplicaState.STARTING:
        pool.roster.remove(replica)
        effects.append(Stop(replica, 0.0, "not needed any more"))
    elif replica.state is ReplicaState.WARM:
        pool.roster.set_state(replica, ReplicaState.DRAINING)
        replica.idle_since = now
        pool.due(now + pool.settings.drain_exit_s)
        effects.append(Drain(replica))


def watch_replica(pool: PoolState, replica: Replica) -> None:
    """Note the times at which a warm replica has to be looked at."""
    pool.due(replica.heard_at + pool.settings.lease_time_s + pool.settings.lease_margin_s)
    pool.due(replica.idle_since + (pool.settings.overflow_idle_s if replica.overflow else pool.policy.scaledown_ttl_s))
    pool.due(replica.started_at + pool.settings.recycle_after_s)


def _never_worked(replica: Replica) -> bool:
    return replica.empty and not replica.done and not replica.adopted


def _lose_all(
    pool: PoolState,
    replica: Replica,
    reason: str,
    end: ReplicaEnd,
    culprit: Attempt | None,
    effects: list[Effect],
    *,
    now: float,
) -> None:
    for attempt in list(replica.attempts.values()):
        was_revoked = attempt.stage is Stage.STOPPING
        pool.unseat(attempt, now=now)
        pool.retire(attempt, Stage.OVER, now=now)
        quarantined = attempt is culprit and pool.blame.note_kill(attempt)
        if was_revoked:
            effects.append(Forget(attempt))
            continue
        message = f"replica {replica.name} {end.describe()}"
        if quarantined:
            kills = pool.blame.kills(attempt.run, attempt.action)
            message += f". This action has taken {kills} replicas down, so no other is given to it."
        effects.append(
            Lose(
                attempt,
                "QUARANTINED" if quarantined else reason,
                message,
                culprit=attempt is culprit,
                exit_code=end.exit_code,
                signal=end.signal,
            )
        )
    replica.unacknowledged = 0
    pool.roster.remove(replica)
    if pool.reserved is replica:
        pool.reserved = None


def _refuse_waiting(
    pool: PoolState, effects: list[Effect], reason: str, message: str, *, retryable: bool, now: float
) -> None:
    for backlog in (pool.exclusive, pool.shared):
        while backlog:
            attempt = backlog.take_oldest()
            pool.retire(attempt, Stage.OVER, now=now)
            effects.append(Refuse(attempt, reason, message, retryable))
