"""How many replicas to start, as arithmetic on figures of a pool."""

from flyteplane.reuse_pool.domain.backlog import Backlog
from flyteplane.reuse_pool.domain.policy import PoolPolicy
from flyteplane.reuse_pool.domain.roster import Roster


def regular_to_start(
    policy: PoolPolicy, roster: Roster, *, exclusive: Backlog, shared: Backlog, keep_least: bool
) -> int:
    """Regular replicas to start now: all that the backlog can use, up to the most that the policy allows."""
    room = policy.max_replicas - roster.regular
    if room <= 0:
        return 0
    needed = len(exclusive) + _replicas_for(len(shared), policy.concurrency) - roster.starting
    missing_least = policy.min_replicas - roster.regular if keep_least else 0
    return max(0, min(max(needed, missing_least), room))


def overflow_to_start(policy: PoolPolicy, roster: Roster, *, exclusive: Backlog, shared: Backlog, limit: int) -> int:
    """Overflow replicas to start now.

    An attempt that waits for a child lends its slot, so as many replicas may be at work as the policy allows, whatever
    the number of those that wait. Only attempts that somebody waits for are a reason.
    """
    lent = policy.max_replicas - roster.active - roster.starting - roster.idle
    if lent <= 0 or roster.regular < policy.max_replicas:
        return 0
    needed = exclusive.awaited + _replicas_for(shared.awaited, policy.concurrency) - roster.starting
    return max(0, min(needed, lent, limit - len(roster.overflow)))


def backoff_s(failures: int, *, base_s: float, cap_s: float) -> float:
    """The pause after so many failed starts in a row."""
    return min(cap_s, base_s * 2.0 ** min(failures - 1, 60))


def _replicas_for(attempts: int, concurrency: int) -> int:
    return -(-attempts // concurrency)
