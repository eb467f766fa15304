"""The fair order of what waits: projects in turn, in each the runs in turn, in each run first come, first served.

Whoever was served least recently is next. Projects and runs carry a stamp, the number of the turn in which they were
served last, and stand in heaps by it. An entry of a heap may be older than the stamp: it is set right when it comes to
the top, so that serving somebody costs the same however many others wait.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from flyteplane.scheduler.domain.queueing.lanes import Lane
    from flyteplane.scheduler.domain.queueing.queues import Seat, Tenant

#: Marks of a strand in place of the stamp that it is listed under.
UNLISTED: Final = -1
PARKED: Final = -2
#: A heap is swept when more than half of it, and more than this, is out of date.
_SWEEP_ABOVE: Final = 64

E = TypeVar("E")


def sweep(heap: list[E], *, living: int, current: Callable[[E], bool]) -> None:
    """Drops entries that are out of date from a heap that has grown far beyond the number of those that are not."""
    if len(heap) > 2 * living + _SWEEP_ABOVE:
        heap[:] = [entry for entry in heap if current(entry)]
        heapify(heap)  # type: ignore[type-var]  # tuples of what can be compared


class Waiting:
    """A waiting item: a link of its strand."""

    __slots__ = ("after", "before", "item", "number", "since", "strand")

    def __init__(self, item: Any, *, since: float, number: int, strand: Strand) -> None:
        self.item = item
        self.since = since
        self.number = number
        """Counts pushes; first come, first served goes by it."""
        self.strand = strand
        self.before: Waiting | None = None
        self.after: Waiting | None = None


class Strand:
    """What waits of one run in one shape, first come, first served. Taking an item out of the middle costs nothing."""

    __slots__ = ("aged", "cell", "first", "lane", "last", "listed", "seat")

    def __init__(self, *, seat: Seat, lane: Lane, cell: Cell) -> None:
        self.seat = seat
        self.lane = lane
        self.cell: Cell | None = cell
        self.first: Waiting | None = None
        self.last: Waiting | None = None
        self.listed = UNLISTED
        """The stamp under which its cell lists it."""
        self.aged = UNLISTED
        """The number of the item under which its lane knows its age."""

    def __lt__(self, other: Strand) -> bool:
        # Entries of a heap are equal but for the strand only if one of them is out of date: either order will do.
        return False

    def append(self, waiting: Waiting) -> None:
        """Adds an item at the end."""
        last = self.last
        if last is None:
            self.first = waiting
        else:
            waiting.before, last.after = last, waiting
        self.last = waiting

    def remove(self, waiting: Waiting) -> None:
        """Takes an item out."""
        before, after = waiting.before, waiting.after
        if before is None:
            self.first = after
        else:
            before.after = after
        if after is None:
            self.last = before
        else:
            after.before = before
        waiting.before = waiting.after = None

    def park(self) -> None:
        """Puts it aside until its run may have more attempts."""
        self.listed = PARKED
        self.seat.run.parked.append(self)


class Cell:
    """The strands of one project in a lane."""

    __slots__ = ("_runs", "listed", "strands", "tenant")

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.listed = False
        """It stands in the ring of its lane."""
        self.strands = 0
        self._runs: list[tuple[int, Strand]] = []

    def list(self, strand: Strand) -> None:
        """The strand takes part."""
        strand.listed = strand.seat.stamp
        heappush(self._runs, (strand.listed, strand))
        sweep(self._runs, living=self.strands, current=self._is_current)

    def front(self) -> Strand | None:
        """The strand whose turn it is; None if no run of the project may have more attempts."""
        runs = self._runs
        while runs:
            stamp, strand = runs[0]
            seat = strand.seat
            if strand.listed == stamp == seat.stamp and strand.cell is self and not seat.run.full:
                return strand
            if strand.cell is not self or strand.listed != stamp:
                heappop(runs)
            elif seat.run.full:
                heappop(runs)
                strand.park()
            else:
                strand.listed = seat.stamp
                heapreplace(runs, (seat.stamp, strand))
        return None

    def _is_current(self, entry: tuple[int, Strand]) -> bool:
        stamp, strand = entry
        return strand.cell is self and strand.listed == stamp


class Ring:
    """The projects of a lane in turn."""

    __slots__ = ("_cells", "_turns")

    def __init__(self) -> None:
        self._cells: dict[Tenant, Cell] = {}
        self._turns: list[tuple[int, Cell]] = []

    def cell(self, tenant: Tenant) -> Cell:
        """The cell of a project."""
        found = self._cells.get(tenant)
        if found is None:
            found = self._cells[tenant] = Cell(tenant)
        return found

    def leave(self, cell: Cell) -> None:
        """A strand has left the cell."""
        cell.strands -= 1
        if not cell.strands and not cell.listed:
            del self._cells[cell.tenant]

    def list(self, strand: Strand) -> None:
        """The strand takes part."""
        cell = strand.cell
        assert cell is not None
        cell.list(strand)
        if not cell.listed:
            cell.listed = True
            heappush(self._turns, (cell.tenant.stamp, cell))

    def front(self) -> Strand | None:
        """The strand whose turn it is; None if nothing may be admitted."""
        turns = self._turns
        while turns:
            stamp, cell = turns[0]
            if cell.tenant.stamp != stamp and cell.strands:
                heapreplace(turns, (cell.tenant.stamp, cell))
                continue
            strand = cell.front() if cell.strands else None
            if strand is not None:
                return strand
            heappop(turns)
            cell.listed = False
            if not cell.strands:
                del self._cells[cell.tenant]
        return None
