"""The configuration as admission uses it: clusters, classes and queues that live on while something of them runs.

Replacing the configuration never touches what runs: a queue, class or cluster that is left out stays as long as a slot
counts in it, takes nothing new, and is forgotten when it is empty.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from flyte.spec.names import DEFAULT_QUEUE
from flyteplane.scheduler.domain.queueing.checks import names_any
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, Demand, ResourceClass, smallest_fit
from flyteplane.scheduler.domain.queueing.queues import MOST_KNOWN_DEMANDS, Queue, Run
from flyteplane.scheduler.domain.queueing.rooms import Room
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.shapes import Shape, ShapeKey


class Catalogue:
    """Queues by name, classes with their quotas, clusters with their room."""

    def __init__(self, *, ageing: float) -> None:
        self.ageing = ageing
        self.freed: dict[Room, None] = {}
        self.runs: dict[Hashable, Run] = {}
        self.shapes: dict[ShapeKey, Shape] = {}
        self.queues: dict[str, Queue] = {}
        self.quotas: dict[str, Room] = {}
        self.clusters: dict[str, Room] = {}
        self._classes: dict[str, ResourceClass] = {}
        self._cluster_settings: dict[str, ClusterRoom] = {}

    # --- configuration ----------------------------------------------------------------------------------------------

    def set_queues(self, queues: Iterable[QueueSettings]) -> None:
        """Replaces the queues. `default` is there in any case."""
        wanted = {settings.name: settings for settings in queues}
        wanted.setdefault(DEFAULT_QUEUE, QueueSettings(name=DEFAULT_QUEUE))
        for name, queue in list(self.queues.items()):
            if name not in wanted:
                queue.retire()
        for name, settings in wanted.items():
            queue = self.queue(name)
            queue.settings, queue.gone = settings, False
        self.forget_empty()

    def set_classes(self, classes: Iterable[ResourceClass]) -> None:
        """Replaces the classes."""
        self._classes = {one.name: one for one in classes}
        for quota in self.quotas.values():
            quota.configured = False
        for one in self._classes.values():
            self.quota(one.name).configure_quota(one)

    def set_clusters(self, clusters: Iterable[ClusterRoom]) -> None:
        """Replaces the clusters; their order decides between equals."""
        self._cluster_settings = {one.name: one for one in clusters}
        for room in self.clusters.values():
            room.configured = False
        for order, one in enumerate(self._cluster_settings.values()):
            self.cluster(one.name).configure_cluster(one, order=order)

    def forget_empty(self) -> None:
        """Drops what has left the configuration and is not used any more, and everything derived from the old one."""
        for name, queue in list(self.queues.items()):
            queue.known_demands.clear()
            if queue.gone and queue.empty:
                del self.queues[name]
        for rooms in (self.quotas, self.clusters):
            for name, room in list(rooms.items()):
                if not room.configured and not room.holders:
                    del rooms[name]

    # --- parts, made where they are missing ---------------------------------------------------------------------------

    def queue(self, name: str) -> Queue:
        """A queue. One that is not configured, and that something stored still names, takes nothing new."""
        found = self.queues.get(name)
        if found is None:
            settings = QueueSettings(name=name)
            found = Queue(settings, ageing=self.ageing, queues=self.queues, runs=self.runs, shapes=self.shapes)
            found.retire()
            self.queues[name] = found
        return found

    def quota(self, name: str) -> Room:
        """The quota of a class; unlimited for one that is not configured."""
        return self._room(self.quotas, name)

    def cluster(self, name: str) -> Room:
        """The room of a cluster; unlimited for one that is not configured, but nothing new goes there."""
        return self._room(self.clusters, name)

    def _room(self, rooms: dict[str, Room], name: str) -> Room:
        found = rooms.get(name)
        if found is None:
            found = rooms[name] = Room(name, freed=self.freed)
        return found

    # --- from demand to shape -----------------------------------------------------------------------------------------

    def usable_classes(self, queue: Queue) -> list[ResourceClass]:
        """Classes that one of the queue's clusters offers."""
        return [one for one in self._classes.values() if self._shared_clusters(queue, one)]

    def class_for(self, queue: Queue, demand: Demand) -> ResourceClass | None:
        """The smallest class of the queue that the demand fits, on a cluster that is large enough."""
        usable = (one for one in self._classes.values() if self._places(queue, one, demand))
        return smallest_fit(demand, usable)

    def class_named(self, name: str) -> ResourceClass | None:
        """A configured class."""
        return self._classes.get(name)

    def shape_key(self, queue: Queue, demand: Demand, *, needs_room: bool) -> ShapeKey:
        """The shape of a demand in a queue."""
        known = queue.known_demands.get((demand, needs_room))
        if known is not None:
            return known
        if len(queue.known_demands) >= MOST_KNOWN_DEMANDS:
            queue.known_demands.clear()
        key = ShapeKey(demand, "", (), needs_room)
        one = self.class_for(queue, demand) if needs_room else None
        if one is not None:
            key = ShapeKey(demand, one.name, self._places(queue, one, demand), needs_room)
        queue.known_demands[demand, needs_room] = key
        return key

    def _shared_clusters(self, queue: Queue, one: ResourceClass) -> list[str]:
        settings = queue.settings
        return [
            name
            for name in self._cluster_settings
            if (names_any(one.clusters) or name in one.clusters)
            and (names_any(settings.clusters) or name in settings.clusters)
        ]

    def _places(self, queue: Queue, one: ResourceClass, demand: Demand) -> tuple[str, ...]:
        shared = self._shared_clusters(queue, one)
        if demand.clusters:
            shared = [name for name in shared if name in demand.clusters]
        return tuple(name for name in shared if not self._cluster_settings[name].never_fits(demand))
