"""What happens to attempts: they come, call, are answered, end, or are taken back by the scheduler."""

from flyteplane.reuse_pool.domain.attempt import Attempt, Stage
from flyteplane.reuse_pool.domain.dispatch import dispatch, place_at_once
from flyteplane.reuse_pool.domain.effects import Assign, Cancel, Effect, Forget, Refuse
from flyteplane.reuse_pool.domain.pool_state import NEVER, PoolState
from flyteplane.reuse_pool.domain.replica import ReplicaState
from flyteplane.reuse_pool.domain.replica_events import drain_replica


def place(pool: PoolState, attempt: Attempt, *, now: float) -> list[Effect]:
    """A new attempt asks for a slot: it gets one at once, waits, or is refused."""
    if pool.policy.max_replicas == 0:
        message = (
            "the pool has no replicas: replicas of the ReusePolicy is 0. Give it at least one, or call the task with "
            'override(reusable="off").'
        )
        return [Refuse(attempt, "POOL_WITHOUT_REPLICAS", message, retryable=False)]
    if pool.blame.is_quarantined(attempt.run, attempt.action):
        kills = pool.blame.kills(attempt.run, attempt.action)
        message = f"action {attempt.action} took {kills} replicas down with it; no replica is given to it again."
        return [Refuse(attempt, "QUARANTINED", message, retryable=False)]
    pool.graph.add(attempt)
    pool.live += 1
    pool.closing = False
    replica = place_at_once(pool, attempt)
    if replica is not None:
        pool.seat(attempt, replica)
        pool.placed_warm += 1
        return [Assign(attempt, replica)]
    pool.backlog_for(attempt).add(attempt)
    effects: list[Effect] = []
    dispatch(pool, effects, now=now)
    return effects


def called(pool: PoolState, attempt: Attempt, call: int, name: str, *, now: float) -> list[Effect]:
    """An attempt waits for a child from now on: it lends its slot. Saying it again changes nothing."""
    if call in attempt.calls or attempt.stage is not Stage.PLACED:
        return []
    begins_to_wait = not attempt.calls
    child = pool.graph.called(attempt, call, name)
    if begins_to_wait and attempt.replica is not None:
        attempt.replica.running -= 1
        pool.roster.settle(attempt.replica)
    if child is not None and child.pool == pool.name and child.stage is Stage.WAITING:
        pool.backlog_for(child).mark_awaited(child)
    effects: list[Effect] = []
    if pool.exclusive or pool.shared:
        dispatch(pool, effects, now=now)
    return effects


def answered(pool: PoolState, attempt: Attempt, call: int) -> None:
    """A child of the attempt has ended; an attempt that waits for no other is at work again."""
    was_open = pool.graph.answered(attempt, call)
    replica = attempt.replica
    if was_open and not attempt.calls and replica is not None and attempt.lease in replica.attempts:
        replica.running += 1
        pool.roster.settle(replica)


def ended(pool: PoolState, attempt: Attempt, *, now: float) -> list[Effect]:
    """The code of an attempt has ended: its slot is free, whether or not the end is durable yet."""
    effects: list[Effect] = []
    replica = attempt.replica
    if replica is None or attempt.stage not in (Stage.PLACED, Stage.STOPPING):
        return effects
    was_revoked = attempt.stage is Stage.STOPPING
    pool.unseat(attempt, now=now)
    pool.retire(attempt, Stage.OVER if was_revoked else Stage.ENDED, now=now)
    pool.blame.note_end(attempt)
    pool.failures = 0
    replica.done += 1
    if was_revoked:
        effects.append(Forget(attempt))
    else:
        replica.unacknowledged += 1
    if replica.done >= pool.settings.recycle_after_tasks and replica.state is ReplicaState.WARM:
        drain_replica(pool, replica, effects, now=now)
    if pool.exclusive or pool.shared or replica.state is ReplicaState.DRAINING:
        dispatch(pool, effects, now=now)
    return effects


def accepted(pool: PoolState, attempt: Attempt) -> None:
    """The scheduler has acknowledged the end of an attempt."""
    attempt.stage = Stage.OVER
    replica = attempt.replica
    if replica is not None:
        replica.unacknowledged -= 1
        if replica.state is ReplicaState.DRAINING:
            pool.due(replica.idle_since + pool.settings.drain_exit_s)


def revoke(pool: PoolState, attempt: Attempt, reason: str, *, grace_s: float | None, now: float) -> list[Effect]:
    """The scheduler wants no more of an attempt.

    One that runs is asked to stop, and its replica is killed if it has not ended after `grace_s` (None: never).
    """
    if attempt.stage is Stage.WAITING:
        pool.backlog_for(attempt).remove(attempt)
        pool.retire(attempt, Stage.OVER, now=now)
        effects: list[Effect] = [Forget(attempt)]
        dispatch(pool, effects, now=now)
        return effects
    if attempt.stage is Stage.ENDED:
        accepted(pool, attempt)
        return [Forget(attempt)]
    if attempt.stage is Stage.OVER or attempt.replica is None:
        return []
    _stop_by(pool, attempt, NEVER if grace_s is None else now + grace_s)
    if attempt.stage is Stage.STOPPING:
        return []
    attempt.stage = Stage.STOPPING
    if attempt.calls:
        # It stops waiting, runs its clean-up and so holds its slot again.
        pool.graph.calls_off(attempt)
        attempt.replica.running += 1
        pool.roster.settle(attempt.replica)
    return [Cancel(attempt, attempt.replica, reason)]


def _stop_by(pool: PoolState, attempt: Attempt, at: float) -> None:
    attempt.stop_by = min(attempt.stop_by, at)
    if attempt.stop_by < NEVER:
        pool.stopping[attempt.lease] = attempt
        pool.due(attempt.stop_by)
