"""A slot: what an admitted attempt occupies, until it is released.

It counts in its queue and its run, and takes room of its class's quota and of its cluster. A parent that waits for its
children lends all of this but its place in the depth of the queue and the slot of its run, and takes it back when they
are done, beyond the limits if need be: a parent that has its answers is never kept from going on.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flyteplane.scheduler.domain.queueing.classes import Demand
    from flyteplane.scheduler.domain.queueing.queues import Seat
    from flyteplane.scheduler.domain.queueing.rooms import Room


class _Use(Enum):
    RUNS = 1
    LENT = 2
    RELEASED = 3


class Slot:
    """One placed attempt. Each method does nothing if it was done already or comes after the release."""

    __slots__ = ("_class_room", "_cluster_room", "_demand", "_seat", "_use")

    def __init__(self, seat: Seat, demand: Demand, class_room: Room | None, cluster_room: Room | None) -> None:
        """Takes everything at once, whether or not there is room for it."""
        self._seat = seat
        self._demand = demand
        self._class_room = class_room
        self._cluster_room = cluster_room
        self._use = _Use.RUNS
        queue = seat.queue
        queue.held += 1
        queue.running += 1
        seat.run.running += 1
        seat.slots += 1
        if seat.slots == 1:
            queue.runs += 1
            if seat.strands:
                queue.resort(seat)
        for room in (class_room, cluster_room):
            if room is not None:
                room.holders += 1
                room.take(demand)

    def __repr__(self) -> str:
        return f"Slot({self.queue!r}, {self.resource_class!r}, {self.cluster!r}, {self._use.name})"

    @property
    def queue(self) -> str:
        """The queue that it counts in."""
        return self._seat.queue.settings.name

    @property
    def resource_class(self) -> str:
        """The class; empty for an attempt that needs no room of its own."""
        return "" if self._class_room is None else self._class_room.name

    @property
    def cluster(self) -> str:
        """The cluster; empty for an attempt that needs no room of its own."""
        return "" if self._cluster_room is None else self._cluster_room.name

    @property
    def demand(self) -> Demand:
        """What it occupies while it runs."""
        return self._demand

    @property
    def lent(self) -> bool:
        """True while its owner waits for children."""
        return self._use is _Use.LENT

    def lend(self) -> None:
        """Its owner waits for children: others may run meanwhile."""
        if self._use is _Use.RUNS:
            self._use = _Use.LENT
            self._stop_running()
            self._seat.queue.wake()
            self._seat.run.unpark()

    def resume(self) -> None:
        """Its owner goes on, even if this passes a limit."""
        if self._use is not _Use.LENT:
            return
        self._use = _Use.RUNS
        self._seat.queue.running += 1
        self._seat.run.running += 1
        if self._class_room is not None:
            self._class_room.take(self._demand)
        if self._cluster_room is not None:
            self._cluster_room.take(self._demand)

    def release(self) -> None:
        """Its attempt is over."""
        use, self._use = self._use, _Use.RELEASED
        if use is _Use.RELEASED:
            return
        if use is _Use.RUNS:
            self._stop_running()
        for room in (self._class_room, self._cluster_room):
            if room is not None:
                room.holders -= 1
        seat = self._seat
        queue = seat.queue
        queue.held -= 1
        seat.slots -= 1
        if not seat.slots:
            queue.runs -= 1
            if seat.strands:
                queue.resort(seat)
            else:
                queue.leave(seat)
        queue.wake()
        seat.run.unpark()

    def _stop_running(self) -> None:
        self._seat.queue.running -= 1
        self._seat.run.running -= 1
        if self._class_room is not None:
            self._class_room.give_back(self._demand)
        if self._cluster_room is not None:
            self._cluster_room.give_back(self._demand)


class NoSlot(Slot):
    """Of an attempt that occupies nothing, such as a question to a person."""

    __slots__ = ()

    def __init__(self) -> None:
        """Counts nowhere."""

    @property
    def queue(self) -> str:
        """It is in none."""
        return ""

    @property
    def resource_class(self) -> str:
        """It has none."""
        return ""

    @property
    def cluster(self) -> str:
        """It is on none."""
        return ""

    @property
    def lent(self) -> bool:
        """There is nothing to lend."""
        return False

    def __repr__(self) -> str:
        return "NoSlot()"

    def lend(self) -> None:
        """Does nothing."""

    def resume(self) -> None:
        """Does nothing."""

    def release(self) -> None:
        """Does nothing."""


NO_SLOT: Final = NoSlot()
