"""The seam between a call in user code and whatever carries it out.

The worker, and the local mode, put a `Controller` into the task context; the authoring surface only knows this
protocol. Inputs are passed as the caller gave them: binding them to the interface, encoding, naming the child and
batching are the controller's work.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from flyte.authoring.task import TaskTemplate

T = TypeVar("T")


class Controller(Protocol):
    """Carries out calls of tasks that are made inside a task.

    `flyte.authoring.context.current()` is the caller's context while any of these methods runs: group and custom
    context are read from it.
    """

    async def submit(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a task as a child of the current action and return its outputs, or raise its error.

        Many calls may be outstanding; those that are made in one turn of the event loop should go out as one batch.
        """
        ...

    def submit_sync(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do the same, blocking the calling thread. It is never called on a running event loop."""
        ...


@runtime_checkable
class DrivesCoroutines(Protocol):
    """A controller that can run several calls at once for synchronous code; `flyte.map` uses it.

    Without it a synchronous `flyte.map` runs its calls one after another.
    """

    def drive(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the controller's event loop until it is done, blocking the calling thread.

        Tasks that it leaves on the loop stay there and go on at the latest with the next call.
        """
        ...


@dataclass(frozen=True, slots=True)
class TraceCall:
    """One call of a traced function."""

    name: str
    """The qualified name of the function, with its module."""
    inputs: Mapping[str, Any]
    """The arguments by parameter name."""
    began_ns: int = field(default=0, compare=False, repr=False)
    """Nanoseconds since the epoch; 0 if that is not known."""


@dataclass(frozen=True, slots=True)
class TraceOutcome:
    """What a call of a traced function gave: its value, or the items that a generator yielded."""

    value: Any = None
    items: tuple[Any, ...] = ()


@runtime_checkable
class TraceRecorder(Protocol):
    """A controller that remembers what traced functions returned, so that a retried parent does not run them again.

    The n-th call with equal inputs in one attempt is the n-th of the attempts before: the recorder counts.
    """

    async def recall_trace(self, call: TraceCall) -> TraceOutcome | None:
        """Return what this very call gave in an attempt before, or None if it has to be run."""
        ...

    async def record_trace(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """Remember what a call gave."""
        ...

    def recall_trace_sync(self, call: TraceCall) -> TraceOutcome | None:
        """Do as `recall_trace`, blocking."""
        ...

    def record_trace_sync(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """Do as `record_trace`, blocking."""
        ...
