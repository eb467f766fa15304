"""`flyte get report`: the HTML report that a task has written."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flyte.cli.options import root_options, scope_options


@click.command("report")
@click.argument("run_name", metavar="RUN")
@click.argument("action_name", metavar="[ACTION]", default="a0")
@click.option("-a", "--attempt", type=click.IntRange(1), help="Attempt. Default: the latest.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write it to.")
@scope_options
@click.pass_context
def get_report(
    ctx: click.Context,
    *,
    run_name: str,
    action_name: str,
    attempt: int | None,
    output: Path | None,
    project: str | None,
    domain: str | None,
) -> None:
    """Print the report of the root action of RUN, or of its action ACTION, as it was last written."""
    from flyte.remote import Action

    root_options(ctx).choose_platform(project=project, domain=domain)
    page = Action.get(run_name=run_name, name=action_name).get_report(attempt)
    if output is None:
        click.echo(page)
        return
    output.write_text(page)
    click.echo(f"Wrote the report to {output}.")
