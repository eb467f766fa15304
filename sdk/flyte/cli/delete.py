"""`flyte delete`: secrets, queues, resource classes, keys, roles and cached results."""

from __future__ import annotations

import rich_click as click

from flyte.cli.class_commands import delete_resource_class
from flyte.cli.delete_cache import delete_cache, delete_local_cache
from flyte.cli.groups import CommandGroup
from flyte.cli.key_commands import delete_api_key
from flyte.cli.options import local_option, root_options, scope_options
from flyte.cli.peer_options import cluster_pool_option
from flyte.cli.queue_commands import delete_queue
from flyte.cli.role_commands import delete_role_grant
from flyte.cli.trigger_commands import delete_trigger


@click.group(cls=CommandGroup)
def delete() -> None:
    """Delete a secret, queue, resource class, API key, role or cached results."""


delete.add_command(delete_api_key)
delete.add_command(delete_cache)
delete.add_command(delete_local_cache)
delete.add_command(delete_queue)
delete.add_command(delete_resource_class)
delete.add_command(delete_role_grant)
delete.add_command(delete_trigger)


@delete.command("secret")
@click.argument("name")
@click.option("--group", default="", help="Group of the secret.")
@scope_options
@cluster_pool_option
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
