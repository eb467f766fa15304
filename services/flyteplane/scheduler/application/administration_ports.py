"""What the administration of queues and classes needs of others: a durable store, and the admission that is alive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from flyteplane.foundation.repetition import RequestMark
from flyteplane.scheduler.domain.definitions import Entries
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.waits import QueueFigures, RoomFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredRequest:
    """A request that may be sent again."""

    mark: RequestMark
    at: float
    """When it was answered first, seconds since the epoch."""


Request: TypeAlias = AnsweredRequest | None
"""None: the request has no id, and is never known again."""


class AdministrationRecords(Protocol):
    """The durable queues and classes. Every write compares the epoch inside of its transaction, and keeps in it which
    request it answers."""

    def take_over(self, epoch: int) -> None:
        """Writes under this epoch from now on, which the scheduler that leads has claimed."""

    async def load(self) -> Entries:
        """Everything that is stored, in order of names."""

    async def is_answered(self, request: AnsweredRequest) -> bool:
        """Whether this very request was answered by a write, in the last day at least. Raises AlreadyExists: its id
        belongs to another request."""

    async def put_queue(self, queue: QueueSettings, *, request: Request = None) -> None:
        """Stores a queue in place of the one of its name; durable on return. Raises Aborted (FENCED)."""

    async def delete_queue(self, name: str, *, request: Request = None) -> None:
        """Removes a queue if it is there; durable on return. Raises Aborted (FENCED)."""

    async def put_class(self, shape: ResourceClass, *, request: Request = None) -> None:
        """Stores a class in place of the one of its name; durable on return. Raises Aborted (FENCED)."""

    async def delete_class(self, name: str, *, request: Request = None) -> None:
        """Removes a class if it is there; durable on return. Raises Aborted (FENCED)."""


class LiveAdmission(Protocol):
    """The admission in memory, which decides by what it was configured with last."""

    def configure(
        self,
        *,
        queues: Sequence[QueueSettings],
        classes: Sequence[ResourceClass],
        clusters: Sequence[ClusterRoom],
    ) -> None:
        """Replaces the whole configuration: it holds for what is admitted next, and what waits is mapped anew. Evicts
        nothing; what a queue or class that is gone still runs goes on."""

    def figures(self, queue: str) -> QueueFigures:
        """What is in a queue; zeros for one that it does not know."""

    def class_figures(self, name: str) -> RoomFigures:
        """What a class has in use; zeros for one that it does not know."""
