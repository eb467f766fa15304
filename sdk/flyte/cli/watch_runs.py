"""`flyte get run --watch`: the list of runs, kept up to date until Ctrl-C.

What the platform says of phases comes as a stream. A run is shown when it is first heard of and with each change: on a
terminal in one table that is drawn again, elsewhere as one line for each change. The platform may restart meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.output import age, duration, is_terminal, jsonable
from flyte.client.channel import Connection, connection
from flyte.client.init import current_domain, current_project
from flyte.client.patience import pause_s
from flyte.errors import BaseRuntimeError
from flyte.remote import Run
from flyte.remote.phases import is_terminal as has_ended
from flyte.remote.watching import is_passing
from flyte.spec.visible import visible_text
from flyte.syncify import syncify
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.scheduler.v1.scheduler_service_pb2 import WatchRunPhasesResponse

if TYPE_CHECKING:
    from rich.console import RenderableType

    from flyte.cli.run_conditions import RunConditions

_SUPPORTED = {"task_name", "only_mine"}
Show = Callable[[list[Run], Run | None], None]
"""Is given the list, the newest first, and the run that changed; None: the list as a whole is new."""


def watch_runs(wanted: RunConditions, *, limit: int, as_json: bool) -> None:
    """Show the newest runs and what becomes of them; ends by KeyboardInterrupt only.

    Raises UsageError for conditions that a run may begin or cease to meet.
    """
    if wanted.given() - _SUPPORTED:
        raise click.UsageError(
            "--watch without NAME takes --limit, --task-name, --only-mine, --project and --domain only."
        )
    conditions = wanted.for_listall()
    if as_json or not is_terminal():
        follow_list(conditions, limit=limit, show=_print_json if as_json else _print_line)
        return
    from rich.live import Live

    from flyte.cli.output import console

    with Live(console=console(), auto_refresh=False) as live:
        follow_list(conditions, limit=limit, show=lambda runs, _: live.update(_table(runs), refresh=True))


@syncify
async def follow_list(conditions: dict[str, Any], *, limit: int, show: Show) -> None:
    """Show the list and each change of it, for ever."""
    platform, shown = connection(), _List(limit=limit)
    async for change in _changes(platform):
        if change is None:
            shown.replace([run async for run in Run.listall.aio(limit=limit, **conditions)])
            show(shown.runs, None)
            continue
        run = shown.get(change) or await _met(platform, change, conditions)
        if run is not None and shown.advance(run, change):
            show(shown.runs, run)


class _List:
    """The newest runs, the newest first."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self.runs: list[Run] = []

    def replace(self, runs: list[Run]) -> None:
        self.runs = runs

    def get(self, change: WatchRunPhasesResponse.RunPhase) -> Run | None:
        return next((run for run in self.runs if run.message.id == change.run), None)

    def advance(self, run: Run, change: WatchRunPhasesResponse.RunPhase) -> bool:
        """Bring a run up to what was said of it; returns whether that is news."""
        known = run in self.runs
        if known and (run.phase.is_terminal or run.message.phase == change.phase):
            return False
        if not known:
            self.runs = sorted([run, *self.runs], key=lambda one: one.start_time, reverse=True)[: self._limit]
        message = run.message
        message.phase = change.phase
        if change.HasField("started_at"):
            message.started_at.CopyFrom(change.started_at)
        if has_ended(change.phase):
            message.ended_at.CopyFrom(change.time)
            message.error.CopyFrom(change.error)
        return True


async def _changes(platform: Connection) -> AsyncIterator[WatchRunPhasesResponse.RunPhase | None]:
    """Yield what happens; None when the watch begins, or begins again and may have missed something."""
    request = api.WatchRunsRequest(project=current_project(), domain=current_domain())
    attempt, answered = 0, False
    while True:
        begun = False
        try:
            async for part in platform.stream(platform.runs.WatchRuns, request):
                attempt, answered = 0, True
                if not begun:
                    begun = True
                    yield None
                for change in part.changes:
                    yield change
        except BaseRuntimeError as error:
            if not answered or not is_passing(error):
                raise
        await asyncio.sleep(pause_s(attempt, jitter=random.random()))
        attempt += 1


async def _met(platform: Connection, change: WatchRunPhasesResponse.RunPhase, conditions: dict[str, Any]) -> Run | None:
    """Return a run that is not in the list, if it belongs there."""
    found = await platform.call(platform.runs.GetRun, api.GetRunRequest(run=change.run))
    task, creator = conditions["task_name"], conditions["created_by_subject"]
    belongs = task in (None, found.run.task_name) and creator in (None, found.run.created_by)
    return Run(found.run) if belongs else None


def _print_line(runs: list[Run], changed: Run | None) -> None:
    for run in reversed(runs) if changed is None else [changed]:
        error = run.message.error
        said = f"{error.code}: {error.message}".partition("\n")[0] if error.code else ""
        click.echo(visible_text("\t".join((run.name, run.task_name, run.phase.name, said)).rstrip()))


def _print_json(runs: list[Run], changed: Run | None) -> None:
    from flyte.cli.get_run import facts

    for run in reversed(runs) if changed is None else [changed]:
        click.echo(json.dumps(jsonable(facts(run)), ensure_ascii=False))


def _table(runs: list[Run]) -> RenderableType:
    from flyte.cli.output import table

    rows = [(run.name, run.task_name, run.phase.name, age(run.start_time), duration(run.duration)) for run in runs]
    return table(("run", "task", "phase", "started", "took"), rows)
