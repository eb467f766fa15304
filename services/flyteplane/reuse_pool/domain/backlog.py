"""Attempts that wait for a slot, in the order in which they will get one.

Runs take turns, so that a run with a thousand waiting attempts does not hold up one with a single attempt; inside a
run the oldest is first. Overflow replicas are for attempts that others wait for, and take the youngest of them: the
youngest is the deepest of its tree, so that few replicas carry a tree of any width to its leaves and back.

Every operation takes constant time, whatever waits.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from flyteplane.reuse_pool.domain.attempt import Attempt


@dataclass(slots=True)
class _Lane:
    """What waits of one run."""

    all: "OrderedDict[int, Attempt]" = field(default_factory=OrderedDict)
    awaited: "OrderedDict[int, Attempt]" = field(default_factory=OrderedDict)


class Backlog:
    """The waiting attempts of one kind."""

    __slots__ = ("_awaited", "_awaited_lanes", "_count", "_lanes", "served")

    def __init__(self) -> None:
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._awaited_lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._count = 0
        self._awaited = 0
        self.served = 0
        """How many that somebody waited for have left."""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Attempt]:
        for lane in self._lanes.values():
            yield from lane.all.values()

    @property
    def awaited(self) -> int:
        """How many of them somebody waits for."""
        return self._awaited

    def add(self, attempt: Attempt) -> None:
        """Put an attempt at the end of its run's line."""
        lane = self._lanes.get(attempt.run)
        if lane is None:
            lane = self._lanes[attempt.run] = _Lane()
        lane.all[attempt.lease] = attempt
        self._count += 1
        if attempt.awaited:
            self._note_awaited(attempt, lane)

    def mark_awaited(self, attempt: Attempt) -> None:
        """Note that somebody waits for a waiting attempt."""
        if not attempt.awaited:
            attempt.awaited = True
            self._note_awaited(attempt, self._lanes[attempt.run])

    def remove(self, attempt: Attempt) -> None:
        """Take out an attempt that is in here."""
        lane = self._lanes[attempt.run]
        del lane.all[attempt.lease]
        self._count -= 1
        if attempt.awaited:
            del lane.awaited[attempt.lease]
            self._awaited -= 1
            self.served += 1
            if not lane.awaited:
                del self._awaited_lanes[attempt.run]
        if not lane.all:
            del self._lanes[attempt.run]

    def oldest(self) -> Attempt | None:
        """The attempt that is next by turn and age."""
        for lane in self._lanes.values():
            return next(iter(lane.all.values()))
        return None

    def take_oldest(self) -> Attempt:
        """Take out the attempt that is next; its run goes to the end of the turn. Raises IndexError when empty."""
        attempt = self.oldest()
        if attempt is None:
            raise IndexError("nothing waits")
        self.remove(attempt)
        if attempt.run in self._lanes:
            self._lanes.move_to_end(attempt.run)
        return attempt

    def youngest_awaited(self, run: str) -> Attempt | None:
        """The youngest attempt of a run that somebody waits for."""
        lane = self._awaited_lanes.get(run)
        return next(reversed(lane.awaited.values())) if lane is not None else None

    def next_awaited(self, may: Callable[[Attempt], bool]) -> Attempt | None:
        """The youngest attempt that somebody waits for, of the first run in turn whose youngest may be taken."""
        for lane in self._awaited_lanes.values():
            attempt = next(reversed(lane.awaited.values()))
            if may(attempt):
                return attempt
        return None

    def take_awaited(self, may: Callable[[Attempt], bool] = lambda _: True) -> Attempt | None:
        """Take out the same; its run goes to the end of the turn."""
        attempt = self.next_awaited(may)
        if attempt is not None:
            self.remove(attempt)
            if attempt.run in self._awaited_lanes:
                self._awaited_lanes.move_to_end(attempt.run)
        return attempt

    def youngest(self) -> Attempt | None:
        """The attempt that came last of all runs. Looks at one attempt of each run."""
        return max((next(reversed(lane.all.values())) for lane in self._lanes.values()), key=_lease, default=None)

    def _note_awaited(self, attempt: Attempt, lane: _Lane) -> None:
        lane.awaited[attempt.lease] = attempt
        self._awaited += 1
        if attempt.run not in self._awaited_lanes:
            self._awaited_lanes[attempt.run] = lane


def _lease(attempt: Attempt) -> int:
    return attempt.lease
