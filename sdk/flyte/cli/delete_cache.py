"""`flyte delete cache` and `flyte delete local-cache`."""

from __future__ import annotations

import rich_click as click

from flyte.cli.cached_results import Chosen, choice_options, delete_results
from flyte.cli.options import json_option, root_options, scope_options
from flyte.cli.output import print_json


@click.command("cache")
@click.argument("task_name", metavar="[TASK]", default="")
@choice_options
@scope_options
@json_option
@click.pass_context
def delete_cache(
    ctx: click.Context,
    *,
    task_name: str,
    version: str,
    older_than: str | None,
    shared: bool,
    project: str | None,
    domain: str | None,
    as_json: bool,
) -> None:
    """Delete cached results of the project and domain: of TASK (environment.function), of a version, by age."""
    chosen = Chosen.of(task_name=task_name, version=version, older_than=older_than, shared=shared)
    if not (task_name or version or older_than):
        raise click.UsageError("Say which results to delete: a TASK, --version or --older-than.")
    root = root_options(ctx)
    root.choose_platform(project=project, domain=domain)
    deleted = delete_results(chosen)
    if as_json or root.json:
        print_json({"deleted": deleted})
        return
    click.echo(f"Deleted {_counted(deleted)}{f' of {task_name}' if task_name else ''}.")


@click.command("local-cache")
def delete_local_cache() -> None:
    """Delete the cached results of local runs."""
    from flyte.local.cache import FileCache, default_cache_path

    click.echo(f"Deleted {_counted(FileCache(default_cache_path()).clear())} of local runs.")


def _counted(number: int) -> str:
    return f"{number} cached result{'' if number == 1 else 's'}"
