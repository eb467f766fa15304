"""Bringing waiting attempts and replicas together. Called after every event that adds an attempt or frees a slot.

Free slots go to the backlog by age and turn; replicas are started for what is left. When every slot is held by an
attempt that waits for children, the pool must not stand still: overflow replicas are started for attempts that are
waited for, the deepest of a tree first, in one pool and (see `turns`) among several. If the last overflow replica waits
too, and nothing outside can end any of these waits, one attempt is refused with the reason.
"""

from collections.abc import Callable

from flyteplane.reuse_pool.domain.attempt import Attempt, Stage
from flyteplane.reuse_pool.domain.backlog import Backlog
from flyteplane.reuse_pool.domain.effects import Assign, Effect, Recheck, Refuse, Start
from flyteplane.reuse_pool.domain.pool_state import NEVER, PoolState
from flyteplane.reuse_pool.domain.replica import Replica, ReplicaState
from flyteplane.reuse_pool.domain.scaling import overflow_to_start, regular_to_start


def place_at_once(pool: PoolState, attempt: Attempt) -> Replica | None:
    """The replica that takes a new attempt now, or None if it has to wait."""
    if attempt.exclusive:
        return None if pool.exclusive else pool.roster.choose_idle()
    return None if pool.shared or pool.exclusive else pool.roster.choose_shared()


def dispatch(pool: PoolState, effects: list[Effect], *, now: float) -> None:
    """Fill free slots, start what is missing, and see to it that the pool does not stand still."""
    roster = pool.roster
    room = roster.regular < pool.policy.max_replicas
    if room and roster.overflow:
        _promote(pool)
    if pool.exclusive or pool.shared:
        _serve(pool, effects)
        if (roster.overflow or pool.reserved is not None) and pool.awaited:
            _serve_awaited(pool, effects)
    if pool.reserved is not None and _reserved_in_vain(pool):
        _end_reservation(pool)
        _serve(pool, effects)
    if room or (not roster.idle and pool.awaited):
        _start_missing(pool, effects, now=now)
    if roster.sharing and pool.exclusive and pool.reserved is None:
        _reserve(pool)
    if pool.at_standstill or not roster.active:
        _see_to_progress(pool, effects, now=now)
    _tell_other_pools(pool, effects, now=now)


def _promote(pool: PoolState) -> None:
    """Overflow replicas take the places of regular ones that are gone."""
    missing = pool.policy.max_replicas - pool.roster.regular
    for replica in list(pool.roster.overflow)[:missing]:
        pool.roster.promote(replica)


def _start_missing(pool: PoolState, effects: list[Effect], *, now: float) -> None:
    """Start the replicas that the backlog and the policy ask for, unless starting just failed."""
    exclusive, shared, roster = pool.exclusive, pool.shared, pool.roster
    regular = regular_to_start(pool.policy, roster, exclusive=exclusive, shared=shared, keep_least=pool.keeps_least)
    overflow = overflow_to_start(
        pool.policy, roster, exclusive=exclusive, shared=shared, limit=pool.settings.overflow_limit
    )
    if overflow and pool.is_frugal and not _somebody_is_next(pool):
        pool.graph.turns.hold_back(pool)
        overflow = 0
    if not regular and not overflow:
        return
    if now < pool.start_not_before:
        pool.due(pool.start_not_before)
        return
    kinds = [False] * regular + [True] * overflow
    effects.extend(Start(pool.new_replica(now=now, overflow=kind)) for kind in kinds)


def _serve(pool: PoolState, effects: list[Effect]) -> None:
    """Free slots of regular replicas go to the oldest attempts that fit."""
    roster = pool.roster
    while pool.exclusive and roster.idle and _exclusive_is_next(pool):
        _give(pool, pool.exclusive.take_oldest(), roster.choose_idle(), effects)
    while pool.shared and (replica := roster.choose_shared()) is not None:
        if replica.idle and pool.exclusive and _exclusive_is_next(pool):
            _give(pool, pool.exclusive.take_oldest(), replica, effects)
        else:
            _give(pool, pool.shared.take_oldest(), replica, effects)
    while pool.exclusive and roster.idle:
        _give(pool, pool.exclusive.take_oldest(), roster.choose_idle(), effects)


def _exclusive_is_next(pool: PoolState) -> bool:
    if pool.reserved is not None and pool.reserved.idle:
        return True
    exclusive, shared = pool.exclusive.oldest(), pool.shared.oldest()
    return shared is None or (exclusive is not None and exclusive.lease < shared.lease)


def _serve_awaited(pool: PoolState, effects: list[Effect]) -> None:
    """Slots of overflow replicas, and of one that is being emptied, go to attempts that somebody waits for."""
    for replica in (*pool.roster.overflow, *((pool.reserved,) if pool.reserved is not None else ())):
        may = _is_next(pool) if replica.overflow else _anything
        while (backlog := _awaited_for(pool, replica)) is not None:
            attempt = backlog.take_awaited(may)
            if attempt is None:
                pool.graph.turns.hold_back(pool)
                break
            _give(pool, attempt, replica, effects)


def _awaited_for(pool: PoolState, replica: Replica) -> Backlog | None:
    """From where an overflow replica takes its next attempt. No more replicas work at once than the policy allows."""
    if replica.state is not ReplicaState.WARM:
        return None
    if replica.overflow and not replica.running and pool.roster.active >= pool.policy.max_replicas:
        return None
    if replica.idle and pool.exclusive.awaited:
        return pool.exclusive
    if pool.shared.awaited and pool.roster.has_room(replica):
        return pool.shared
    return None


def _anything(_: Attempt) -> bool:
    return True


def _is_next(pool: PoolState) -> Callable[[Attempt], bool]:
    """What may be given an overflow replica: anything, until there are so many that other pools have to be minded."""
    return pool.graph.turns.is_next if pool.is_frugal else _anything


def _somebody_is_next(pool: PoolState) -> bool:
    may = _is_next(pool)
    return any(backlog.next_awaited(may) is not None for backlog in (pool.exclusive, pool.shared))


def _give(pool: PoolState, attempt: Attempt | None, replica: Replica | None, effects: list[Effect]) -> None:
    assert attempt is not None
    assert replica is not None
    pool.seat(attempt, replica)
    effects.append(Assign(attempt, replica))


def _reserve(pool: PoolState) -> None:
    """Empty one replica for exclusive attempts that would otherwise wait behind an endless flow of shared ones."""
    if pool.roster.starting or pool.roster.regular < pool.policy.max_replicas:
        return
    candidates = [r for r in pool.roster if r.state is ReplicaState.WARM and not r.overflow and not r.exclusive]
    if candidates:
        pool.reserved = min(candidates, key=lambda replica: len(replica.attempts))
        pool.reserved.reserved = True
        pool.roster.settle(pool.reserved)


def _reserved_in_vain(pool: PoolState) -> bool:
    reserved = pool.reserved
    return reserved is None or not pool.exclusive or reserved.exclusive or reserved.state is not ReplicaState.WARM


def _end_reservation(pool: PoolState) -> None:
    if pool.reserved is not None:
        pool.reserved.reserved = False
        pool.roster.settle(pool.reserved)
        pool.reserved = None


def _see_to_progress(pool: PoolState, effects: list[Effect], *, now: float) -> None:
    """Presume or refuse, when every slot is held by an attempt that waits."""
    roster = pool.roster
    pool.at_standstill = bool(
        (pool.exclusive or pool.shared)
        and not roster.active
        and not roster.starting
        and roster.regular >= pool.policy.max_replicas
    )
    pool.stuck = pool.at_standstill and len(roster.overflow) >= pool.settings.overflow_limit
    if not pool.at_standstill:
        pool.stalled_since = NEVER
    elif pool.stuck:
        _tell_other_pools(pool, effects, now=now)
        if pool.awaited:
            _break_circle(pool, effects, now=now)
    elif not pool.awaited:
        _presume(pool, effects, now=now)


def _tell_other_pools(pool: PoolState, effects: list[Effect], *, now: float) -> None:
    """Other pools may wait for what has left the backlog, or for this pool to be stuck as they are."""
    turns, served = pool.graph.turns, pool.exclusive.served + pool.shared.served
    newly_stuck = turns.note(pool, stuck=pool.stuck, needy=pool.awaited > 0)
    if newly_stuck or served != pool.served:
        pool.served = served
        if turns.wake_others(pool, now=now):
            effects.append(Recheck(now))


def _presume(pool: PoolState, effects: list[Effect], *, now: float) -> None:
    """After a while, take it that a slot's holder waits for the youngest attempt, by ways that the pool cannot see."""
    if pool.stalled_since == NEVER:
        pool.stalled_since = now
    settings = pool.settings
    patience = min(settings.stall_cap_s, settings.stall_s * 2.0 ** len(pool.roster.overflow))
    if now < pool.stalled_since + patience:
        pool.due(pool.stalled_since + patience)
        return
    pool.stalled_since = NEVER
    waiting = [attempt for attempt in (pool.exclusive.youngest(), pool.shared.youngest()) if attempt is not None]
    youngest = max(waiting, key=lambda attempt: attempt.lease)
    pool.backlog_for(youngest).mark_awaited(youngest)
    _serve_awaited(pool, effects)
    _start_missing(pool, effects, now=now)


def _break_circle(pool: PoolState, effects: list[Effect], *, now: float) -> None:
    """Refuse the youngest attempt that is waited for, if none of those that wait can get on."""
    for replica in pool.roster:
        if any(pool.graph.can_progress(attempt) for attempt in replica.attempts.values()):
            return
    attempt = pool.exclusive.take_awaited() or pool.shared.take_awaited()
    if attempt is None:
        return
    message = (
        f"all {pool.policy.max_replicas} replicas and {pool.settings.overflow_limit} overflow replicas of the pool are "
        "held by tasks that wait for children of the same pool. Raise replicas of the ReusePolicy, make the waiting "
        "tasks async, or give their environment no ReusePolicy."
    )
    pool.deadlocks_refused += 1
    effects.append(Refuse(attempt, "POOL_DEADLOCK", message, retryable=False))
    pool.retire(attempt, Stage.OVER, now=now)
