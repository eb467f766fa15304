"""`flyte deploy`: keep the tasks of a file on the platform, to be run later by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import print_json, print_table
from flyte.cli.run_options import COPY_STYLES

if TYPE_CHECKING:
    from flyte.cli.user_file import UserFile


@click.command()
@click.argument("file")
@click.argument("environment", required=False)
@click.option("--version", help="Version. Default: a digest of code and configuration.")
@click.option("--dry-run", is_flag=True, help="Prepare and check everything, send nothing.")
@click.option("--copy-style", type=click.Choice(COPY_STYLES), default="loaded_modules", help="Which code is bundled.")
@click.option(
    "--root-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that modules are named from.",
)
@scope_options
@json_option
@click.pass_context
def deploy(
    ctx: click.Context,
    *,
    file: str,
    environment: str | None,
    version: str | None,
    dry_run: bool,
    copy_style: str,
    root_dir: Path | None,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """Deploy the environments of FILE with all that they depend on, or only ENVIRONMENT.

    ENVIRONMENT is the variable or the name of a TaskEnvironment.
    """
    from flyte.cli.user_file import load_user_file
    from flyte.client.deploy import deploy as deploy_environments

    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain, root_dir=root_dir)
    loaded = load_user_file(file, root_dir=root_dir)
    try:
        deployments = deploy_environments(
            *_chosen(loaded, environment),
            dry_run=dry_run,
            version=version,
            copy_style=copy_style,  # type: ignore[arg-type]  # one of the choices
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    rows = list(dict.fromkeys((task, one.version) for one in deployments for task in one.tasks))
    if as_json or root.json:
        print_json([{"task": task, "version": chosen} for task, chosen in rows])
        return
    print_table(("task", "version"), rows, empty="Nothing to deploy.")
    if dry_run:
        click.echo("Nothing was sent.", err=True)


def _chosen(loaded: UserFile, name: str | None) -> list[Any]:
    from flyte.authoring.environment import Environment
    from flyte.cli.user_file import suggestion

    with_tasks = [one for one in loaded.environments if getattr(one, "tasks", {})]
    if name is None:
        if not with_tasks:
            raise click.ClickException(f"{loaded.path} has no task to deploy.")
        return with_tasks
    found = getattr(loaded.module, name, None)
    if isinstance(found, Environment):
        return [found]
    named = [one for one in loaded.environments if one.name == name]
    if not named:
        near = suggestion(name, (one.name for one in loaded.environments)).replace("tasks", "environments")
        raise click.ClickException(f"{loaded.path} has no environment {name!r}.{near}")
    return named
