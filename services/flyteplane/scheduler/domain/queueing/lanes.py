"""A lane: what waits in one queue for one shape, and by which key the queue competes for that shape.

Queues compete by effective priority: their priority plus what their head has gained by waiting. Both grow at the same
pace for all, so that the order of two heads never changes while they wait; `ageing * since - priority` is that order,
whatever the time is.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from flyteplane.scheduler.domain.queueing.fair_ring import PARKED, UNLISTED, Ring, Strand, sweep

if TYPE_CHECKING:
    from flyteplane.scheduler.domain.queueing.fair_ring import Waiting
    from flyteplane.scheduler.domain.queueing.queues import Queue, Seat
    from flyteplane.scheduler.domain.queueing.shapes import Shape

#: What is admitted first has the least key: the aged priority, then the number of the push.
Key = tuple[float, int]


class Lane:
    """The waiting items of a queue that have the same shape, either of runs that hold a slot in the queue or of
    newcomers. Only queues that limit their runs have lanes for newcomers."""

    __slots__ = ("_ages", "asleep", "listed", "newcomers", "queue", "ring", "shape", "strands")

    def __init__(self, *, queue: Queue, shape: Shape, newcomers: bool) -> None:
        self.queue = queue
        self.shape = shape
        self.newcomers = newcomers
        self.ring = Ring()
        self.strands = 0
        self.listed: Key | None = None
        """The key under which its shape lists it; never more than the true one."""
        self.asleep = False
        """Its queue may not run more at present and wakes it."""
        self._ages: list[tuple[float, int, Strand]] = []

    def __lt__(self, other: Lane) -> bool:
        # Entries of a heap are equal but for the lane only if one of them is out of date: either order will do.
        return False

    @property
    def closed(self) -> bool:
        """True while the limits of the queue let none of this lane run."""
        return self.queue.full or (self.newcomers and self.queue.full_of_runs)

    def open_strand(self, seat: Seat) -> Strand:
        """A strand for a run that has nothing in this lane."""
        cell = self.ring.cell(seat.tenant)
        cell.strands += 1
        self.strands += 1
        return Strand(seat=seat, lane=self, cell=cell)

    def adopt(self, strand: Strand) -> None:
        """Takes a strand over from another lane."""
        cell = self.ring.cell(strand.seat.tenant)
        cell.strands += 1
        self.strands += 1
        strand.lane, strand.cell = self, cell
        strand.listed = strand.aged = UNLISTED
        self.refresh(strand)

    def give_up(self, strand: Strand) -> None:
        """Lets go of a strand that is empty or goes to another lane."""
        cell = strand.cell
        assert cell is not None
        self.strands -= 1
        strand.cell = None
        self.ring.leave(cell)
        if not self.strands:
            self.queue.drop_lane(self)

    def refresh(self, strand: Strand) -> None:
        """The strand has a new first item, or may run again."""
        first = strand.first
        assert first is not None
        if strand.listed == UNLISTED:
            self.ring.list(strand)
        if strand.aged != first.number and strand.listed != PARKED:
            self._note_age(strand, first)
            self._compete(first)

    def key(self) -> Key | None:
        """The key of its head, the oldest of the items that are the next of their runs; None if none may run."""
        ages = self._ages
        while ages:
            since, number, strand = ages[0]
            if strand.lane is not self or strand.aged != number or strand.cell is None:
                heappop(ages)
            elif strand.seat.run.full:
                heappop(ages)
                strand.aged = UNLISTED
                if strand.listed != PARKED:
                    strand.park()
            else:
                return self._key_of(since, number)
        return None

    def _key_of(self, since: float, number: int) -> Key:
        queue = self.queue
        return (queue.ageing * since - queue.settings.priority, number)

    def _note_age(self, strand: Strand, first: Waiting) -> None:
        strand.aged = first.number
        heappush(self._ages, (first.since, first.number, strand))
        sweep(self._ages, living=self.strands, current=self._is_current)

    def _compete(self, first: Waiting) -> None:
        key = self._key_of(first.since, first.number)
        if not self.asleep and (self.listed is None or key < self.listed):
            self.shape.list(self, key)

    def _is_current(self, entry: tuple[float, int, Strand]) -> bool:
        _, number, strand = entry
        return strand.lane is self and strand.aged == number and strand.cell is not None
