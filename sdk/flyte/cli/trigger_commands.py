"""`flyte get|create|update|delete trigger`: schedules of deployed tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import print_details, print_json, print_table

if TYPE_CHECKING:
    from flyte.remote import TriggerDetails

_TIME_INPUT: Final = "trigger_time"


@click.command("trigger")
@click.argument("task_name", metavar="TASK", required=False)
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Most triggers to list.")
@scope_options
@json_option
@click.pass_context
def get_trigger(
    ctx: click.Context,
    *,
    task_name: str | None,
    name: str | None,
    limit: int,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """List triggers, or those of TASK, or show the trigger NAME of TASK."""
    from flyte.remote import Trigger, TriggerDetails

    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain)
    as_json = as_json or root.json
    if task_name is not None and name is not None:
        facts = _facts(TriggerDetails.get(name=name, task_name=task_name))
        if as_json:
            print_json(facts)
        else:
            print_details(facts)
        return
    found = [_facts(trigger) for trigger in Trigger.listall(task_name, limit=limit)]
    if as_json:
        print_json(found)
        return
    shown = ("task", "name", "schedule", "active", "next fire", "last fired", "last error")
    print_table(shown, ([facts[heading] for heading in shown] for facts in found), empty="No triggers.")


@click.command("trigger")
@click.argument("task_name", metavar="TASK")
@click.argument("name")
@click.option("--schedule", help="Cron expression of five fields. Without one the trigger is only fired by hand.")
@click.option("--timezone", default="UTC", show_default=True, help="Time zone of the schedule, such as Europe/Berlin.")
@click.option("--description", default="", help="What it is for.")
@click.option("--auto-activate/--no-auto-activate", default=True, show_default=True, help="Whether it fires at once.")
@click.option(
    "--trigger-time-var",
    help=f"Input that is given the time of fire. Default: {_TIME_INPUT}, if the task has an input of this name.",
)
@scope_options
@click.pass_context
def create_trigger(
    ctx: click.Context,
    *,
    task_name: str,
    name: str,
    schedule: str | None,
    timezone: str,
    description: str,
    auto_activate: bool,
    trigger_time_var: str | None,
    project: str | None,
    domain: str | None,
) -> None:
    """Give the deployed task TASK the trigger NAME, in place of one of the same name."""
    import flyte
    from flyte.remote import Task, Trigger

    root_options(ctx).choose_platform(project=project, domain=domain)
    inputs = {parameter.name for parameter in Task.get(task_name, auto_version="latest").fetch().interface.inputs}
    time_input = trigger_time_var or (_TIME_INPUT if _TIME_INPUT in inputs else None)
    trigger = flyte.Trigger(
        name,
        flyte.Cron(schedule, timezone=timezone) if schedule is not None else None,
        description=description,
        auto_activate=auto_activate,
        inputs={time_input: flyte.TriggerTime} if time_input is not None else {},
    )
    stored = Trigger.create(trigger, task_name)
    fires = f" It fires next at {_time(stored.next_fire_at)}." if stored.next_fire_at else ""
    click.echo(f"Created trigger {name} of task {task_name}.{fires}")


@click.command("trigger")
@click.argument("name")
@click.argument("task_name", metavar="TASK")
@click.option("--activate/--deactivate", "active", required=True, help="Let it fire, or stop it.")
@scope_options
@click.pass_context
def update_trigger(
    ctx: click.Context, *, name: str, task_name: str, active: bool, project: str | None, domain: str | None
) -> None:
    """Activate or deactivate the trigger NAME of TASK. Times that passed meanwhile are not caught up."""
    from flyte.remote import Trigger

    root_options(ctx).choose_platform(project=project, domain=domain)
    Trigger.update(name, task_name, active)
    click.echo(f"Trigger {name} of task {task_name} is {'active' if active else 'inactive'}.")


@click.command("trigger")
@click.argument("name")
@click.argument("task_name", metavar="TASK")
@scope_options
@click.pass_context
def delete_trigger(ctx: click.Context, *, name: str, task_name: str, project: str | None, domain: str | None) -> None:
    """Delete the trigger NAME of TASK. Runs that it started go on."""
    from flyte.remote import Trigger

    root_options(ctx).choose_platform(project=project, domain=domain)
    Trigger.delete(name, task_name)
    click.echo(f"Deleted trigger {name} of task {task_name}.")


def _facts(trigger: TriggerDetails) -> dict[str, Any]:
    message = trigger.message
    return {
        "task": trigger.task_name,
        "name": trigger.name,
        "schedule": _schedule(trigger),
        "active": trigger.is_active,
        "next fire": _time(trigger.next_fire_at),
        "last fired": _time(trigger.last_fired_at),
        "last error": message.last_error,
        "version": message.task_version or "the newest",
        "queue": message.settings.queue,
        "time input": message.time_input,
        "description": message.description,
    }


def _schedule(trigger: TriggerDetails) -> str:
    kind = trigger.message.WhichOneof("schedule")
    if kind == "cron":
        cron = trigger.message.cron
        return f"{cron.expression} ({cron.timezone or 'UTC'})"
    if kind == "fixed_rate":
        return f"every {trigger.message.fixed_rate.interval.seconds // 60} min"
    return "by hand"


def _time(moment: Any) -> str:
    return moment.isoformat(timespec="seconds") if moment is not None else ""
