"""Whose turn it is among pools whose tasks wait for each other.

One pool keeps the trees of its tasks narrow by itself: overflow replicas go to the youngest attempt that is waited
for, which is the deepest of its tree. A tree that leads through several pools has its next level in another one each
time, so each would run all siblings before the others have come to their children, and all would be full of tasks that
wait. Once a pool has used a quarter of its overflow replicas it therefore holds back what is older than something
that waits elsewhere. It is woken when that has changed, as is a pool that stands still for good unless another gets on.
"""

from typing import TYPE_CHECKING

from flyteplane.reuse_pool.domain.attempt import Attempt

if TYPE_CHECKING:
    from flyteplane.reuse_pool.domain.pool_state import PoolState


class Turns:
    """The pools of a service in which attempts wait that are waited for."""

    __slots__ = ("_held_back", "_needy", "_stuck")

    def __init__(self) -> None:
        self._needy: dict[str, PoolState] = {}
        self._held_back: dict[str, PoolState] = {}
        self._stuck: dict[str, PoolState] = {}

    def is_stuck(self, name: str) -> bool:
        """Whether every slot of a pool is held by an attempt that waits, with no further slot to come."""
        return name in self._stuck

    def note(self, pool: "PoolState", *, stuck: bool, needy: bool) -> bool:
        """Note how a pool is after an event. Returns whether it is stuck and was not before."""
        newly_stuck = stuck and pool.name not in self._stuck
        for noted, holds in ((self._stuck, stuck), (self._needy, needy)):
            if holds:
                noted[pool.name] = pool
            else:
                noted.pop(pool.name, None)
        return newly_stuck

    def forget(self, name: str) -> None:
        """A pool is gone."""
        for noted in (self._stuck, self._needy, self._held_back):
            noted.pop(name, None)

    def hold_back(self, pool: "PoolState") -> None:
        """A pool waits for what the others do."""
        self._held_back[pool.name] = pool

    def wake_others(self, pool: "PoolState", *, now: float) -> bool:
        """Something is due in the pools that wait for this one. Returns whether there are any."""
        others = [other for other in (*self._held_back.values(), *self._stuck.values()) if other is not pool]
        self._held_back.clear()
        for other in others:
            other.due(now)
        return bool(others)

    def is_next(self, attempt: Attempt) -> bool:
        """Whether nothing of the attempt's run that is younger waits in a pool that could serve it."""
        for pool in self._needy.values():
            if pool.name == attempt.pool or pool.name in self._stuck or pool.failures:
                continue
            for backlog in (pool.exclusive, pool.shared):
                youngest = backlog.youngest_awaited(attempt.run)
                if youngest is not None and youngest.lease > attempt.lease:
                    return False
        return True
