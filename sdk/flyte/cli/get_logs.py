"""`flyte get logs`: what actions wrote, also after their processes are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from flyte.cli.options import root_options, scope_options
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.common.v1.identity_pb2 import ActionId


@click.command("logs")
@click.argument("run_name", metavar="RUN")
@click.argument("action_name", metavar="[ACTION]", default="a0")
@click.option("-f", "--follow", is_flag=True, help="Stay until the action has ended.")
@click.option("-a", "--attempt", type=click.IntRange(1), help="Attempt. Default: the latest.")
@click.option("--all", "everything", is_flag=True, help="Every action of the run, each line with its action in front.")
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
    project: str | None,
    domain: str | None,
) -> None:
    """Print what the root action of RUN wrote, or its action ACTION."""
    from flyte.remote.action import action_id

    if everything and (follow or attempt or action_name != "a0"):
        raise click.UsageError("--all prints what is there of every action: leave ACTION, --follow and --attempt out.")
    root_options(ctx).choose_platform(project=project, domain=domain)
    action = action_id(run_name, action_name)
    if everything:
        print_every_action(action)
    else:
        print_action(action, attempt=attempt, follow=follow)


@syncify
async def print_action(action: ActionId, *, attempt: int | None, follow: bool) -> None:
    """Print the lines of one action."""
    from flyte.client.channel import connection
    from flyte.remote.logs import print_lines

    await print_lines(connection(), action, attempt=attempt, follow=follow)


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
