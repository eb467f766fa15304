"""Admission over long stretches of time: shares, starvation, claims, memory. Seeded; virtual time."""

from __future__ import annotations

import heapq
import random
import tracemalloc

import pytest

from flyteplane.scheduler.domain.queueing.admission import Admission
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, Demand, ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.slots import Slot

ANY = ResourceClass(name="any")
CORE = Demand(cpu_millis=1000)


class World:
    """Attempts that end by themselves, in virtual time."""

    def __init__(self, admission: Admission[int], *, seed: int = 0) -> None:
        self.admission = admission
        self.random = random.Random(seed)
        self.now = 0.0
        self.pushed = 0
        self.queued_at: dict[int, float] = {}
        self.waits: dict[int, float] = {}
        self._ends: list[tuple[float, int, Slot]] = []

    def push(self, *, queue: str = "default", project: str = "p", run: str = "r", demand: Demand = CORE) -> int:
        self.pushed += 1
        self.queued_at[self.pushed] = self.now
        self.admission.push(self.pushed, queue=queue, project=project, run=run, demand=demand, since=self.now)
        return self.pushed

    def step(self, *, until: float, runtime_s: float = 1.0) -> list[int]:
        """Ends what is due up to a time and admits; returns what was admitted, in order."""
        order = self._admit(runtime_s)
        while self._ends and self._ends[0][0] <= until:
            self.now = self._ends[0][0]
            heapq.heappop(self._ends)[2].release()
            order += self._admit(runtime_s)
        self.now = until
        return order

    def _admit(self, runtime_s: float) -> list[int]:
        order = []
        for item, slot in self.admission.admit(self.now):
            self.waits[item] = self.now - self.queued_at.pop(item)
            heapq.heappush(self._ends, (self.now + runtime_s * self.random.uniform(0.5, 1.5), item, slot))
            order.append(item)
        return order


def machine(cores: int) -> ClusterRoom:
    return ClusterRoom(name="machine", cpu_millis=cores * 1000)


def test_a_tenant_with_a_hundred_thousand_does_not_delay_one_with_ten() -> None:
    world = World(Admission(clusters=[machine(2)], classes=[ANY]))
    for number in range(100_000):
        world.push(project="many", run=f"run-{number % 3}")
    world.step(until=10.0)
    few = [world.push(project="few", run="small") for _ in range(10)]
    order = world.step(until=30.0)
    placed = [order.index(item) for item in few]
    assert placed == [2 * turn + placed[0] for turn in range(10)]
    assert placed[0] <= 1


def test_tenants_with_enough_to_do_get_equal_shares_whatever_their_runs() -> None:
    world = World(Admission(clusters=[machine(3)], classes=[ANY]))
    owner = {}
    for project, runs in (("one", 1), ("two", 7), ("three", 40)):
        for number in range(1_000):
            owner[world.push(project=project, run=f"{project}-{number % runs}")] = project
    order = world.step(until=300.0)
    counts = [sum(owner[item] == project for item in order) for project in ("one", "two", "three")]
    assert sum(counts) > 500
    assert max(counts) - min(counts) <= 1


def test_a_low_priority_progresses_under_a_flood_of_high_ones() -> None:
    queues = [QueueSettings(name="low", priority=0), QueueSettings(name="high", priority=1000)]
    world = World(Admission(clusters=[machine(1)], queues=queues, classes=[ANY]), seed=1)
    low: list[int] = []
    for _ in range(6_000):
        world.push(queue="high", run=f"h{world.pushed % 5}")
        if world.pushed % 40 == 0:
            low.append(world.push(queue="low", run="l"))
        world.step(until=world.now + 0.9)
    served = [world.waits[item] for item in low if item in world.waits]
    assert len(served) > 40
    assert min(served) > 500, "ageing takes its time"
    assert max(served) < 2_500, "and does not take forever"


@pytest.mark.parametrize("seed", range(5))
def test_large_demands_come_through_and_nothing_is_lost(seed: int) -> None:
    classes = [ResourceClass(name="small", max_cpu_millis=2_000, quota_cpu_millis=6_000), ANY]
    clusters = [machine(8), ClusterRoom(name="other", cpu_millis=4_000, memory_bytes=1_000)]
    queues = [
        QueueSettings(name="limited", action_concurrency=3, run_concurrency=2),
        QueueSettings(name="bound", clusters=("other",), priority=900),
    ]
    world = World(Admission(clusters=clusters, queues=queues, classes=classes), seed=seed)
    demands = [Demand(500), Demand(1_000, 200), Demand(2_000), Demand(4_000, 900), Demand(8_000)]
    for _ in range(1_500):
        for _ in range(world.random.randint(0, 3)):
            world.push(
                queue=world.random.choice(["default", "limited", "bound"]),
                project=world.random.choice("pqr"),
                run=f"run-{world.random.randint(0, 9)}",
                demand=world.random.choices(demands, weights=[40, 30, 20, 5, 1])[0],
            )
        world.step(until=world.now + 1.0, runtime_s=1.5)
    while world.queued_at:
        before = len(world.queued_at)
        world.step(until=world.now + 600.0, runtime_s=1.5)
        assert len(world.queued_at) < before, "nothing was admitted in ten minutes"
    world.step(until=world.now + 600.0)
    assert len(world.waits) == world.pushed
    assert world.admission.size_of_bookkeeping() == 0


def test_the_same_calls_give_the_same_order() -> None:
    def order(seed: int) -> list[int]:
        world = World(Admission(clusters=[machine(4)], classes=[ANY]), seed=seed)
        for _ in range(500):
            world.push(
                project=world.random.choice("pqr"),
                run=world.random.choice("abcdef"),
                demand=world.random.choice([CORE, Demand(2_500), Demand(100)]),
            )
        return world.step(until=1_000.0)

    assert order(3) == order(3)
    assert len(order(3)) == 500


def test_a_waiting_child_of_a_large_run_costs_little_memory() -> None:
    admission: Admission[int] = Admission(clusters=[machine(1)], classes=[ANY])
    items = list(range(20_000))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for item in items:
            admission.push(item, queue="default", project="p", run="r", demand=CORE, since=0.0)
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert used / len(items) < 250


def test_what_was_discarded_leaves_nothing_behind() -> None:
    admission: Admission[int] = Admission(clusters=[machine(1)], classes=[ANY])
    keep = admission.try_admit(queue="default", project="p", run="r", demand=CORE)
    assert keep is not None
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(20_000):
            admission.push(number, queue="default", project="p", run=f"r{number % 7}", demand=CORE, since=float(number))
            if number >= 10:
                assert admission.discard(number - 10)
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(admission) == 10
    assert used < 100_000
