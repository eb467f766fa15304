"""`flyte get code`: the code that a run or action was carried out with."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import print_json


@click.command("code")
@click.argument("run_name", metavar="RUN")
@click.argument("action_name", metavar="[ACTION]", default="a0")
@click.option("-o", "--dest", type=click.Path(file_okay=False, path_type=Path), help="Folder to write the code into.")
@click.option("--no-extract", is_flag=True, help="Write the archive instead of what is in it. Needs --dest.")
@click.option("-a", "--attempt", type=click.IntRange(1), help="Attempt; all have the same code.")
@scope_options
@json_option
@click.pass_context
def get_code(
    ctx: click.Context,
    *,
    run_name: str,
    action_name: str,
    dest: Path | None,
    no_extract: bool,
    attempt: int | None,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """List the files of the code that RUN, or its action ACTION, was carried out with, or write them to a folder."""
    from tempfile import TemporaryDirectory

    from flyte.remote import Action

    if no_extract and dest is None:
        raise click.UsageError("--no-extract keeps the archive: say where, with --dest FOLDER.")
    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain)
    action = Action.get(run_name=run_name, name=action_name)
    if dest is not None:
        try:
            written = action.download_code(dest, extract=not no_extract, attempt=attempt)
        except FileExistsError as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"Wrote {written}.")
        return
    with TemporaryDirectory(prefix="flyte-code-") as scratch:
        folder = action.download_code(scratch, attempt=attempt)
        files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    if as_json or root.json:
        print_json(files)
    else:
        click.echo("\n".join(files))
