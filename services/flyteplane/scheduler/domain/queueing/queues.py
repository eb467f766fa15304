"""A queue at work: what it runs, who holds its slots, what waits in it and whose turn it is.

A run holds its slot from the first admission in the queue until its last attempt there is released. Attempts that wait
for their children hold neither an action slot nor room, and still count towards the depth of the queue.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flyteplane.scheduler.domain.queueing.fair_ring import PARKED, UNLISTED, Strand
from flyteplane.scheduler.domain.queueing.lanes import Lane
from flyteplane.scheduler.domain.queueing.settings import QueueSettings

if TYPE_CHECKING:
    from flyteplane.scheduler.domain.queueing.classes import Demand
    from flyteplane.scheduler.domain.queueing.shapes import Shape, ShapeKey

#: Projects of which a queue remembers when they were served last though they have nothing in it.
MOST_IDLE_TENANTS: Final = 4_096
#: Demands of which a queue remembers the shape.
MOST_KNOWN_DEMANDS: Final = 4_096


class Run:
    """A run over all queues."""

    __slots__ = ("key", "limit", "parked", "running", "seats")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.limit = 0
        self.running = 0
        """Attempts that run and do not wait for children."""
        self.seats = 0
        """Queues in which it has something."""
        self.parked: list[Strand] = []
        """Strands that were found while the run had all that it may have."""

    @property
    def full(self) -> bool:
        """True while the run may have no more attempts."""
        return 0 < self.limit <= self.running

    def set_limit(self, limit: int) -> None:
        """Takes the limit of the run's settings."""
        if limit != self.limit:
            self.limit = limit
            self.unpark()

    def unpark(self) -> None:
        """Strands take part again if the run may have more attempts."""
        if not self.parked or self.full:
            return
        parked, self.parked = self.parked, []
        for strand in parked:
            if strand.cell is not None and strand.listed == PARKED:
                strand.listed = UNLISTED
                strand.lane.refresh(strand)


class Tenant:
    """A project in a queue."""

    __slots__ = ("name", "seats", "stamp")

    def __init__(self, name: Hashable, *, stamp: int) -> None:
        self.name = name
        self.stamp = stamp
        """The turn in which it was served last."""
        self.seats = 0


class Seat:
    """A run in a queue."""

    __slots__ = ("queue", "run", "slots", "stamp", "strands", "tenant", "waiting")

    def __init__(self, *, run: Run, queue: Queue, tenant: Tenant, stamp: int) -> None:
        self.run = run
        self.queue = queue
        self.tenant = tenant
        self.stamp = stamp
        """The turn in which it was served last, or in which it joined."""
        self.slots = 0
        """Attempts in this queue, those that wait for their children included."""
        self.waiting = 0
        self.strands: dict[Shape, Strand] = {}


class Queue:
    """Counts, slots and lanes of one queue."""

    __slots__ = (
        "_queues",
        "_runs",
        "ageing",
        "gone",
        "held",
        "known_demands",
        "lanes",
        "running",
        "runs",
        "seats",
        "settings",
        "shapes",
        "sleeping",
        "tenants",
        "waiting",
    )

    def __init__(
        self,
        settings: QueueSettings,
        *,
        ageing: float,
        queues: dict[str, Queue],
        runs: dict[Hashable, Run],
        shapes: dict[ShapeKey, Shape],
    ) -> None:
        self.settings = settings
        self.ageing = ageing
        self.gone = False
        """It is not in the configuration any more and ends when it is empty."""
        self.running = 0
        """Attempts that run and do not wait for children."""
        self.held = 0
        """Attempts, those that wait for their children included."""
        self.waiting = 0
        self.runs = 0
        """Runs that hold a slot."""
        self.seats: dict[Hashable, Seat] = {}
        self.tenants: dict[Hashable, Tenant] = {}
        self.lanes: dict[tuple[Shape, bool], Lane] = {}
        self.sleeping: list[Lane] = []
        self.shapes = shapes
        self.known_demands: dict[tuple[Demand, bool], ShapeKey] = {}
        self._queues = queues
        self._runs = runs

    @property
    def full(self) -> bool:
        """True while it runs as many attempts as it may."""
        return 0 < self.settings.action_concurrency <= self.running

    @property
    def full_of_runs(self) -> bool:
        """True while as many runs as may hold a slot."""
        return 0 < self.settings.run_concurrency <= self.runs

    @property
    def empty(self) -> bool:
        """True if it holds nothing."""
        return not self.held and not self.waiting

    def retire(self) -> None:
        """It has left the configuration: accepts nothing, admits what it has, by the limits that it had."""
        self.gone = True
        self.settings = replace(self.settings, draining=True)

    # --- runs -------------------------------------------------------------------------------------------------------

    def seat(self, run: Hashable, *, project: Hashable, stamp: int) -> Seat:
        """The seat of a run, made if there is none, with the stamp of one that is served last."""
        found = self.seats.get(run)
        if found is not None:
            return found
        load = self._runs.get(run)
        if load is None:
            load = self._runs[run] = Run(run)
        load.seats += 1
        tenant = self._tenant(project, stamp)
        tenant.seats += 1
        found = self.seats[run] = Seat(run=load, queue=self, tenant=tenant, stamp=stamp)
        return found

    def leave(self, seat: Seat) -> None:
        """Forgets a run that has nothing in the queue."""
        if seat.slots or seat.waiting:
            return
        run = seat.run
        del self.seats[run.key]
        seat.tenant.seats -= 1
        run.seats -= 1
        if not run.seats:
            del self._runs[run.key]
        if self.gone and self.empty:
            self._queues.pop(self.settings.name, None)

    def _tenant(self, project: Hashable, stamp: int) -> Tenant:
        found = self.tenants.get(project)
        if found is None:
            if len(self.tenants) >= 2 * MOST_IDLE_TENANTS:
                self._forget_idle_tenants()
            # Never served: before all that were, in the order of their coming.
            found = self.tenants[project] = Tenant(project, stamp=stamp - 2**62)
        return found

    def _forget_idle_tenants(self) -> None:
        idle = sorted((one for one in self.tenants.values() if not one.seats), key=lambda one: one.stamp)
        for one in idle[:-MOST_IDLE_TENANTS]:
            del self.tenants[one.name]

    # --- what waits -------------------------------------------------------------------------------------------------

    def strand(self, seat: Seat, shape: Shape) -> Strand:
        """Where the run's items of this shape wait."""
        found = seat.strands.get(shape)
        if found is None:
            found = seat.strands[shape] = self._lane_for(seat, shape).open_strand(seat)
        return found

    def front(self) -> Strand | None:
        """The strand whose turn it is, over all shapes that are not known to be blocked."""
        best: Strand | None = None
        best_turn: tuple[int, int, int] | None = None
        if self.full:
            return None
        no_newcomers = self.full_of_runs
        for lane in self.lanes.values():
            if lane.shape.waits_for is not None or (no_newcomers and lane.newcomers):
                continue
            strand = lane.ring.front()
            if strand is None or strand.first is None:
                continue
            turn = (strand.seat.tenant.stamp, strand.seat.stamp, strand.first.number)
            if best_turn is None or turn < best_turn:
                best, best_turn = strand, turn
        return best

    def resort(self, seat: Seat) -> None:
        """The run has got its slot, or has given it back: what it has waiting changes lanes."""
        if not self.settings.run_concurrency:
            return
        for shape, strand in seat.strands.items():
            old, new = strand.lane, self._lane_for(seat, shape)
            if old is not new:
                old.give_up(strand)
                new.adopt(strand)

    def drop_lane(self, lane: Lane) -> None:
        """Forgets a lane in which nothing waits, and its shape if this was the last lane of it."""
        shape = lane.shape
        del self.lanes[shape, lane.newcomers]
        lane.listed = None
        shape.lanes -= 1
        if not shape.lanes:
            del self.shapes[shape.key]
            shape.retire()

    def _lane_for(self, seat: Seat, shape: Shape) -> Lane:
        newcomers = not seat.slots and self.settings.run_concurrency > 0
        found = self.lanes.get((shape, newcomers))
        if found is None:
            found = self.lanes[shape, newcomers] = Lane(queue=self, shape=shape, newcomers=newcomers)
            shape.lanes += 1
            self.shapes[shape.key] = shape
        return found

    # --- limits -----------------------------------------------------------------------------------------------------

    def send_to_sleep(self, lane: Lane) -> None:
        """The lane competes again once a limit allows it."""
        lane.asleep = True
        self.sleeping.append(lane)

    def wake(self) -> None:
        """A slot got free."""
        if not self.sleeping or self.full:
            return
        sleeping, self.sleeping = self.sleeping, []
        for lane in sleeping:
            if not lane.strands:
                continue
            if lane.closed:
                self.sleeping.append(lane)
                continue
            lane.asleep = False
            key = lane.key()
            if key is not None:
                lane.shape.list(lane, key)
