"""Room: how much of a cluster, or of a class's quota, is taken, and which shapes wait for more of it.

A room knows who waits for it, so that what frees it wakes them and nobody is looked at in vain. It may be reserved for
a shape that has waited long: until that one fits, others that came later are held back from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteplane.scheduler.domain.queueing.classes import (
    NO_ACCELERATORS,
    Accelerators,
    ClusterRoom,
    Demand,
    ResourceClass,
    counted_accelerators,
)

if TYPE_CHECKING:
    from flyteplane.scheduler.domain.queueing.shapes import Shape

_ENDLESS: Final = float("inf")


class Room:
    """Capacity and use. A capacity of 0 is not limited here.

    Cpu can be shared, so that an attempt that asks for more of it than there is gets the whole of it alone. Use may
    pass the capacity: when a parent takes its room back, when a limit is lowered, when attempts are found after a
    restart. Nothing is admitted then until it has fallen again.
    """

    __slots__ = (
        "accelerators",
        "blocked",
        "configured",
        "cpu_millis",
        "freed",
        "holders",
        "memory_bytes",
        "name",
        "order",
        "reachable",
        "reserved",
        "running",
        "used_accelerators",
        "used_cpu",
        "used_memory",
    )

    def __init__(self, name: str, *, freed: dict[Room, None]) -> None:
        self.name = name
        self.cpu_millis = 0
        self.memory_bytes = 0
        self.accelerators: Accelerators = NO_ACCELERATORS
        self.used_cpu = 0
        self.used_memory = 0
        self.used_accelerators: dict[str, int] = {}
        self.running = 0
        self.holders = 0
        """Slots that may take of it, those that are lent included."""
        self.order = 0
        """Place in the operator's file."""
        self.configured = False
        self.reachable = True
        self.blocked: dict[Shape, None] = {}
        """Shapes that wait for this room, in the order in which they were blocked."""
        self.reserved: Shape | None = None
        self.freed = freed
        """Rooms that got freer since waiting shapes were last looked at."""

    def configure_cluster(self, settings: ClusterRoom, *, order: int) -> None:
        """Takes the capacity of a cluster."""
        self.cpu_millis, self.memory_bytes = settings.cpu_millis, settings.memory_bytes
        self.accelerators, self.order, self.configured = settings.accelerators, order, True

    def configure_quota(self, settings: ResourceClass) -> None:
        """Takes the quota of a class."""
        self.cpu_millis, self.memory_bytes = settings.quota_cpu_millis, settings.quota_memory_bytes
        self.configured = True

    def fits(self, demand: Demand) -> bool:
        """True if the demand can be met now."""
        cpu = self.cpu_millis
        if cpu and self.used_cpu and self.used_cpu + demand.cpu_millis > cpu:
            return False
        memory = self.memory_bytes
        if memory and self.used_memory + demand.memory_bytes > memory:
            return False
        return not demand.accelerators or not self.accelerators or self._accelerators_fit(demand)

    def offers(self, shape: Shape) -> bool:
        """True if an attempt of the shape may have a place now: it fits, and nobody who waited longer goes first."""
        reserved = self.reserved
        held_back = reserved is not None and reserved is not shape and not shape.goes_before(reserved)
        return not held_back and self.fits(shape.demand)

    def take(self, demand: Demand) -> None:
        """Occupies the demand."""
        self.running += 1
        self.used_cpu += demand.cpu_millis
        self.used_memory += demand.memory_bytes
        if demand.accelerators:
            self._count(demand, 1)

    def give_back(self, demand: Demand) -> None:
        """Frees the demand."""
        self.running -= 1
        self.used_cpu -= demand.cpu_millis
        self.used_memory -= demand.memory_bytes
        if demand.accelerators:
            self._count(demand, -1)
        if self.blocked:
            self.freed[self] = None

    @property
    def freeness(self) -> tuple[float, float, int, int, int]:
        """Orders clusters by free room, the freest first: free cpu, free memory, and what is in use where there is no
        limit; the operator's order decides between equals."""
        cpu = self.cpu_millis - self.used_cpu if self.cpu_millis else _ENDLESS
        memory = self.memory_bytes - self.used_memory if self.memory_bytes else _ENDLESS
        return (-cpu, -memory, self.used_cpu, self.running, self.order)

    def _accelerators_fit(self, demand: Demand) -> bool:
        for key, count in counted_accelerators(demand):
            most = self.accelerators.get(key)
            if most is not None and self.used_accelerators.get(key, 0) + count > most:
                return False
        return True

    def _count(self, demand: Demand, sign: int) -> None:
        for key, count in counted_accelerators(demand):
            self.used_accelerators[key] = self.used_accelerators.get(key, 0) + sign * count
