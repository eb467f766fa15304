"""Which runs `flyte get run` lists: the options, and what they mean for the platform and for one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

import rich_click as click

from flyte.cli.moments import MomentType
from flyte.cli.options import assignments
from flyte.spec.phases import ActionPhase

Command = TypeVar("Command", bound=Callable[..., Any])

_PAUSED = "paused"
_MOMENT_HELP = "(UTC): an ISO date, `now`, `today` or `now - 1 day`."


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConditions:
    """Conditions that hold together; what is empty does not restrict."""

    in_phase: tuple[str, ...] = ()
    only_mine: bool = False
    paused_only: bool = False
    task_name: str | None = None
    task_version: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    updated_after: datetime | None = None
    updated_before: datetime | None = None
    with_label: tuple[str, ...] = ()
    with_label_key: tuple[str, ...] = ()

    def given(self) -> set[str]:
        """Return the names of those that restrict."""
        return {one.name for one in fields(self) if getattr(self, one.name)}

    def labels(self) -> dict[str, str]:
        """Return --with-label as a dict."""
        return assignments(self.with_label, option="--with-label")

    def for_listall(self) -> dict[str, Any]:
        """Return what `Run.listall` takes. Asks the platform who calls if only the caller's own are wanted."""
        from flyte.remote import TimeFilter

        paused = self.in_phase == (_PAUSED,)
        return {
            "in_phase": () if paused else self.in_phase,
            "task_name": self.task_name,
            "task_version": self.task_version,
            "created_by_subject": _me() if self.only_mine else None,
            "created_at": TimeFilter(self.created_after, self.created_before),
            "updated_at": TimeFilter(self.updated_after, self.updated_before),
            "with_labels": self.labels(),
            "with_label_keys": self.with_label_key,
            "paused_actions_only": self.paused_only or paused,
        }


def _me() -> str:
    from flyte.remote import User

    return User.get().subject()


def run_condition_options(command: Command) -> Command:
    """Add the options to a command, which takes them as keyword arguments for `RunConditions`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _phase(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    from flyte.remote.phases import phases_from

    if any(value.lower() == _PAUSED for value in values):
        if len(values) > 1:
            raise click.BadParameter("a paused run is running: give paused alone.")
        return (_PAUSED,)
    try:
        phases_from(values)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return values


def _phases_like(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [phase for phase in ActionPhase if phase is not ActionPhase.RECOVERED and phase.startswith(incomplete)]


def _moment(spelling: str, help: str) -> Callable[[Command], Command]:
    return click.option(spelling, type=MomentType(), help=f"{help} this time {_MOMENT_HELP}")


_OPTIONS = (
    click.option(
        "--in-phase",
        multiple=True,
        callback=_phase,
        shell_complete=_phases_like,
        metavar="PHASE",
        help="Only runs in this phase, for example failed. Repeatable.",
    ),
    click.option("--only-mine", is_flag=True, help="Only runs that you created."),
    click.option("--paused-only", is_flag=True, help="Only runs that wait for an answer, see `flyte get condition`."),
    click.option("--task-name", help="Only runs of this task (environment.function)."),
    click.option("--task-version", help="Only runs of this version of their task."),
    _moment("--created-after", "Only runs created after"),
    _moment("--created-before", "Only runs created before"),
    _moment("--updated-after", "Only runs that changed their phase after"),
    _moment("--updated-before", "Only runs that changed their phase last before"),
    click.option("--with-label", multiple=True, metavar="KEY=VALUE", help="Only runs with this label. Repeatable."),
    click.option("--with-label-key", multiple=True, metavar="KEY", help="Only runs with a label KEY. Repeatable."),
)
