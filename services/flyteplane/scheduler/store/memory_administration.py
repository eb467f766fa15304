"""Queues and resource classes in memory: for fast tests and for the simulation."""

from __future__ import annotations

from flyteplane.foundation.errors import Aborted
from flyteplane.foundation.repetition import id_reused
from flyteplane.scheduler.application.administration_ports import AnsweredRequest, Request
from flyteplane.scheduler.domain.definitions import Entries
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.store.memory_records import MemoryRecords


class MemoryAdministration:
    """The rows, which outlive those who own them. Fenced by the epoch of the records."""

    def __init__(self, records: MemoryRecords) -> None:
        self.records = records
        self.queues: dict[str, QueueSettings] = {}
        self.classes: dict[str, ResourceClass] = {}
        self.answered: dict[bytes, bytes] = {}

    def open(self) -> MemoryAdministrationOwner:
        """A view of the rows for one scheduler."""
        return MemoryAdministrationOwner(self)


class MemoryAdministrationOwner:
    """Implements `AdministrationRecords`."""

    def __init__(self, rows: MemoryAdministration) -> None:
        self._rows = rows
        self._epoch = 0

    def take_over(self, epoch: int) -> None:
        """See the port."""
        self._epoch = epoch

    async def load(self) -> Entries:
        """See the port."""
        return Entries(
            queues=tuple(queue for _, queue in sorted(self._rows.queues.items())),
            classes=tuple(shape for _, shape in sorted(self._rows.classes.items())),
        )

    async def is_answered(self, request: AnsweredRequest) -> bool:
        """See the port."""
        content = self._rows.answered.get(request.mark.name)
        if content is not None and content != request.mark.content:
            raise id_reused()
        return content is not None

    async def put_queue(self, queue: QueueSettings, *, request: Request = None) -> None:
        """See the port."""
        self._write(request)
        self._rows.queues[queue.name] = queue

    async def delete_queue(self, name: str, *, request: Request = None) -> None:
        """See the port."""
        self._write(request)
        self._rows.queues.pop(name, None)

    async def put_class(self, shape: ResourceClass, *, request: Request = None) -> None:
        """See the port."""
        self._write(request)
        self._rows.classes[shape.name] = shape

    async def delete_class(self, name: str, *, request: Request = None) -> None:
        """See the port."""
        self._write(request)
        self._rows.classes.pop(name, None)

    def _write(self, request: Request) -> None:
        if not self._epoch or self._epoch != self._rows.records.epoch:
            raise Aborted("another scheduler has claimed the shard", reason="FENCED")
        if request is not None:
            self._rows.answered[request.mark.name] = request.mark.content
