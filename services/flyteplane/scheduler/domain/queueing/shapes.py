"""A shape: all that waits for the same room, whatever the queue.

Whether there is room is one question for a shape and not one for each item. A shape without room is blocked: it is not
looked at again before one of the rooms that it waits for got freer.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final, NamedTuple

from flyteplane.scheduler.domain.queueing.classes import Demand
from flyteplane.scheduler.domain.queueing.fair_ring import sweep

if TYPE_CHECKING:
    from flyteplane.scheduler.domain.queueing.lanes import Key, Lane
    from flyteplane.scheduler.domain.queueing.rooms import Room

NEVER: Final = float("inf")
_LEAST_TO_SWEEP: Final = 128


class ShapeKey(NamedTuple):
    """What makes a shape: class and clusters by name."""

    demand: Demand
    resource_class: str
    """Empty: none fits."""
    clusters: tuple[str, ...]
    """Where it may run, in the operator's order."""
    needs_room: bool


class Agenda:
    """The shapes of which something may be admitted, by the best key of their lanes."""

    __slots__ = ("_heap", "_sweep_above")

    def __init__(self) -> None:
        self._sweep_above = _LEAST_TO_SWEEP
        self._heap: list[tuple[Key, Shape]] = []

    def __bool__(self) -> bool:
        return bool(self._heap)

    def list(self, shape: Shape, key: Key) -> None:
        """The shape takes part with this key, which is less than any it takes part with."""
        shape.listed = key
        heappush(self._heap, (key, shape))
        if len(self._heap) > self._sweep_above:
            sweep(self._heap, living=0, current=_is_current)
            self._sweep_above = 2 * len(self._heap) + _LEAST_TO_SWEEP

    def front(self) -> Lane | None:
        """The lane that comes before all others and is not known to be blocked."""
        heap = self._heap
        while heap:
            key, shape = heap[0]
            if shape.listed != key:
                heappop(heap)
                continue
            lane = None if shape.waits_for is not None else shape.front()
            if lane is None:
                heappop(heap)
                shape.listed = None
            elif lane.listed != key:
                shape.listed = lane.listed
                assert lane.listed is not None
                heapreplace(heap, (lane.listed, shape))
            else:
                return lane
        return None


def _is_current(entry: tuple[Key, Shape]) -> bool:
    return entry[1].listed == entry[0]


class Shape:
    """The lanes of one shape by key, and what the shape waits for."""

    __slots__ = (
        "_agenda",
        "_lanes",
        "blocked_at",
        "clusters",
        "key",
        "lanes",
        "listed",
        "number",
        "reserves",
        "resource_class",
        "waits_for",
    )

    def __init__(
        self, key: ShapeKey, *, number: int, resource_class: Room | None, clusters: tuple[Room, ...], agenda: Agenda
    ) -> None:
        self.key = key
        self.number = number
        self.resource_class = resource_class
        self.clusters = clusters
        self.lanes = 0
        """Lanes that exist."""
        self.listed: Key | None = None
        self.waits_for: tuple[Room, ...] | None = None
        """Rooms without whose freeing it cannot run; None: it is not blocked."""
        self.blocked_at = NEVER
        """When it was first blocked after it was last admitted."""
        self.reserves: list[Room] = []
        self._lanes: list[tuple[Key, Lane]] = []
        self._agenda = agenda

    def __lt__(self, other: Shape) -> bool:
        return self.number < other.number

    @property
    def demand(self) -> Demand:
        """What one attempt of it occupies."""
        return self.key.demand

    def goes_before(self, other: Shape) -> bool:
        """True if it has waited for room longer than the other."""
        return (self.blocked_at, self.number) < (other.blocked_at, other.number)

    def list(self, lane: Lane, key: Key) -> None:
        """The lane takes part with this key, which is less than any it takes part with."""
        lane.listed = key
        heappush(self._lanes, (key, lane))
        sweep(self._lanes, living=self.lanes, current=_is_listed)
        if self.waits_for is None and (self.listed is None or key < self.listed):
            self._agenda.list(self, key)

    def front(self) -> Lane | None:
        """The lane that comes first of those that their queues let run."""
        lanes = self._lanes
        while lanes:
            listed, lane = lanes[0]
            if lane.listed != listed:
                heappop(lanes)
            elif lane.closed:
                heappop(lanes)
                lane.listed = None
                lane.queue.send_to_sleep(lane)
            elif (key := lane.key()) is None:
                heappop(lanes)
                lane.listed = None
            elif key != listed:
                lane.listed = key
                heapreplace(lanes, (key, lane))
            else:
                return lane
        return None

    def find_room(self) -> tuple[Room, ...] | Room | None:
        """The cluster with the most free room; the rooms to wait for if there is none; None if it needs no room."""
        if not self.key.needs_room:
            return None
        quota = self.resource_class
        if quota is None:
            return ()
        if not quota.offers(self):
            return (quota,)
        best: Room | None = None
        for room in self.clusters:
            if room.reachable and room.offers(self) and (best is None or room.freeness < best.freeness):
                best = room
        return self.clusters if best is None else best

    def block(self, rooms: tuple[Room, ...], *, now: float) -> None:
        """It waits for these rooms from now on, or still."""
        self._forget_rooms()
        self.waits_for = rooms
        for room in rooms:
            room.blocked[self] = None
        if self.blocked_at == NEVER:
            self.blocked_at = now

    def unblock(self) -> None:
        """It may run as far as room is concerned."""
        self._forget_rooms()
        self.waits_for = None
        lane = self.front()
        if lane is not None and lane.listed is not None and (self.listed is None or lane.listed < self.listed):
            self._agenda.list(self, lane.listed)

    def admitted(self) -> None:
        """An attempt of it got room: it has no claim any more."""
        self.blocked_at = NEVER
        if self.reserves:
            self.lift()

    def lift(self) -> None:
        """Gives up what is reserved for it; whoever was held back is looked at again."""
        for room in self.reserves:
            room.reserved = None
            room.freed[room] = None
        self.reserves.clear()

    def retire(self) -> None:
        """Nothing waits in it any more."""
        self._forget_rooms()
        self.waits_for = None
        self.listed = None
        self._lanes.clear()
        self.lift()

    def _forget_rooms(self) -> None:
        for room in self.waits_for or ():
            room.blocked.pop(self, None)


def _is_listed(entry: tuple[Key, Lane]) -> bool:
    return entry[1].listed == entry[0]
