"""`flyte delete`: secrets, queues, resource classes and cached results."""

from __future__ import annotations

import rich_click as click

from flyte.cli.class_commands import delete_resource_class
from flyte.cli.not_readable import NotReadable
from flyte.cli.options import local_option, root_options, scope_options
from flyte.cli.queue_commands import delete_queue
from flyte.cli.texts import read_text
from flyte.cli.trigger_commands import delete_trigger
from flyte.syncify import syncify


@click.group()
def delete() -> None:
    """Delete a secret, queue, resource class or cached results."""


delete.add_command(delete_queue)
delete.add_command(delete_resource_class)
delete.add_command(delete_trigger)


@delete.command("secret")
@click.argument("name")
@click.option("--group", default="", help="Group of the secret.")
@scope_options
@local_option("Delete a secret of runs without a platform.")
@click.pass_context
def delete_secret(
    ctx: click.Context, *, name: str, group: str, project: str | None, domain: str | None, local: bool
) -> None:
    """Delete all versions of the secret NAME of a scope."""
    if local:
        from flyte.cli.local_secrets import remove

        click.echo(remove(name, group, project, domain))
        return
    from flyte.remote import Secret

    root_options(ctx).choose_platform()
    Secret.delete(name, group=group, project=project or "", domain=domain or "")
    click.echo(f"Deleted secret {name}.")


@delete.command("cache")
@click.argument("task_name", metavar="TASK")
@click.option("--version", default="", help="Only results of this cache version.")
@click.option("--older-than", help="Only results older than this, for example 12h or 30d.")
@scope_options
@click.pass_context
def delete_cache(
    ctx: click.Context,
    *,
    task_name: str,
    version: str,
    older_than: str | None,
    project: str | None,
    domain: str | None,
) -> None:
    """Delete cached results of TASK (environment.function) in the project and domain."""
    root_options(ctx).choose_platform(project=project, domain=domain)
    seconds = _seconds(older_than)
    deleted = invalidate(task_name, version=version, older_than_s=seconds)
    click.echo(f"Deleted {deleted} cached result{'' if deleted == 1 else 's'} of {task_name}.")


@delete.command("local-cache")
def delete_local_cache() -> None:
    """Delete the cached results of local runs."""
    from flyte.local.cache import FileCache, default_cache_path

    deleted = FileCache(default_cache_path()).clear()
    click.echo(f"Deleted {deleted} cached result{'' if deleted == 1 else 's'} of local runs.")


@syncify
async def invalidate(task_name: str, *, version: str, older_than_s: float | None) -> int:
    """Delete results of a task in the current project and domain, and return how many."""
    from flyte.client.channel import connection
    from flyte.client.init import current_domain, current_project
    from flyteapi.cache.v1.cache_service_pb2 import InvalidateRequest
    from flyteapi.common.v1.identity_pb2 import Scope

    scope = Scope(project=current_project(), domain=current_domain())
    request = InvalidateRequest(scope=scope, task_name=task_name, cache_version=version)
    if older_than_s is not None:
        request.older_than.FromNanoseconds(int(older_than_s * 1e9))
    platform = connection()
    return (await platform.call(platform.cache.Invalidate, request)).deleted


def _seconds(text: str | None) -> float | None:
    from datetime import timedelta

    if text is None:
        return None
    try:
        span: timedelta = read_text(text, timedelta)
    except NotReadable as error:
        raise click.BadParameter(str(error), param_hint="--older-than") from None
    return span.total_seconds()
