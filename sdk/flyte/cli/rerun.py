"""`flyte rerun`: an earlier run again, with its own code, and with its own inputs unless others are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import assignments, json_option, root_options, scope_options
from flyte.cli.run_options import RunOptions
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.task.v1.interface_pb2 import Interface


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("run_name", metavar="RUN")
@click.argument("new_inputs", metavar="[--INPUT VALUE]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--name", help="Name of the new run.")
@click.option("-e", "--env", multiple=True, metavar="KEY=VALUE", help="Environment variable to change. Repeatable.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="Label to change. Repeatable.")
@click.option("-f", "--follow", is_flag=True, help="Print what the task prints while it runs.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the run is accepted.")
@click.option("--recover", is_flag=True, help="Take over what succeeded; run only what failed or never ran.")
@click.option("--action-name", default="a0", help="Run only this action, with the inputs that it had.")
@click.option(
    "--force",
    "--force-rerun-action",
    "force_rerun_action",
    multiple=True,
    metavar="ACTION",
    help="With --recover: run this action again. Repeatable.",
)
@click.option("--allow-missing-outputs", is_flag=True, help="Changes nothing: results last as long as their run.")
@scope_options
@json_option
@click.pass_context
def rerun(
    ctx: click.Context,
    *,
    run_name: str,
    new_inputs: tuple[str, ...],
    name: str | None,
    env: tuple[str, ...],
    label: tuple[str, ...],
    follow: bool,
    no_wait: bool,
    recover: bool,
    action_name: str,
    force_rerun_action: tuple[str, ...],
    allow_missing_outputs: bool,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """Run RUN again with its original code, as a new run.

    Inputs stay as they were, but for those that are given here as options, in the way of `flyte run`. An input whose
    name is that of an option above stands behind `--`.
    """
    from flyte.cli.running import show_run
    from flyte.client.run import with_runcontext

    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain)
    _check_actions(run_name, force_rerun_action if recover else ())
    try:
        runner = with_runcontext(
            name=name,
            project=project,
            domain=domain,
            env_vars=assignments(env, option="--env"),
            labels=assignments(label, option="--label"),
        )
        run = runner.rerun(
            run_name,
            action_name=action_name,
            recover=recover,
            force_rerun_actions=force_rerun_action,
            **_changed(run_name, action_name, new_inputs),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    options = RunOptions(follow=follow, no_wait=no_wait, as_json=as_json or root.json)
    ctx.exit(show_run(run, options))


def _check_actions(run_name: str, names: Sequence[str]) -> None:
    """Raise RuntimeUserError for an action that the run has not had: it would be forced in vain."""
    from flyte.remote import Action

    for name in names:
        Action.get(run_name=run_name, name=name)


def _changed(run_name: str, action_name: str, words: Sequence[str]) -> dict[str, Any]:
    """Return the inputs that stand on the command line, by name. Raises UsageError."""
    if not words:
        return {}
    from flyte.cli.inputs import given_inputs, options_of_schema

    options = options_of_schema(_interface(run_name, action_name))
    for option in options:
        option.required = False
    command = click.RichCommand(name=f"rerun {run_name}", params=[*options], add_help_option=False)
    with command.make_context(command.name, list(words), parent=click.get_current_context()) as context:
        return given_inputs(context)


@syncify
async def _interface(run_name: str, action_name: str) -> Interface:
    """Return what the task of an action takes."""
    from flyte.client.channel import connection
    from flyte.remote.action import action_id
    from flyteapi.admin.v1.run_service_pb2 import GetActionRequest

    platform = connection()
    found = await platform.read(platform.runs.GetAction, GetActionRequest(action=action_id(run_name, action_name)))
    return found.task.interface
