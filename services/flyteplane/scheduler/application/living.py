"""Runs, actions and attempts that live, as the engine holds them in memory.

Holders are mutable and belong to the engine alone; what they hold (`ActionState`, specs, payload bytes) are values.
An action that has ended keeps its name and phase only, so that a run's memory is small beside its stored rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from flyte.spec.trace_context import TraceContext
from flyteapi.scheduler.v1.event_pb2 import EventBatch

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.event_pb2 import Event
    from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec
    from flyteplane.scheduler.application.ports import Placement, RunKey, RunRow
    from flyteplane.scheduler.application.timers import PendingTimer
    from flyteplane.scheduler.application.watch import Watcher
    from flyteplane.scheduler.domain.failures import Failure
    from flyteplane.scheduler.domain.policy import ActionPolicy
    from flyteplane.scheduler.domain.queueing.classes import Demand
    from flyteplane.scheduler.domain.queueing.slots import Slot
    from flyteplane.scheduler.domain.state import ActionState

T = TypeVar("T")

#: Events of a living run that are kept in memory for watchers that come late.
RECENT_EVENTS: Final = 2_000


class TaskRecord:
    """A task version that living runs use."""

    __slots__ = (
        "__weakref__",
        "asks",
        "demand",
        "digest",
        "interface_digest",
        "policy",
        "refusal",
        "reusable",
        "spec",
        "stored",
    )

    def __init__(
        self, *, digest: bytes, spec: TaskSpec, policy: ActionPolicy, demand: Demand, interface_digest: bytes
    ) -> None:
        self.digest = digest
        self.spec = spec
        self.policy = policy
        self.demand = demand
        self.interface_digest = interface_digest
        self.reusable = spec.HasField("reuse")
        """Runs on replicas of a pool."""
        self.asks = spec.HasField("condition")
        """A question to people, which no worker carries out."""
        self.refusal: Failure | None = None
        """Why no action of this task is accepted; None if they are."""
        self.stored = False


class Run:
    """A run that has not ended."""

    __slots__ = (
        "actions",
        "key",
        "key_text",
        "next_ordinal",
        "next_sequence",
        "pending",
        "published",
        "recent",
        "reports",
        "row",
        "settings",
        "trace",
        "watchers",
    )

    def __init__(self, *, row: RunRow, settings: RunSettings) -> None:
        self.row = row
        self.key: RunKey = row.key
        self.key_text = str(row.key)
        self.settings = settings
        self.trace = TraceContext.parse(settings.trace_parent) if settings.trace_parent else None
        """The trace that it belongs to; None for none."""
        self.actions: dict[str, Action] = {}
        self.next_ordinal = 1
        self.next_sequence = 1
        self.pending = EventBatch()
        """Events that are not stored yet."""
        self.published = 0
        """Sequence of the last event that watchers were given; the next one reaches every watcher that is there."""
        self.recent: deque[Event] = deque(maxlen=RECENT_EVENTS)
        """Stored events, the newest last."""
        self.reports: set[str] = set()
        """Actions whose HTML report was written since this process leads, for watchers that come late."""
        self.watchers: set[Watcher] = set()


class Action:
    """An action of a living run."""

    __slots__ = (
        "attempt",
        "cache_key",
        "children",
        "custom_context",
        "group",
        "inputs",
        "inputs_digest",
        "name",
        "ordinal",
        "parent",
        "queue",
        "run",
        "state",
        "task",
        "timers",
        "traces",
        "waiters",
    )

    def __init__(
        self,
        *,
        run: Run,
        name: str,
        parent: Action | None,
        task: TaskRecord,
        ordinal: int,
        inputs: bytes,
        inputs_digest: bytes,
        group: str,
        queue: str,
        custom_context: bytes,
        state: ActionState,
    ) -> None:
        self.run = run
        self.name = name
        self.parent = parent
        self.task = task
        self.ordinal = ordinal
        self.inputs = inputs
        self.inputs_digest = inputs_digest
        self.group = group
        self.queue = queue
        self.custom_context = custom_context
        self.state = state
        self.attempt: Attempt | None = None
        # Most actions have one waiter and none of the rest, and a run may have 100,000 of them: tuples cost least.
        self.children: Sequence[Action] = ()
        self.waiters: tuple[tuple[Attempt, int], ...] = ()
        """Attempts that wait for the result, each with its call number."""
        self.timers: tuple[PendingTimer, ...] = ()
        self.cache_key: bytes = b""
        self.traces: Collection[bytes] = ()
        """Recorded calls of traced functions, each once and in order, given back to a retried attempt."""

    def add_child(self, child: Action) -> None:
        """The action has called another."""
        self.children = _appended(self.children, child)

    def add_trace(self, record: bytes) -> int:
        """A call of a traced function was recorded; returns which one it is, from 1 on."""
        # Ordered, and quick to look into however many there are.
        traces = self.traces if isinstance(self.traces, dict) else {}
        traces[record] = None
        self.traces = traces
        return len(traces)


class Attempt:
    """A placed attempt."""

    __slots__ = ("action", "calls", "lease", "outstanding", "placement", "slot", "waiting")

    def __init__(self, *, action: Action, lease: int, placement: Placement, slot: Slot) -> None:
        self.action = action
        self.lease = lease
        self.placement = placement
        self.slot = slot
        self.calls: dict[int, Action | None] = {}
        """Calls whose answers were not sent yet, with their children; None for a call that was refused."""
        self.outstanding = 0
        """Calls to children without a result."""
        self.waiting = False
        """It waits for children and has lent its slot."""


def living_descendants(action: Action) -> list[Action]:
    """All actions below that have not ended, parents before children: ended in reverse, no end meets a living child."""
    found: list[Action] = []
    unvisited = [action]
    while unvisited:
        for child in unvisited.pop().children:
            if not child.state.phase.terminal:
                found.append(child)
                unvisited.append(child)
    return found


def _appended(items: Sequence[T], item: T) -> list[T]:
    """A list with the item at its end: the same one, once it is a list."""
    if isinstance(items, list):
        items.append(item)
        return items
    return [*items, item]
