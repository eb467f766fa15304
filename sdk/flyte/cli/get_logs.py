"""`flyte get logs`: what actions wrote, also after their processes are gone."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import rich_click as click

from flyte.cli.options import root_options, scope_options
from flyte.cli.output import console, is_terminal
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.common.v1.identity_pb2 import ActionId


_BOX_LINES: Final = 30


def _say_that_lines_have_no_times(ctx: click.Context, parameter: click.Parameter, given: bool) -> bool:
    if given:
        click.echo(
            "--show-ts adds nothing: a log is kept as its task writes it, without the times of lines. Lines of "
            "flyte.logger begin with their time; `flyte get action RUN ACTION` shows the times of attempts.",
            err=True,
        )
    return given


@click.command("logs")
@click.argument("run_name", metavar="RUN")
@click.argument("action_name", metavar="[ACTION]", default="a0")
@click.option("-f", "--follow", is_flag=True, help="Stay until the action has ended.")
@click.option("-a", "--attempt", type=click.IntRange(1), help="Attempt. Default: the latest.")
@click.option("--all", "everything", is_flag=True, help="Every action of the run, each line with its action in front.")
@click.option("-l", "--lines", type=click.IntRange(1), help="Only the last lines; with --pretty the height of the box.")
@click.option("--pretty", is_flag=True, help="Show the last lines in a box, 30 unless --lines says otherwise.")
@click.option(
    "--show-ts",
    is_flag=True,
    callback=_say_that_lines_have_no_times,
    help="Changes nothing: lines are kept without their times.",
)
@click.option("--filter-system", is_flag=True, help="Changes nothing: a log holds what its task writes, and no more.")
@scope_options
@click.pass_context
def get_logs(
    ctx: click.Context,
    *,
    run_name: str,
    action_name: str,
    follow: bool,
    attempt: int | None,
    everything: bool,
    lines: int | None,
    pretty: bool,
    show_ts: bool,
    filter_system: bool,
    project: str | None,
    domain: str | None,
) -> None:
    """Print what the root action of RUN wrote, or its action ACTION."""
    from flyte.remote.action import action_id

    if everything and (follow or attempt or lines or pretty or action_name != "a0"):
        raise click.UsageError(
            "--all prints what is there of every action: leave ACTION, --follow, --attempt, --lines and --pretty out."
        )
    if lines and follow and not pretty:
        raise click.UsageError("--follow prints every line that comes: leave --lines out, or add --pretty.")
    root_options(ctx).choose_platform(project=project, domain=domain)
    action = action_id(run_name, action_name)
    if attempt is not None and not follow:
        _check_attempt(run_name, action_name, attempt)
    if everything:
        print_every_action(action)
    elif pretty and is_terminal():
        draw_action(action, attempt=attempt, follow=follow, lines=lines or _BOX_LINES)
    elif lines:
        print_last_lines(action, attempt=attempt, lines=lines)
    else:
        print_action(action, attempt=attempt, follow=follow)


def _check_attempt(run_name: str, action_name: str, attempt: int) -> None:
    from flyte.remote import ActionDetails

    begun = ActionDetails.get(run_name=run_name, name=action_name).attempts
    if attempt > begun:
        were = "there was one" if begun == 1 else f"there were {begun}"
        raise click.ClickException(f"Action {action_name} of run {run_name} has had no attempt {attempt}: {were}.")


@syncify
async def print_action(action: ActionId, *, attempt: int | None, follow: bool) -> None:
    """Print the lines of one action."""
    from flyte.client.channel import connection
    from flyte.remote.logs import print_lines

    await print_lines(connection(), action, attempt=attempt, follow=follow)


@syncify
async def print_last_lines(action: ActionId, *, attempt: int | None, lines: int) -> None:
    """Print the last lines of what is there of one action."""
    from flyte.client.channel import connection
    from flyte.remote.logs import stream_lines

    last = deque([line async for line in stream_lines(connection(), action, attempt=attempt)], maxlen=lines)
    for line in last:
        click.echo(line)


@syncify
async def draw_action(action: ActionId, *, attempt: int | None, follow: bool, lines: int) -> None:
    """Draw a box on the terminal in which the lines of one action scroll."""
    from flyte.client.channel import connection
    from flyte.remote.logs import stream_lines
    from flyte.remote.shown_logs import draw_lines

    written = stream_lines(connection(), action, attempt=attempt, follow=follow)
    await draw_lines(written, title=f"{action.run.name} {action.name}", most=lines, console=console())


@syncify
async def print_every_action(root: ActionId) -> None:
    """Print the lines of every action of a run, in the order in which the actions were accepted."""
    from flyte.client.channel import connection
    from flyte.remote.listing import list_actions
    from flyte.remote.logs import stream_lines

    platform = connection()
    async for state in list_actions(platform, root.run):
        label = f"{state.header.short_name or state.header.task_name} {state.id.name}"
        async for line in stream_lines(platform, state.id):
            click.echo(f"{label} | {line}")
