"""What admitting costs: the pure core of the scheduler alone, without store, workers or clock.

The question is whether a cycle's cost grows with what it admits or with what waits. The same cycles are run over 1,000
and over 100,000 waiting actions in 200 queues: a few attempts end, as many are admitted. What waits stays as it is,
since for each that was admitted another one comes.
"""

from __future__ import annotations

import time
import tracemalloc
from collections import deque
from dataclasses import dataclass, field

from flyteplane.scheduler.domain.queueing.admission import Admission
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, Demand, ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.slots import Slot

QUEUES = 200
PROJECTS = 5
RUNS_OF_A_QUEUE = 5
ADMITTED = 10_000
ROUNDS = 3
ADMITTED_IN_A_CYCLE = 10
CLUSTER = ClusterRoom(name="cluster", cpu_millis=100_000, memory_bytes=400 * 2**30)
CLASSES = (
    ResourceClass(name="small", max_cpu_millis=1_000, max_memory_bytes=4 * 2**30),
    ResourceClass(name="large", max_cpu_millis=16_000, max_memory_bytes=64 * 2**30),
)
DEMANDS = (
    Demand(cpu_millis=250),
    Demand(cpu_millis=1_000, memory_bytes=2**30),
    Demand(cpu_millis=4_000, memory_bytes=8 * 2**30),
)


@dataclass
class Load:
    """An admission with much that waits and a full cluster."""

    waiting: int
    mixed: bool = False
    """Each queue holds demands of all sizes; else each has a kind of work of its own."""
    admission: Admission[int] = field(init=False)
    running: deque[Slot] = field(default_factory=deque)
    pushed: int = 0
    now: float = 1_000.0

    def __post_init__(self) -> None:
        queues = [
            QueueSettings(name=f"queue-{number}", priority=number % 3 * 500, action_concurrency=number % 4 * 10)
            for number in range(QUEUES)
        ]
        self.admission = Admission(clusters=(CLUSTER,), queues=queues, classes=CLASSES)
        for _ in range(self.waiting):
            self.push()
        self.cycle()

    def push(self) -> None:
        """One more waits."""
        number = self.pushed
        self.pushed += 1
        queue, turn = number % QUEUES, number // QUEUES
        self.admission.push(
            number,
            queue=f"queue-{queue}",
            project=f"project-{turn % PROJECTS}",
            run=f"run-{queue}-{turn % (PROJECTS * RUNS_OF_A_QUEUE)}",
            demand=DEMANDS[(turn if self.mixed else queue) % len(DEMANDS)],
            since=self.now,
        )

    def cycle(self) -> int:
        """Admits whatever fits; returns how many."""
        self.now += 0.01
        before = len(self.running)
        self.running.extend(slot for _, slot in self.admission.admit(self.now))
        return len(self.running) - before

    def measure(self) -> float:
        """Microseconds of cpu for each of many admissions with the release of another. What is gone comes again."""
        admitted, spent = 0, 0.0
        while admitted < ADMITTED:
            began = time.process_time()
            for _ in range(ADMITTED_IN_A_CYCLE):
                self.running.popleft().release()
            count = self.cycle()
            spent += time.process_time() - began
            for _ in range(count):
                self.push()
            admitted += count
        return spent / admitted * 1e6


def short_way() -> float:
    """Microseconds of cpu for a slot of an unlimited queue in which nothing waits."""
    admission: Admission[int] = Admission(clusters=(CLUSTER,), classes=CLASSES)
    held = admission.try_admit(queue="default", project="project", run="run", needs_room=False)
    began = time.process_time()
    slots = [
        admission.try_admit(queue="default", project="project", run="run", needs_room=False) for _ in range(ADMITTED)
    ]
    spent = time.process_time() - began
    if held is None or None in slots:
        raise RuntimeError("an unlimited queue kept somebody waiting")
    return spent / ADMITTED * 1e6


def bytes_per_waiting(waiting: int) -> float:
    """Memory of the core for each waiting action, the action itself not counted."""
    tracemalloc.start()
    try:
        load = Load(waiting)
        used, _ = tracemalloc.get_traced_memory()
        return used / len(load.admission)
    finally:
        tracemalloc.stop()


def _side_by_side(*, mixed: bool) -> tuple[float, float]:
    """The costs over few and over many, measured in turn; the least of each, as others use the machine as well."""
    few, many = Load(1_000, mixed=mixed), Load(100_000, mixed=mixed)
    rounds = [(few.measure(), many.measure()) for _ in range(ROUNDS)]
    return min(cost for cost, _ in rounds), min(cost for _, cost in rounds)


def admission() -> dict[str, float]:
    """Admission over 1,000 and over 100,000 waiting actions in 200 queues."""
    few, many = _side_by_side(mixed=False)
    few_mixed, many_mixed = _side_by_side(mixed=True)
    return {
        "us_of_1000": round(few, 2),
        "us_of_100000": round(many, 2),
        "times": round(many / few, 2),
        "mixed_us_of_1000": round(few_mixed, 2),
        "mixed_us_of_100000": round(many_mixed, 2),
        "mixed_times": round(many_mixed / few_mixed, 2),
        "bytes_per_waiting": round(bytes_per_waiting(100_000)),
        "try_admit_us": round(short_way(), 2),
    }
