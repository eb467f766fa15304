"""Admission written down naively: every decision looks at everything anew. What the real one is compared with.

It knows nothing of heaps, lanes or wake-ups. Reservations are left out: they never come due in the comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from flyteplane.scheduler.domain.queueing.checks import names_any
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, Demand, ResourceClass, smallest_fit
from flyteplane.scheduler.domain.queueing.settings import QueueSettings


class Shape(NamedTuple):
    demand: Demand
    resource_class: str
    clusters: tuple[str, ...]
    needs_room: bool


@dataclass(eq=False)
class Item:
    name: int
    queue: str
    project: str
    run: str
    demand: Demand
    since: float
    number: int
    needs_room: bool
    shape: Shape


@dataclass(eq=False)
class Held:
    queue: str
    project: str
    run: str
    demand: Demand
    resource_class: str
    cluster: str
    lent: bool = False


@dataclass
class Reference:
    """The naive admission."""

    ageing: float
    queues: dict[str, QueueSettings] = field(default_factory=dict)
    classes: list[ResourceClass] = field(default_factory=list)
    clusters: list[ClusterRoom] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    run_limits: dict[str, int] = field(default_factory=dict)
    tenants: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """By queue and project: the turn of the last service and, of those never served, the order of coming."""
    seats: dict[tuple[str, str], int] = field(default_factory=dict)
    turn: int = 0

    # --- configuration

    def replace_queues(self, queues: list[QueueSettings]) -> None:
        gone = {
            name: QueueSettings(
                name=name,
                run_concurrency=old.run_concurrency,
                action_concurrency=old.action_concurrency,
                priority=old.priority,
                clusters=old.clusters,
                depth=old.depth,
                draining=True,
            )
            for name, old in self.queues.items()
            if any(one.queue == name for one in self.everything())
        }
        for (queue, project), _ in list(self.tenants.items()):
            if queue not in gone and queue not in {one.name for one in queues} and queue != "default":
                del self.tenants[queue, project]
        self.queues = gone | {"default": QueueSettings(name="default")} | {one.name: one for one in queues}
        self.map_anew()

    def map_anew(self) -> None:
        for item in self.waiting:
            item.shape = self.shape_of(item.queue, item.demand, item.needs_room)

    def shape_of(self, queue: str, demand: Demand, needs_room: bool) -> Shape:
        one = smallest_fit(demand, [one for one in self.classes if self.places(queue, one, demand)])
        if not needs_room or one is None:
            return Shape(demand, "", (), needs_room)
        return Shape(demand, one.name, self.places(queue, one, demand), needs_room)

    def places(self, queue: str, one: ResourceClass, demand: Demand) -> tuple[str, ...]:
        allowed = self.queues[queue].clusters
        return tuple(
            room.name
            for room in self.clusters
            if (names_any(one.clusters) or room.name in one.clusters)
            and (names_any(allowed) or room.name in allowed)
            and (not demand.clusters or room.name in demand.clusters)
            and not room.never_fits(demand)
        )

    def everything(self) -> list[Item | Held]:
        return [*self.waiting, *self.held]

    # --- changes

    def join(self, queue: str, project: str, run: str, run_limit: int) -> None:
        self.run_limits[run] = run_limit
        if (queue, run) not in self.seats:
            self.turn += 1
            self.tenants.setdefault((queue, project), (-1, self.turn))
            self.seats[queue, run] = self.turn

    def leave(self, queue: str, run: str) -> None:
        if not any(one.queue == queue and one.run == run for one in self.everything()):
            self.seats.pop((queue, run), None)
        if not any(one.run == run for one in self.everything()):
            self.run_limits.pop(run, None)

    def hold(self, item: Item, cluster: str) -> Held:
        held = Held(item.queue, item.project, item.run, item.demand, item.shape.resource_class, cluster)
        self.held.append(held)
        self.serve(item.queue, item.project, item.run)
        return held

    def serve(self, queue: str, project: str, run: str) -> None:
        self.turn += 1
        self.tenants[queue, project] = (self.turn, 0)
        self.seats[queue, run] = self.turn

    # --- what is used

    def running(self, **where: str) -> list[Held]:
        return [
            one for one in self.held if not one.lent and all(getattr(one, key) == value for key, value in where.items())
        ]

    def runs(self, queue: str) -> set[str]:
        return {one.run for one in self.held if one.queue == queue}

    # --- decisions

    def admit(self) -> Iterator[tuple[Item, Held]]:
        while True:
            item = self.next()
            if item is None:
                return
            cluster = self.place(item.shape) or ""
            self.waiting.remove(item)
            yield item, self.hold(item, cluster)

    def next(self) -> Item | None:
        heads: dict[tuple[str, str, Shape], Item] = {}
        for item in self.waiting:
            heads.setdefault((item.queue, item.run, item.shape), item)
        eligible = [item for item in heads.values() if self.may_run(item)]
        if not eligible:
            return None
        first = min(eligible, key=lambda one: (self.ageing * one.since - self.queues[one.queue].priority, one.number))
        return min((one for one in eligible if one.queue == first.queue), key=self.turn_of)

    def turn_of(self, item: Item) -> tuple[tuple[int, int], int, int]:
        return self.tenants[item.queue, item.project], self.seats[item.queue, item.run], item.number

    def may_run(self, item: Item) -> bool:
        return self.limits_allow(item.queue, item.run) and self.place(item.shape) is not None

    def limits_allow(self, queue: str, run: str, run_limit: int | None = None) -> bool:
        settings = self.queues[queue]
        limit = self.run_limits.get(run, 0) if run_limit is None else run_limit
        if limit and len(self.running(run=run)) >= limit:
            return False
        if settings.action_concurrency and len(self.running(queue=queue)) >= settings.action_concurrency:
            return False
        runs = self.runs(queue)
        return run in runs or not settings.run_concurrency or len(runs) < settings.run_concurrency

    def place(self, shape: Shape) -> str | None:
        """The cluster; empty if none is needed, None if there is no room."""
        if not shape.needs_room:
            return ""
        quota = next((one for one in self.classes if one.name == shape.resource_class), None)
        if quota is None or not _fits(
            shape.demand, self.running(resource_class=quota.name), quota.quota_cpu_millis, quota.quota_memory_bytes
        ):
            return None
        ranked = []
        for order, room in enumerate(self.clusters):
            used = self.running(cluster=room.name)
            if room.name not in shape.clusters or room.name in self.unreachable:
                continue
            if _fits(shape.demand, used, room.cpu_millis, room.memory_bytes) and self._accelerators_fit(shape, room):
                cpu = sum(one.demand.cpu_millis for one in used)
                memory = sum(one.demand.memory_bytes for one in used)
                free_cpu = room.cpu_millis - cpu if room.cpu_millis else float("inf")
                free_memory = room.memory_bytes - memory if room.memory_bytes else float("inf")
                ranked.append((-free_cpu, -free_memory, cpu, len(used), order, room.name))
        return min(ranked)[-1] if ranked else None

    def _accelerators_fit(self, shape: Shape, room: ClusterRoom) -> bool:
        for key, most in room.accelerators.items():
            used = sum(_count(one.demand, key) for one in self.running(cluster=room.name))
            wanted = _count(shape.demand, key)
            if wanted and used + wanted > most:
                return False
        return True


def _count(demand: Demand, key: str) -> int:
    return sum(count for name, count in demand.accelerators if name == key or name.partition("/")[0] == key)


def _fits(demand: Demand, used: list[Held], cpu_millis: int, memory_bytes: int) -> bool:
    cpu = sum(one.demand.cpu_millis for one in used)
    memory = sum(one.demand.memory_bytes for one in used)
    if cpu_millis and cpu and cpu + demand.cpu_millis > cpu_millis:
        return False
    return not memory_bytes or memory + demand.memory_bytes <= memory_bytes
