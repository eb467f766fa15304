"""Use cases of queues: put, look, drain, delete.

Every change holds for what is admitted next and evicts nothing. A queue is deleted only once it is drained and empty,
so that no action ever waits in a queue that is not there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from flyte.spec.names import DEFAULT_QUEUE
from flyteplane.foundation.errors import AlreadyExists, FailedPrecondition, NotFound
from flyteplane.scheduler.application.administration import (
    Administration,
    refuse_change_of_file,
    refuse_unknown_clusters,
)
from flyteplane.scheduler.application.administration_ports import Request
from flyteplane.scheduler.domain.definitions import Definitions, Origin, QueueEntry
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.waits import QueueFigures

#: Between two words that figures have changed: people cannot read faster.
_APART_S: Final = 0.25


class QueueState(StrEnum):
    """Whether a queue accepts and admits."""

    ACTIVE = "active"
    DRAINING = "draining"
    """Accepts nothing, admits what it has."""
    DRAINED = "drained"
    """Draining and empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """A queue as it is at this moment."""

    settings: QueueSettings
    state: QueueState
    running: int
    """Actions with an attempt, those that wait for their children included; with `waiting` the depth."""
    waiting: int
    running_runs: int
    from_file: bool


class QueueAdministration:
    """Serves the queues of an administration."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def get(self, name: str) -> QueueView:
        """One queue. Raises NotFound."""
        return self._view(_find(self._administration.definitions, name))

    def all(self) -> list[QueueView]:
        """All queues, by name."""
        return [self._view(entry) for entry in self._administration.definitions.queues.values()]

    def changes(self) -> AsyncGenerator[None, None]:
        """Rings once, and then whenever figures of queues, classes or clusters may have changed. Raises Unavailable."""
        # Whoever does not lead has no figures, and says so at once.
        _ = self._administration.definitions
        return self._administration.figures_changed.rings(apart_s=_APART_S)

    async def put(
        self,
        queue: QueueSettings,
        *,
        must_be_new: bool = False,
        must_exist: bool = False,
        request: Request = None,
    ) -> QueueView:
        """Creates or replaces a queue; durable on return.

        Raises InvalidArgument (unknown cluster), AlreadyExists (`must_be_new`), NotFound (`must_exist`),
        FailedPrecondition (it stands in the operator's file).
        """
        given = self._administration
        refuse_unknown_clusters(queue.clusters, clusters=given.clusters)

        async def decide(definitions: Definitions) -> None:
            entry = definitions.queues.get(queue.name)
            if entry is None and must_exist:
                _find(definitions, queue.name)
            if entry is not None and must_be_new:
                raise AlreadyExists(
                    f"queue {queue.name!r} exists already",
                    reason="QUEUE_EXISTS",
                    mend=f"Change it with `flyte update queue {queue.name}`, or choose another name.",
                )
            if entry is not None:
                refuse_change_of_file(f"queue {queue.name!r}", entry.origin, path=given.file_path)
            await given.records.put_queue(queue, request=request)

        await given.change(decide, request=request)
        return self.get(queue.name)

    async def drain(self, name: str, *, resume: bool = False) -> QueueView:
        """Stops accepting, or with `resume` starts it again; durable on return, and idempotent.

        Raises NotFound, and FailedPrecondition if the operator's file says otherwise.
        """
        given = self._administration

        async def decide(definitions: Definitions) -> None:
            entry = _find(definitions, name)
            if entry.settings.draining is not resume:
                return
            refuse_change_of_file(f"queue {name!r}", entry.origin, path=given.file_path)
            await given.records.put_queue(replace(entry.settings, draining=not resume))

        await given.change(decide)
        return self.get(name)

    async def delete(self, name: str, *, request: Request = None) -> None:
        """Deletes a queue that is drained and empty; durable on return.

        Raises NotFound, and FailedPrecondition for the default queue, one of the operator's file, one that still
        accepts and one that still holds something.
        """
        given = self._administration

        async def decide(definitions: Definitions) -> None:
            entry = _find(definitions, name)
            if name == DEFAULT_QUEUE:
                raise FailedPrecondition(
                    f"queue {name!r} always exists",
                    reason="DEFAULT_QUEUE",
                    mend=f"Drain it with `flyte drain queue {name}` if it should accept nothing.",
                )
            refuse_change_of_file(f"queue {name!r}", entry.origin, path=given.file_path)
            _refuse_living(entry.settings, given.live.figures(name))
            await given.records.delete_queue(name, request=request)

        await given.change(decide, request=request)

    def _view(self, entry: QueueEntry) -> QueueView:
        figures = self._administration.live.figures(entry.settings.name)
        return QueueView(
            settings=entry.settings,
            state=_state(entry.settings, figures),
            running=figures.held,
            waiting=figures.waiting,
            running_runs=figures.runs,
            from_file=entry.origin is Origin.FILE,
        )


def _find(definitions: Definitions, name: str) -> QueueEntry:
    entry = definitions.queues.get(name)
    if entry is None:
        raise NotFound(
            f"queue {name!r} does not exist",
            reason="QUEUE_NOT_FOUND",
            mend=f"The queues are: {', '.join(definitions.queues)}.",
        )
    return entry


def _state(settings: QueueSettings, figures: QueueFigures) -> QueueState:
    if not settings.draining:
        return QueueState.ACTIVE
    return QueueState.DRAINING if figures.held or figures.waiting else QueueState.DRAINED


def _refuse_living(settings: QueueSettings, figures: QueueFigures) -> None:
    left = f"{figures.held} running and {figures.waiting} waiting actions"
    state = _state(settings, figures)
    if state is QueueState.ACTIVE:
        raise FailedPrecondition(
            f"queue {settings.name!r} still accepts, and holds {left}",
            reason="QUEUE_NOT_DRAINED",
            mend=f"Drain it first, with `flyte drain queue {settings.name}`, and delete it once it is empty.",
        )
    if state is QueueState.DRAINING:
        raise FailedPrecondition(
            f"queue {settings.name!r} still holds {left}",
            reason="QUEUE_NOT_EMPTY",
            mend="Delete it once they have ended.",
            metadata={"running": str(figures.held), "waiting": str(figures.waiting)},
        )
