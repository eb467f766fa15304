"""Attempts of an action, and why it is where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flyteapi.common.v1 import error_pb2
from flyteplane.console.ansi import plain
from flyteplane.console.views.paths import path_of_cached
from flyteplane.console.views.phases import PhaseView, phase_view
from flyteplane.console.views.times import seconds_of

if TYPE_CHECKING:
    from flyteapi.common.v1.error_pb2 import TaskError
    from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState, AttemptState, ExplainActionResponse

_BLAMED: Final = {
    error_pb2.ERROR_KIND_USER: "raised by the task",
    error_pb2.ERROR_KIND_SYSTEM: "the infrastructure lost the attempt",
    error_pb2.ERROR_KIND_TIMEOUT: "a timeout of the task passed",
    error_pb2.ERROR_KIND_REFUSED: "the platform refused to run it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """Why something failed."""

    code: str
    message: str
    traceback: str
    blamed: str
    ended_by: str
    """"exit code 3" or "signal 9"; empty if the worker did not end by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One try. Times are seconds since the epoch."""

    number: int
    phase: PhaseView
    placed_at: float | None
    started_at: float | None
    ended_at: float | None
    error: ErrorView | None
    place: str


def attempt_view(attempt: AttemptState) -> AttemptView:
    """An attempt of a message."""
    place = [attempt.cluster, attempt.resource_class, attempt.worker]
    return AttemptView(
        number=attempt.attempt,
        phase=phase_view(attempt.phase),
        placed_at=seconds_of(attempt, "placed_at"),
        started_at=seconds_of(attempt, "started_at"),
        ended_at=seconds_of(attempt, "ended_at"),
        error=error_view(attempt.error),
        place=" · ".join(part for part in place if part),
    )


def error_view(error: TaskError) -> ErrorView | None:
    """An error of a message; None for none."""
    if not error.code:
        return None
    signal = f"signal {error.signal}" if error.signal else ""
    return ErrorView(
        code=error.code,
        message=plain(error.message),
        traceback=plain(error.traceback),
        blamed=_BLAMED.get(error.kind, ""),
        ended_by=signal or (f"exit code {error.exit_code}" if error.exit_code else ""),
    )


def explanation_of(found: ExplainActionResponse) -> Sequence[tuple[str, str]]:
    """What an action waits for or where it runs, as names and texts; the summary first, without a name."""
    told = [
        ("", found.summary),
        ("Waits for", found.waits_for),
        ("Queue", found.queue),
        ("Ahead in the queue", str(found.ahead_in_queue or "")),
        ("Resource class", found.resource_class),
        ("Cluster", found.cluster),
        ("Worker", found.worker),
        ("Node", found.node),
        ("The cluster says", found.cluster_message),
    ]
    return [(name, text) for name, text in told if text]


def producer_of(state: ActionState) -> tuple[str, str]:
    """The action that produced a cached result, as text and page; empty for none."""
    return (state.cached_from, path_of_cached(state.cached_from)) if state.cached_from else ("", "")
