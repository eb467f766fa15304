"""Runs as rows of the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyteapi.common.v1.notification_pb2 import NotificationState
from flyteplane.console.views.paths import run_path
from flyteplane.console.views.phases import PhaseView, phase_view
from flyteplane.console.views.times import seconds_of

if TYPE_CHECKING:
    from flyteapi.admin.v1.run_service_pb2 import GetRunResponse, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run. Times are seconds since the epoch."""

    project: str
    domain: str
    name: str
    path: str
    task: str
    phase: PhaseView
    created_at: float | None
    started_at: float | None
    ended_at: float | None
    created_by: str
    queue: str
    labels: Sequence[tuple[str, str]]
    trigger: str
    error: str
    """In one line; empty if there is none."""

    @property
    def key(self) -> str:
        """Names its row on the page."""
        return f"run-{self.name}"


def run_view(run: Run) -> RunView:
    """A run of a message."""
    return RunView(
        project=run.id.project,
        domain=run.id.domain,
        name=run.id.name,
        path=run_path(run.id),
        task=run.task_name,
        phase=phase_view(run.phase),
        created_at=seconds_of(run, "created_at"),
        started_at=seconds_of(run, "started_at"),
        ended_at=seconds_of(run, "ended_at"),
        created_by=run.created_by,
        queue=run.settings.queue,
        labels=tuple(sorted(run.settings.labels.items())),
        trigger=run.trigger,
        error=f"{run.error.code}: {run.error.message}"[:300] if run.error.code else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """What the page of a run says beside its row."""

    source: str
    """Page of the run that it repeats; empty if it repeats none."""
    source_text: str
    source_name: str
    repeated_by: Sequence[tuple[str, str, PhaseView]]
    """Runs that repeat or recover this one, the newest first: name, page and phase."""
    settings: Sequence[tuple[str, str]]
    description: str
    request_id: str
    """Of a rerun from this page: one click or two, it is one run."""


def run_details(found: GetRunResponse, *, repeated_by: Sequence[Run], request_id: str) -> RunDetails:
    """Details of a message, and of the runs that have this one as their source."""
    run = found.run
    recovers = run.settings.HasField("recover_from")
    return RunDetails(
        source=run_path(run.source) if run.HasField("source") else "",
        source_text="Recovers" if recovers else "Repeats",
        source_name=run.source.name,
        repeated_by=[(again.id.name, run_path(again.id), phase_view(again.phase)) for again in repeated_by],
        settings=_settings(run),
        description=found.task.long_description or found.task.short_description,
        request_id=request_id,
    )


def _settings(run: Run) -> list[tuple[str, str]]:
    given = run.settings
    told = [
        ("Queue", given.queue),
        ("Most actions at once", str(given.max_action_concurrency or "")),
        ("Cache", "bypassed" if given.disable_cache else "overwritten" if given.overwrite_cache else ""),
        ("Environment", ", ".join(sorted(given.env))),
        ("Run again all the same", ", ".join(given.force_actions)),
        ("Service account", given.service_account),
        ("Tells", "; ".join(map(_notification, run.notifications))),
    ]
    return [(name, text) for name, text in told if text]


def _notification(notification: NotificationState) -> str:
    phases = " or ".join(phase_view(phase).text for phase in notification.on_phases)
    state = NotificationState.State.Name(notification.state).removeprefix("STATE_").lower().replace("_", " ")
    problem = f", {notification.last_error}" if notification.last_error else ""
    return f"{notification.target} when {phases} ({state}{problem})"
