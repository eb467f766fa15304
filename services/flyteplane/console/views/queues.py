"""Queues as rows: what runs, what waits, what limits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.queue_service_pb2 import (
    QUEUE_STATE_DRAINED,
    QUEUE_STATE_DRAINING,
)
from flyteplane.console.views.amounts import of_limit, share

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.queue_service_pb2 import Queue

_STATES: Final = {QUEUE_STATE_DRAINING: ("draining", "Draining"), QUEUE_STATE_DRAINED: ("drained", "Drained")}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """A queue. Shares are between 0 and 1, None without a limit."""

    name: str
    state: str
    state_text: str
    runs: str
    running: str
    running_share: float | None
    waiting: str
    held: str
    """What runs and waits, of what it may hold."""
    priority: int
    clusters: str
    from_file: bool
    drains: bool
    """It admits nothing new."""

    @property
    def key(self) -> str:
        """Names its row on the page."""
        return f"queue-{self.name}"


def queue_view(queue: Queue) -> QueueView:
    """A queue of a message."""
    state, state_text = _STATES.get(queue.state, ("active", "Active"))
    return QueueView(
        name=queue.name,
        state=state,
        state_text=state_text,
        runs=of_limit(queue.running_runs, queue.run_concurrency),
        running=of_limit(queue.running, queue.action_concurrency),
        running_share=share(queue.running, queue.action_concurrency),
        waiting=f"{queue.waiting:,}",
        held=of_limit(queue.running + queue.waiting, queue.depth),
        priority=queue.priority if queue.HasField("priority") else 500,
        clusters=", ".join(queue.clusters) or "all",
        from_file=queue.from_file,
        drains=state != "active",
    )
