"""A scheduler's administration over memory, with an admission that only remembers what it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.scheduler.application.administration import Administration
from flyteplane.scheduler.application.administration_ports import Request
from flyteplane.scheduler.application.class_admin import ClassAdministration
from flyteplane.scheduler.application.queue_admin import QueueAdministration
from flyteplane.scheduler.domain.definitions import Entries
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.waits import QueueFigures, RoomFigures
from flyteplane.scheduler.store.memory_administration import MemoryAdministration, MemoryAdministrationOwner
from flyteplane.scheduler.store.memory_records import MemoryRecords

LOCAL = ClusterRoom(name="local", cpu_millis=4000, memory_bytes=8 * 2**30)
PROD = ClusterRoom(name="prod")


def in_queue(*, running: int = 0, waiting: int = 0, runs: int = 0, parents: int = 0) -> QueueFigures:
    """Figures of a queue; `parents` have an attempt that waits for its children."""
    return QueueFigures(running=running, waiting=waiting, runs=runs, held=running + parents)


@dataclass(slots=True)
class RememberedAdmission:
    """Implements `LiveAdmission`."""

    queues: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    configured: int = 0
    in_queue: dict[str, QueueFigures] = field(default_factory=dict)
    in_class: dict[str, RoomFigures] = field(default_factory=dict)

    def configure(
        self, *, queues: Sequence[QueueSettings], classes: Sequence[ResourceClass], clusters: Sequence[ClusterRoom]
    ) -> None:
        """See the port."""
        self.queues = [queue.name for queue in queues]
        self.classes = [shape.name for shape in classes]
        self.configured += 1

    def figures(self, queue: str) -> QueueFigures:
        """See the port."""
        return self.in_queue.get(queue, QueueFigures())

    def class_figures(self, name: str) -> RoomFigures:
        """See the port."""
        return self.in_class.get(name, RoomFigures())


class TroubledRecords(MemoryAdministrationOwner):
    """A store whose writes can be held up, or take effect although they fail."""

    def __init__(self, rows: MemoryAdministration) -> None:
        super().__init__(rows)
        self.gate = asyncio.Event()
        self.gate.set()
        self.answer_lost = False

    async def put_queue(self, queue: QueueSettings, *, request: Request = None) -> None:
        """See the port."""
        await self.gate.wait()
        await super().put_queue(queue, request=request)
        if self.answer_lost:
            raise Unavailable("the answer of the store was lost")


class World:
    """Memory that outlives schedulers, and the scheduler that leads now."""

    def __init__(self, *, file: Entries | None = None, clusters: Sequence[ClusterRoom] = (LOCAL, PROD)) -> None:
        self.shard = MemoryRecords()
        self.rows = MemoryAdministration(self.shard)
        self.file = file or Entries()
        self.clock = ManualClock()
        self.clusters = clusters

    async def lead(self) -> None:
        """A new scheduler takes the shard over; the one before it goes on, fenced."""
        self.live = RememberedAdmission()
        self.records = TroubledRecords(self.rows)
        self.administration = Administration(
            self.records, live=self.live, clusters=self.clusters, clock=self.clock, file=self.file
        )
        self.queues = QueueAdministration(self.administration)
        self.classes = ClassAdministration(self.administration)
        await self.administration.open(epoch=await self.shard.open().claim(at_least=1))

    @property
    def stored_queues(self) -> list[str]:
        """Names of the queues in the store."""
        return sorted(self.rows.queues)
