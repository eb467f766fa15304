"""The admission as the administration of queues and classes sees it: told of changes, asked for figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.domain.queueing.admission import Admission
    from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, ResourceClass
    from flyteplane.scheduler.domain.queueing.settings import QueueSettings
    from flyteplane.scheduler.domain.queueing.waits import QueueFigures, RoomFigures


class EngineAdmission:
    """Implements `LiveAdmission`.

    Args:
        changed: called after every change: what is known of tasks is out of date, and what waits may run now.
    """

    def __init__(self, admission: Admission[Action], *, changed: Callable[[], None]) -> None:
        self._admission = admission
        self._changed = changed

    def configure(
        self,
        *,
        queues: Sequence[QueueSettings],
        classes: Sequence[ResourceClass],
        clusters: Sequence[ClusterRoom],
    ) -> None:
        """See the port."""
        self._admission.configure(queues=queues, classes=classes, clusters=clusters)
        self._changed()

    def figures(self, queue: str) -> QueueFigures:
        """See the port."""
        return self._admission.figures(queue)

    def class_figures(self, name: str) -> RoomFigures:
        """See the port."""
        return self._admission.class_figures(name)
