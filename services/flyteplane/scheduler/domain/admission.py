"""Who may run next: lanes that are fair between runs, and the room of this machine.

Deterministic and in memory; what waits is derived from the stored actions and is rebuilt from them after a restart.
Admitting one action costs the same whatever the number that wait. A lane keeps the order of its run; lanes take
turns, so that a run with 100,000 actions delays another by one action and not by all of them. Room is not set aside:
an action that needs much of it may be passed by smaller ones of other runs for as long as these keep coming.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one attempt occupies while it runs."""

    cpu_millis: int
    memory_bytes: int = 0


@dataclass(slots=True)
class Room:
    """Cpu and memory of a cluster; a capacity of 0 means that it is not limited here.

    Cpu can be shared, so an attempt that asks for more of it than there is gets the whole of it alone. Memory cannot:
    `never_fits` says so before such an attempt is accepted. A parent that waits for its children lends its room,
    which is why `used` may pass the capacity for the time that it takes to give it back.
    """

    cpu_millis: int = 0
    memory_bytes: int = 0
    used_cpu: int = 0
    used_memory: int = 0

    def never_fits(self, demand: Demand) -> bool:
        """True for a demand that even an empty cluster cannot meet."""
        return bool(self.memory_bytes) and demand.memory_bytes > self.memory_bytes

    def fits(self, demand: Demand) -> bool:
        """True if the demand can be met now."""
        cpu = not self.cpu_millis or not self.used_cpu or self.used_cpu + demand.cpu_millis <= self.cpu_millis
        memory = not self.memory_bytes or self.used_memory + demand.memory_bytes <= self.memory_bytes
        return cpu and memory

    def take(self, demand: Demand) -> None:
        """Occupies the demand."""
        self.used_cpu += demand.cpu_millis
        self.used_memory += demand.memory_bytes

    def give_back(self, demand: Demand) -> None:
        """Frees the demand."""
        self.used_cpu -= demand.cpu_millis
        self.used_memory -= demand.memory_bytes


@dataclass(slots=True)
class Lanes(Generic[T]):
    """Waiting items, one lane a run, served in turn."""

    _lanes: "OrderedDict[Hashable, deque[T]]" = field(default_factory=OrderedDict)
    _size: int = 0

    def __len__(self) -> int:
        return self._size

    def push(self, lane: Hashable, item: T) -> None:
        """Adds an item at the end of its lane."""
        waiting = self._lanes.get(lane)
        if waiting is None:
            waiting = self._lanes[lane] = deque()
        waiting.append(item)
        self._size += 1

    def admit(self, wanted: Callable[[T], bool], fits: Callable[[T], bool]) -> Iterator[T]:
        """Takes items in turn until no lane's head fits. Items that are not wanted any more are dropped on the way.

        The caller occupies the room of an item before it asks for the next one. Room only gets less meanwhile, so that
        a lane whose head did not fit is not asked again; it is the first to be asked the next time.
        """
        blocked: list[tuple[Hashable, deque[T]]] = []
        try:
            while self._lanes:
                lane, waiting = self._lanes.popitem(last=False)
                item = self._head(waiting, wanted)
                if item is None:
                    continue
                if not fits(item):
                    blocked.append((lane, waiting))
                    continue
                waiting.popleft()
                self._size -= 1
                if waiting:
                    self._lanes[lane] = waiting
                yield item
        finally:
            for lane, waiting in reversed(blocked):
                self._put_first(lane, waiting)

    def _put_first(self, lane: Hashable, waiting: deque[T]) -> None:
        waiting.extend(self._lanes.get(lane, ()))
        self._lanes[lane] = waiting
        self._lanes.move_to_end(lane, last=False)

    def _head(self, waiting: deque[T], wanted: Callable[[T], bool]) -> T | None:
        while waiting:
            if wanted(waiting[0]):
                return waiting[0]
            waiting.popleft()
            self._size -= 1
        return None
