"""`flyte get condition` and `flyte signal condition`: what tasks ask people, and the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.groups import CommandGroup
from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import print_json, print_table

if TYPE_CHECKING:
    from flyte.remote import Condition


@click.command("condition")
@click.argument("run_name", metavar="RUN")
@click.argument("action_name", metavar="ACTION", required=False)
@scope_options
@json_option
@click.pass_context
def get_condition(
    ctx: click.Context,
    *,
    run_name: str,
    action_name: str | None,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """List what RUN, or one ACTION of it, waits to have answered."""
    from flyte.remote import Condition

    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain)
    rows = [_row(condition) for condition in Condition.listall(run_name, action_name, limit=1_000)]
    if as_json or root.json:
        print_json(rows)
    else:
        cells = [tuple(row.values())[:4] for row in rows]
        print_table(("CONDITION", "ACTION", "TYPE", "PROMPT"), cells, empty=f"Run {run_name} waits for no answer.")


@click.group(cls=CommandGroup)
def signal() -> None:
    """Answer what a task asks."""


@signal.command("condition")
@click.argument("run_name", metavar="RUN")
@click.argument("action_name", metavar="CONDITION")
@click.argument("value", required=False)
@scope_options
@click.pass_context
def signal_condition(
    ctx: click.Context, *, run_name: str, action_name: str, value: str | None, project: str | None, domain: str | None
) -> None:
    """Answer CONDITION of RUN, by its name or that of its action, with VALUE. Without VALUE you are asked."""
    from flyte.authoring.condition import read_answer
    from flyte.remote import Condition

    root_options(ctx).choose_platform(project=project, domain=domain)
    condition = Condition.get(action_name, run_name=run_name)
    if condition is None:
        raise click.ClickException(
            f"Run {run_name} has no condition {action_name}. `flyte get condition {run_name}` lists those that wait."
        )
    text = value if value is not None else click.prompt(condition.prompt, type=str, err=True)
    try:
        answer = read_answer(text, condition.expected_type)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="VALUE") from None
    condition.signal(answer)
    click.echo(f"Condition {condition.name} of run {run_name} is answered.")


def _row(condition: Condition) -> dict[str, Any]:
    return {
        "name": condition.name,
        "action": condition.action_name,
        "type": condition.expected_type.__name__,
        "prompt": condition.prompt,
        "description": condition.description,
        "parent": condition.parent_name,
    }
