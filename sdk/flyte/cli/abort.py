"""`flyte abort`: end a run, or one action with everything below it."""

from __future__ import annotations

import rich_click as click

from flyte.cli.groups import CommandGroup
from flyte.cli.options import root_options, scope_options

reason_option = click.option(
    "--reason", default="Manually aborted from the CLI", show_default=True, help="Why; shown on what is aborted."
)


@click.group(cls=CommandGroup)
def abort() -> None:
    """Abort a run, or one action with everything below it.

    What has ended before stays as it ended.
    """


@abort.command("run")
@click.argument("name", metavar="RUN")
@reason_option
@scope_options
@click.pass_context
def abort_run(ctx: click.Context, *, name: str, reason: str, project: str | None, domain: str | None) -> None:
    """Abort RUN."""
    from flyte.remote import Run

    root_options(ctx).choose_platform(project=project, domain=domain)
    run = Run.get(name)
    run.abort(reason)
    click.echo(f"Run {name} is {run.phase.name}.")


@abort.command("action")
@click.argument("run_name", metavar="RUN")
@click.argument("action_name", metavar="ACTION")
@reason_option
@scope_options
@click.pass_context
def abort_action(
    ctx: click.Context, *, run_name: str, action_name: str, reason: str, project: str | None, domain: str | None
) -> None:
    """Abort the action ACTION of RUN with everything below it."""
    from flyte.remote import Action

    root_options(ctx).choose_platform(project=project, domain=domain)
    action = Action.get(run_name=run_name, name=action_name)
    action.abort(reason)
    click.echo(f"Action {action_name} of run {run_name} is {action.phase.name}.")
