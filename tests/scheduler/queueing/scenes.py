"""The smallest scenes of admission: one cluster without limits, one class, and words to push and admit by."""

from __future__ import annotations

from flyteplane.scheduler.domain.queueing.admission import Admission
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, Demand, ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.slots import Slot

ANY = ResourceClass(name="any")
ENDLESS = ClusterRoom(name="endless")
CORE = Demand(cpu_millis=1000)


def admission(
    *queues: QueueSettings,
    clusters: tuple[ClusterRoom, ...] = (ENDLESS,),
    classes: tuple[ResourceClass, ...] = (ANY,),
) -> Admission[str]:
    return Admission(clusters=clusters, queues=queues, classes=classes, ageing_per_s=1.0, reserve_after_s=60.0)


def push(
    to: Admission[str],
    *items: str,
    queue: str = "default",
    project: str = "p",
    run: str = "r",
    demand: Demand = CORE,
    since: float = 0.0,
    run_limit: int = 0,
    needs_room: bool = True,
) -> None:
    for item in items:
        to.push(
            item,
            queue=queue,
            project=project,
            run=run,
            demand=demand,
            since=since,
            run_limit=run_limit,
            needs_room=needs_room,
        )


def admitted(by: Admission[str], now: float = 0.0) -> dict[str, Slot]:
    return dict(by.admit(now))


def names(by: Admission[str], now: float = 0.0) -> list[str]:
    return [item for item, _ in by.admit(now)]


def machine(cores: int, memory_bytes: int = 0, name: str = "machine") -> ClusterRoom:
    return ClusterRoom(name=name, cpu_millis=cores * 1000, memory_bytes=memory_bytes)
