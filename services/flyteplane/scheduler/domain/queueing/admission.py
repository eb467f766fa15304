"""Admission: which waiting action runs next, in which resource class, on which cluster.

Queues come in the order of their effective priority, in each the projects in turn, in each the runs in turn, in each
first come, first served. An item is looked at only when it is the next of its run, and what it waits for wakes it:
admitting costs what is admitted, whatever the number that wait. Guarantees:

- No limit is passed by an admission; only a parent that goes on, a lowered limit and what was found running may.
- Work is conserved: nothing waits that could run, but for the room that is reserved (`reservations`).
- Nothing starves: waiting raises a queue's priority, turns are strict, and room is reserved for large demands.
- A cycle's cost grows with what it admits. It grows with the number of *different* demands as well that wait in a
  queue or for a room, of which there are few; not with the number of items, runs, projects or queues.
- Deterministic: the same calls give the same answers. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from flyteplane.foundation.errors import PlatformError
from flyteplane.scheduler.domain.queueing.catalogue import Catalogue
from flyteplane.scheduler.domain.queueing.classes import NOTHING, ClusterRoom, Demand, ResourceClass
from flyteplane.scheduler.domain.queueing.fair_ring import Strand, Waiting
from flyteplane.scheduler.domain.queueing.queues import Queue, Seat
from flyteplane.scheduler.domain.queueing.refusals import no_class_fits, refusal_of, unknown_queue
from flyteplane.scheduler.domain.queueing.reservations import Reservations
from flyteplane.scheduler.domain.queueing.rooms import Room
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.shapes import Agenda, Shape, ShapeKey
from flyteplane.scheduler.domain.queueing.slots import Slot
from flyteplane.scheduler.domain.queueing.waits import QueueFigures, RoomFigures, Wait, queue_figures, wait_of

T = TypeVar("T", bound=Hashable)

#: Points of priority that a second of waiting is worth: the least queue overtakes the greatest after 1,000 s.
AGEING_PER_S: Final = 1.0
#: Room is reserved for a demand that could not be placed for so long.
RESERVE_AFTER_S: Final = 60.0


class Admission(Generic[T]):
    """What waits and what runs, by queue, class and cluster. Items are told apart as they hash."""

    def __init__(
        self,
        *,
        clusters: Iterable[ClusterRoom] = (),
        queues: Iterable[QueueSettings] = (),
        classes: Iterable[ResourceClass] = (),
        ageing_per_s: float = AGEING_PER_S,
        reserve_after_s: float = RESERVE_AFTER_S,
    ) -> None:
        self._catalogue = Catalogue(ageing=ageing_per_s)
        self._waiting: dict[T, Waiting] = {}
        self._agenda = Agenda()
        self._reservations = Reservations(after_s=reserve_after_s)
        self._turn = 0
        self._pushes = 0
        self._shapes = 0
        self.configure(queues=queues, classes=classes, clusters=clusters)

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, item: T) -> bool:
        return item in self._waiting

    # --- configuration ----------------------------------------------------------------------------------------------

    def configure(
        self,
        *,
        queues: Iterable[QueueSettings] | None = None,
        classes: Iterable[ResourceClass] | None = None,
        clusters: Iterable[ClusterRoom] | None = None,
    ) -> None:
        """Replaces what is given. What runs goes on, above a lowered limit too; what waits is mapped anew, and waits on
        if nothing fits it any more. Costs as much as there is waiting."""
        if queues is not None:
            self._catalogue.set_queues(queues)
        if classes is not None:
            self._catalogue.set_classes(classes)
        if clusters is not None:
            self._catalogue.set_clusters(clusters)
        self._catalogue.forget_empty()
        self._map_anew()

    def set_reachable(self, cluster: str, reachable: bool) -> None:
        """A cluster that cannot be reached gets nothing new; what runs there is left alone."""
        room = self._catalogue.cluster(cluster)
        room.reachable = reachable
        if reachable and room.blocked:
            self._catalogue.freed[room] = None

    def _map_anew(self) -> None:
        catalogue = self._catalogue
        since_when = {shape.key: shape.blocked_at for shape in catalogue.shapes.values()}
        for shape in list(catalogue.shapes.values()):
            shape.retire()
        catalogue.shapes.clear()
        catalogue.freed.clear()
        self._reservations.forget()
        moved = [(one, one.strand.seat, one.strand.lane.shape.key) for one in self._waiting.values()]
        for queue in catalogue.queues.values():
            queue.lanes.clear()
            queue.sleeping.clear()
            for seat in queue.seats.values():
                seat.strands.clear()
        for run in catalogue.runs.values():
            run.parked.clear()
        for waiting, seat, key in moved:
            waiting.before = waiting.after = None
            new = catalogue.shape_key(seat.queue, key.demand, needs_room=key.needs_room)
            known = new in catalogue.shapes
            shape = self._shape(new)
            if not known and new in since_when:
                shape.blocked_at = since_when[new]
            waiting.strand = seat.queue.strand(seat, shape)
            self._line_up(waiting)

    # --- before anything waits --------------------------------------------------------------------------------------

    def refusal(self, queue: str, *, adding: int = 1, parent: Slot | None = None) -> PlatformError | None:
        """Why the queue does not take so many more actions, children of `parent` if it is given: it is unknown
        (InvalidArgument, UNKNOWN_QUEUE), draining or drained (FailedPrecondition, QUEUE_DRAINING), or full
        (ResourceExhausted, QUEUE_FULL, with `retry_after_s`)."""
        known = self._catalogue.queues.get(queue)
        if known is None or known.gone:
            return unknown_queue(queue, known=self.queue_names())
        return refusal_of(known, adding=adding, parent=parent)

    def classify(self, queue: str, demand: Demand) -> ResourceClass:
        """The class of a demand: the smallest that one of the queue's clusters offers and that it fits.

        Raises InvalidArgument, NO_CLASS_FITS with the list of classes or UNKNOWN_QUEUE."""
        known = self._catalogue.queues.get(queue)
        if known is None:
            raise unknown_queue(queue, known=self.queue_names())
        one = self._catalogue.class_for(known, demand)
        if one is None:
            raise no_class_fits(demand, queue=queue, classes=self._catalogue.usable_classes(known))
        return one

    def places(self, queue: str, demand: Demand) -> tuple[str, ...]:
        """The clusters that can meet a demand of the queue in its class, in the operator's order."""
        known = self._catalogue.queues.get(queue)
        return () if known is None else self._catalogue.shape_key(known, demand, needs_room=True).clusters

    def resource_class(self, name: str) -> ResourceClass | None:
        """A configured class, such as that of a slot."""
        return self._catalogue.class_named(name)

    def holds(self, queue: str, run: Hashable) -> bool:
        """True if something of the run waits or runs in the queue."""
        known = self._catalogue.queues.get(queue)
        return known is not None and run in known.seats

    def queue_settings(self, name: str) -> QueueSettings | None:
        """A configured queue."""
        known = self._catalogue.queues.get(name)
        return None if known is None or known.gone else known.settings

    def queue_names(self) -> list[str]:
        """The configured queues."""
        return [name for name, queue in self._catalogue.queues.items() if not queue.gone]

    # --- waiting ----------------------------------------------------------------------------------------------------

    def push(
        self,
        item: T,
        *,
        queue: str,
        project: Hashable,
        run: Hashable,
        demand: Demand = NOTHING,
        since: float,
        run_limit: int = 0,
        needs_room: bool = True,
    ) -> None:
        """The item waits from now on. It must not wait already.

        Args:
            queue: whether or not it accepts anything, see `refusal`; one that is unknown admits what it is given.
            run_limit: most attempts of the run at once, over all queues; 0: no limit.
            since: when it began to wait, in seconds, by the clock of `admit`.
            needs_room: False for attempts on pools: they count in queue and run and take no room.
        """
        if item in self._waiting:
            raise ValueError("the item waits already")
        catalogue = self._catalogue
        place = catalogue.queues.get(queue) or catalogue.queue(queue)
        seat = self._seat(place, project=project, run=run)
        seat.run.set_limit(run_limit)
        shape = self._shape(catalogue.shape_key(place, demand, needs_room=needs_room))
        self._pushes += 1
        strand = place.strand(seat, shape)
        waiting = self._waiting[item] = Waiting(item, since=since, number=self._pushes, strand=strand)
        place.waiting += 1
        seat.waiting += 1
        self._line_up(waiting)

    def discard(self, item: T) -> bool:
        """The item waits no more; False if it did not wait."""
        waiting = self._waiting.pop(item, None)
        if waiting is None:
            return False
        seat = waiting.strand.seat
        self._take_out(waiting)
        seat.queue.leave(seat)
        return True

    def position(self, item: T) -> Wait | None:
        """What the item waits for; None if it does not wait. Costs as much as there are runs in its queue and items of
        its run before it."""
        waiting = self._waiting.get(item)
        return None if waiting is None else wait_of(waiting)

    def _line_up(self, waiting: Waiting) -> None:
        strand = waiting.strand
        strand.append(waiting)
        if strand.first is waiting:
            strand.lane.refresh(strand)

    def _take_out(self, waiting: Waiting) -> None:
        strand = waiting.strand
        seat, lane = strand.seat, strand.lane
        was_first = strand.first is waiting
        strand.remove(waiting)
        seat.waiting -= 1
        seat.queue.waiting -= 1
        if strand.first is None:
            del seat.strands[lane.shape]
            lane.give_up(strand)
        elif was_first:
            lane.refresh(strand)

    # --- admission --------------------------------------------------------------------------------------------------

    def admit(self, now: float) -> Iterator[tuple[T, Slot]]:
        """Admits whatever may run, in order, and ends when nothing may. The slot of each is taken when it is given.

        Everything may be called between two of them, and asking may end at any time."""
        catalogue = self._catalogue
        self._reservations.settle(now, quotas=catalogue.quotas.values(), clusters=catalogue.clusters.values())
        while True:
            found = self._next(now)
            if found is None:
                return
            strand, cluster = found
            waiting = strand.first
            assert waiting is not None
            yield waiting.item, self._grant(waiting, cluster)

    def try_admit(
        self,
        *,
        queue: str,
        project: Hashable,
        run: Hashable,
        demand: Demand = NOTHING,
        run_limit: int = 0,
        needs_room: bool = True,
    ) -> Slot | None:
        """A slot at once, for an item that does not wait yet, if nothing goes before it; else None, and it has to wait
        like others. The short way for a platform that is not busy."""
        place = self._catalogue.queues.get(queue)
        if place is None or place.waiting or place.full:
            return None
        seat = place.seats.get(run)
        if (seat is None or not seat.slots) and place.full_of_runs:
            return None
        if run_limit:
            load = self._catalogue.runs.get(run)
            if load is not None and load.running >= run_limit:
                return None
        quota = cluster = None
        if needs_room:
            if self._agenda or self._catalogue.freed:
                return None
            shape = self._shape(self._catalogue.shape_key(place, demand, needs_room=True))
            room = shape.find_room()
            if not isinstance(room, Room):
                return None
            quota, cluster = shape.resource_class, room
        if seat is None:
            seat = self._seat(place, project=project, run=run)
            seat.run.set_limit(run_limit)
        self._turn += 1
        seat.stamp = seat.tenant.stamp = self._turn
        return Slot(seat, demand, quota, cluster)

    def occupy(
        self,
        *,
        queue: str,
        project: Hashable,
        run: Hashable,
        demand: Demand = NOTHING,
        resource_class: str = "",
        cluster: str = "",
        run_limit: int = 0,
    ) -> Slot:
        """The slot of an attempt that was found running, whatever the limits say. Without class or cluster it takes no
        room of either."""
        catalogue = self._catalogue
        seat = self._seat(catalogue.queue(queue), project=project, run=run)
        seat.run.set_limit(run_limit)
        quota = catalogue.quota(resource_class) if resource_class else None
        room = catalogue.cluster(cluster) if cluster else None
        return Slot(seat, demand, quota, room)

    def _next(self, now: float) -> tuple[Strand, Room | None] | None:
        """The strand whose first item is admitted next, and where."""
        while True:
            if self._catalogue.freed:
                self._look_again(now)
            lane = self._agenda.front()
            if lane is None:
                return None
            own_room = self._room_for(lane.shape, now)
            if isinstance(own_room, tuple):
                continue
            # The head of this queue may run, so that it is the queue's turn; whose turn it is in the queue is another
            # question, and of another shape maybe.
            while True:
                strand = lane.queue.front()
                assert strand is not None
                room = own_room if strand.lane.shape is lane.shape else self._room_for(strand.lane.shape, now)
                if not isinstance(room, tuple):
                    return strand, room

    def _room_for(self, shape: Shape, now: float) -> Room | tuple[Room, ...] | None:
        """Where an attempt of the shape may have a place; blocks the shape if there is none."""
        room = shape.find_room()
        if isinstance(room, tuple):
            shape.block(room, now=now)
            self._reservations.blocked(shape)
        return room

    def _look_again(self, now: float) -> None:
        """Unblocks shapes that wait for rooms that got freer, where that helps."""
        freed = self._catalogue.freed
        while freed:
            room = next(iter(freed))
            del freed[room]
            for shape in list(room.blocked):
                found = shape.find_room()
                if not isinstance(found, tuple):
                    shape.unblock()
                elif found != shape.waits_for:
                    shape.block(found, now=now)

    def _grant(self, waiting: Waiting, cluster: Room | None) -> Slot:
        shape, seat = waiting.strand.lane.shape, waiting.strand.seat
        del self._waiting[waiting.item]
        self._turn += 1
        seat.stamp = seat.tenant.stamp = self._turn
        shape.admitted()
        self._take_out(waiting)
        return Slot(seat, shape.demand, shape.resource_class, cluster)

    def _seat(self, queue: Queue, *, project: Hashable, run: Hashable) -> Seat:
        found = queue.seats.get(run)
        if found is None:
            self._turn += 1
            found = queue.seat(run, project=project, stamp=self._turn)
        return found

    def _shape(self, key: ShapeKey) -> Shape:
        found = self._catalogue.shapes.get(key)
        if found is None:
            catalogue = self._catalogue
            quota = catalogue.quota(key.resource_class) if key.resource_class else None
            clusters = tuple(catalogue.cluster(name) for name in key.clusters)
            self._shapes += 1
            found = Shape(key, number=self._shapes, resource_class=quota, clusters=clusters, agenda=self._agenda)
        return found

    # --- figures ----------------------------------------------------------------------------------------------------

    def figures(self, queue: str) -> QueueFigures:
        """What a queue holds; nothing if it is unknown."""
        known = self._catalogue.queues.get(queue)
        return QueueFigures() if known is None else queue_figures(known)

    def class_figures(self, name: str) -> RoomFigures:
        """What attempts of a class use."""
        return _room_figures(self._catalogue.quotas.get(name))

    def cluster_figures(self, name: str) -> RoomFigures:
        """What is used of a cluster."""
        return _room_figures(self._catalogue.clusters.get(name))

    def size_of_bookkeeping(self) -> int:
        """Entries kept for what waits or runs: 0 when nothing does. For metrics, and to see that nothing leaks."""
        catalogue = self._catalogue
        seats = sum(len(queue.seats) + len(queue.lanes) for queue in catalogue.queues.values())
        blocked = sum(len(room.blocked) for room in (*catalogue.quotas.values(), *catalogue.clusters.values()))
        return len(self._waiting) + len(catalogue.runs) + len(catalogue.shapes) + seats + blocked


def _room_figures(room: Room | None) -> RoomFigures:
    if room is None:
        return RoomFigures()
    return RoomFigures(used_cpu_millis=room.used_cpu, used_memory_bytes=room.used_memory, running=room.running)
