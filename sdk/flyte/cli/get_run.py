"""`flyte get run`: the latest runs, or one of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import assignments, json_option, local_option, root_options, scope_options
from flyte.cli.output import age, duration, print_details, print_json, print_table

if TYPE_CHECKING:
    from flyte.remote.run import Run


@click.command("run")
@click.argument("name", required=False)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most runs to list.")
@click.option("--in-phase", multiple=True, help="Only runs in this phase, for example failed. Repeatable.")
@click.option("--only-mine", is_flag=True, help="Only runs that you created.")
@click.option("--task-name", help="Only runs of this task (environment.function).")
@click.option("--created-after", type=click.DateTime(), help="Only runs created after this time, in UTC.")
@click.option("--created-before", type=click.DateTime(), help="Only runs created before this time, in UTC.")
@click.option("--with-label", multiple=True, metavar="KEY=VALUE", help="Only runs with this label. Repeatable.")
@scope_options
@local_option("List runs that were carried out on this machine without a platform.")
@json_option
@click.pass_context
def get_run(
    ctx: click.Context,
    *,
    name: str | None,
    limit: int,
    in_phase: tuple[str, ...],
    only_mine: bool,
    task_name: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
    with_label: tuple[str, ...],
    project: str | None,
    domain: str | None,
    local: bool,
    as_json: bool,
) -> None:
    """List runs, the newest first, or show the run NAME."""
    from flyte.remote import Run, TimeFilter

    root = root_options(ctx)
    as_json = as_json or root.json
    if local:
        from flyte.cli.local_runs import Choice, show_runs

        if created_after or created_before or with_label or only_mine:
            raise click.UsageError("--local takes NAME, --limit, --in-phase, --task-name, --project and --domain only.")
        show_runs(name, Choice(in_phase, task_name, project, domain), limit=limit, as_json=as_json)
        return
    root.choose_platform(project=project, domain=domain)
    if name is not None:
        _show(Run.get(name), as_json=as_json)
        return
    try:
        runs = list(
            Run.listall(
                in_phase=in_phase,
                task_name=task_name,
                created_by_subject=_me() if only_mine else None,
                limit=limit,
                created_at=TimeFilter(created_after, created_before),
                with_labels=assignments(with_label, option="--with-label"),
            )
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        print_json([facts(run) for run in runs])
        return
    print_table(
        ("run", "task", "phase", "started", "took"),
        ((run.name, run.task_name, run.phase.name, age(run.start_time), duration(run.duration)) for run in runs),
        empty="No runs.",
    )


def _me() -> str:
    from flyte.remote import User

    return User.get().subject()


def _show(run: Run, *, as_json: bool) -> None:
    if as_json:
        print_json(facts(run))
        return
    shown = facts(run)
    shown["created"] = f"{run.start_time:%Y-%m-%d %H:%M:%S} UTC ({age(run.start_time)})"
    shown["took"] = duration(run.duration)
    shown["labels"] = ", ".join(f"{key}={value}" for key, value in shown["labels"].items())
    for name in ("started", "ended"):
        shown.pop(name)
    print_details(shown)


def facts(run: Run) -> dict[str, Any]:
    """Return what is known of a run, for programs."""
    message = run.message
    error = run.error()
    return {
        "run": run.name,
        "project": run.project,
        "domain": run.domain,
        "task": run.task_name,
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
