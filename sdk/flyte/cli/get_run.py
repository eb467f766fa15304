"""`flyte get run`: the latest runs, or one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, local_option, root_options, scope_options
from flyte.cli.output import age, duration, is_terminal, print_details, print_json, print_table
from flyte.cli.run_conditions import RunConditions, run_condition_options
from flyte.spec.visible import visible_text

if TYPE_CHECKING:
    from flyte.remote.run import Run
    from flyteapi.scheduler.v1.event_pb2 import Event


@click.command("run")
@click.argument("name", required=False)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most runs to list.")
@run_condition_options
@click.option("-w", "--watch", is_flag=True, help="Follow NAME until it has ended, or else the list.")
@scope_options
@local_option("List runs that were carried out on this machine without a platform.")
@json_option
@click.pass_context
def get_run(
    ctx: click.Context,
    /,
    *,
    name: str | None,
    limit: int,
    watch: bool,
    project: str | None,
    domain: str | None,
    local: bool,
    as_json: bool,
    **conditions: Any,
) -> None:
    """List runs, the newest first, or show the run NAME.

    With --watch its tree is drawn while it runs; where no terminal is there to draw on, each change is a line, with
    --json a line of JSON. What `get run NAME` shows comes at the end. Without NAME the list is kept up to date.
    """
    from flyte.remote import Run

    wanted = RunConditions(**conditions)
    root = root_options(ctx)
    as_json = as_json or root.json
    if watch and local:
        raise click.UsageError("--watch follows what runs on the platform: local runs end before they are listed.")
    if name is not None and (given := wanted.given()):
        spelled = " and ".join(f"--{one.replace('_', '-')}" for one in sorted(given))
        raise click.UsageError(f"One run is shown whatever it is like: leave {spelled} out, or NAME.")
    if local:
        _show_local(name, wanted, project=project, domain=domain, limit=limit, as_json=as_json)
        return
    root.choose_platform(project=project, domain=domain)
    if name is not None:
        run = Run.get(name)
        if watch:
            watch_until_end(run, as_json=as_json)
        _show(run, as_json=as_json)
        return
    if watch:
        from flyte.cli.watch_runs import watch_runs

        watch_runs(wanted, limit=limit, as_json=as_json)
        return
    runs = list(Run.listall(limit=limit, **wanted.for_listall()))
    if as_json:
        print_json([facts(run) for run in runs])
        return
    print_table(
        ("run", "task", "phase", "started", "took"),
        ((run.name, run.task_name, run.phase.name, age(run.start_time), duration(run.duration)) for run in runs),
        empty="No runs.",
    )


def _show_local(
    name: str | None, wanted: RunConditions, *, project: str | None, domain: str | None, limit: int, as_json: bool
) -> None:
    from flyte.cli.local_runs import Choice, show_runs

    if wanted.given() - {"in_phase", "task_name"}:
        raise click.UsageError("--local takes NAME, --limit, --in-phase, --task-name, --project and --domain only.")
    choice = Choice(wanted.in_phase, wanted.task_name, project, domain)
    show_runs(name, choice, limit=limit, as_json=as_json)


def watch_until_end(run: Run, *, as_json: bool) -> None:
    """Show what happens in a run until it has ended."""
    from flyte.cli.following import Progress, follow
    from flyte.cli.tree import RunTree

    progress = Progress(RunTree())
    if is_terminal() and not as_json:
        from flyte.cli.drawing import Drawing

        with Drawing(f"Run {run.name}", progress).live():
            follow(run, progress)
        return
    follow(run, progress, on_event=_print_event_json if as_json else _print_event)


def _print_event(event: Event) -> None:
    said = event_facts(event)
    parts = (said["time"], said["action"], said["phase"], said["error"] or said["reason"])
    click.echo(visible_text("  ".join(part for part in parts if part)))


def _print_event_json(event: Event) -> None:
    click.echo(json.dumps(event_facts(event), ensure_ascii=False))


def event_facts(event: Event) -> dict[str, Any]:
    """Return what an event of a run says, for programs. Times are ISO 8601 in UTC."""
    from flyte.remote.phases import phase_from_proto

    error = event.error
    return {
        "sequence": event.sequence,
        "time": event.time.ToDatetime(UTC).isoformat(timespec="milliseconds"),
        "action": event.action,
        "attempt": event.attempt,
        "phase": phase_from_proto(event.phase).name,
        "reason": event.reason,
        "error": f"{error.code}: {error.message}".strip().partition("\n")[0] if error.code else "",
    }


def _show(run: Run, *, as_json: bool) -> None:
    shown, notifications = facts(run), notification_facts(run)
    if as_json:
        print_json({**shown, "notifications": notifications})
        return
    shown["notifications"] = "\n".join(map(_told, notifications))
    shown["created"] = f"{run.start_time:%Y-%m-%d %H:%M:%S} UTC ({age(run.start_time)})"
    shown["took"] = duration(run.duration)
    shown["labels"] = ", ".join(f"{key}={value}" for key, value in shown["labels"].items())
    for name in ("started", "ended"):
        shown.pop(name)
    print_details(shown)


def notification_facts(run: Run) -> list[dict[str, Any]]:
    """Return how far the notifications of a run are, for programs."""
    from flyte.remote.phases import phase_from_proto
    from flyteapi.common.v1.notification_pb2 import NotificationState

    return [
        {
            "to": one.target,
            "on": [phase_from_proto(phase).name for phase in one.on_phases],
            "state": NotificationState.State.Name(one.state).removeprefix("STATE_"),
            "attempts": one.attempts,
            "error": one.last_error,
        }
        for one in run.message.notifications
    ]


def _told(notification: Mapping[str, Any]) -> str:
    error = f": {notification['error']}" if notification["error"] else ""
    on = " or ".join(notification["on"])
    return f"{notification['to']} when {on}: {notification['state'].lower().replace('_', ' ')}{error}"


def facts(run: Run) -> dict[str, Any]:
    """Return what is known of a run, for programs."""
    message = run.message
    error = run.error()
    return {
        "run": run.name,
        "project": run.project,
        "domain": run.domain,
        "task": run.task_name,
        "version": message.task_version,
        "phase": run.phase.name,
        "created": run.start_time,
        "started": run.started_at,
        "ended": run.ended_at,
        "created_by": message.created_by,
        "labels": dict(message.settings.labels),
        "queue": message.settings.queue,
        "source": message.source.name,
        "trigger": message.trigger,
        "error": None if error is None else f"{error.code}: {message.error.message or error}",
    }
