"""`flyte deploy`: keep the tasks of a file on the platform, to be run later by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import NO_SYNC_HELP, code_options, image_option, json_option, root_options, scope_options
from flyte.cli.output import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flyte.authoring.environment import Environment
    from flyte.cli.user_file import UserFile


@click.command()
@code_options("Deploy")
@click.option("--version", help="Version. Default: a digest of code and configuration.")
@click.option("--dry-run", "--dryrun", is_flag=True, help="Prepare and check everything, send nothing.")
@click.option("--no-sync-local-sys-paths", is_flag=True, help=NO_SYNC_HELP)
@image_option
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
    no_sync_local_sys_paths: bool,
    copy_style: str,
    root_dir: Path | None,
    all_files: bool,
    recursive: bool,
    ignore_load_errors: bool,
    image: tuple[str, ...],
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """Deploy the environments of FILE with all that they depend on, or only ENVIRONMENT.

    FILE may be a folder together with --all or --recursive. ENVIRONMENT is the variable or the name of a
    TaskEnvironment.
    """
    from flyte.cli.user_folder import load_user_files
    from flyte.client.deploy import deploy as deploy_environments

    root = root_options(ctx)
    root.choose_platform(
        project=project,
        domain=domain,
        root_dir=root_dir,
        images=image,
        sync_local_sys_paths=not no_sync_local_sys_paths,
    )
    loaded = load_user_files(
        Path(file),
        root_dir=root_dir,
        all_files=all_files or recursive,
        recursive=recursive,
        ignore_load_errors=ignore_load_errors,
    )
    try:
        deployments = deploy_environments(
            *chosen_environments(loaded, environment),
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


def chosen_environments(loaded: Sequence[UserFile], name: str | None) -> list[Any]:
    """Return the environment of a name, as variable or name; without one all with tasks that no other brings along.

    Raises ClickException if there is none.
    """
    from flyte.authoring.environment import Environment
    from flyte.cli.user_file import suggestion

    every = [environment for file in loaded for environment in file.environments]
    where = ", ".join(str(file.path) for file in loaded)
    if name is None:
        with_tasks = [one for one in every if getattr(one, "tasks", {})]
        if not with_tasks:
            raise click.ClickException(f"{where} has no task to deploy.")
        return _outermost(with_tasks)
    variables = [found for file in loaded if isinstance(found := getattr(file.module, name, None), Environment)]
    named = variables or [one for one in every if one.name == name]
    if not named:
        near = suggestion(name, (one.name for one in every)).replace("tasks", "environments")
        raise click.ClickException(f"{where} has no environment {name!r}.{near}")
    return named


def _outermost(environments: Iterable[Environment]) -> list[Environment]:
    """Leave out what another one depends on: it would be deployed twice, at two versions."""
    from flyte.authoring.registry import with_dependencies

    kept: list[tuple[Environment, set[int]]] = []
    for environment in environments:
        if not any(id(environment) in brought for _, brought in kept):
            brought = {id(one) for one in with_dependencies([environment])}
            kept = [*((other, its) for other, its in kept if id(other) not in brought), (environment, brought)]
    return [environment for environment, _ in kept]
