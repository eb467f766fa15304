"""`flyte create`: secrets, projects, queues, resource classes, keys, roles, and a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from flyte.cli.class_commands import create_resource_class
from flyte.cli.create_config import create_config
from flyte.cli.groups import CommandGroup
from flyte.cli.key_commands import create_api_key
from flyte.cli.options import assignments, local_option, root_options, secret_options
from flyte.cli.peer_options import cluster_pool_option
from flyte.cli.pull_secrets import pull_secret_options, refuse_pull_secret
from flyte.cli.queue_commands import create_queue
from flyte.cli.role_commands import create_role_grant
from flyte.cli.trigger_commands import create_trigger


@click.group(cls=CommandGroup)
def create() -> None:
    """Create a secret, project, queue, resource class, API key, role or configuration file."""


create.add_command(create_api_key)
create.add_command(create_config)
create.add_command(create_queue)
create.add_command(create_resource_class)
create.add_command(create_role_grant)
create.add_command(create_trigger)


@create.command("secret")
@secret_options
@pull_secret_options
@cluster_pool_option
@local_option("Keep it in a file of yours (mode 0600), for runs without a platform.")
@click.pass_context
def create_secret(
    ctx: click.Context,
    /,
    *,
    name: str,
    value: str | None,
    from_file: Path | None,
    group: str,
    project: str | None,
    domain: str | None,
    local: bool,
    **of_pull_secrets: Any,
) -> None:
    """Create the secret NAME; asks for its value, which nobody can read back.

    Without --project and --domain every project may use it; with one or both only what lies in them.
    """
    from flyte.cli.secret_values import read_secret
    from flyte.remote import Secret

    refuse_pull_secret(name, of_pull_secrets)
    if local:
        from flyte.cli.local_secrets import store

        click.echo(store(name, group, project, domain, read_secret(name, value=value, from_file=from_file)))
        return
    root_options(ctx).choose_platform()
    content = read_secret(name, value=value, from_file=from_file)
    secret = Secret.create(name, content, group=group, project=project or "", domain=domain or "")
    click.echo(f"Created secret {secret.name} for {secret.scope}.")


@create.command("project")
@click.argument("project_id", metavar="ID", required=False)
@click.option("--id", "spelled_id", metavar="ID", help="The same. 1 to 63 of a-z, 0-9 and -; it never changes.")
@click.option("--name", help="Name for people. Default: the id.")
@click.option("--description", default="", help="What it is for.")
@click.option("-l", "--label", multiple=True, metavar="KEY=VALUE", help="Label. Repeatable.")
@click.pass_context
def create_project(
    ctx: click.Context,
    *,
    project_id: str | None,
    spelled_id: str | None,
    name: str | None,
    description: str,
    label: tuple[str, ...],
) -> None:
    """Create the project ID with the domains development, staging and production."""
    from flyte.remote import Project

    if project_id and spelled_id:
        raise click.UsageError("ID and --id are the same: give one.")
    project_id = project_id or spelled_id
    if not project_id:
        raise click.UsageError("Missing argument 'ID': `flyte create project ID`.")
    root_options(ctx).choose_platform()
    project = Project.create(
        project_id, name or project_id, description=description, labels=assignments(label, option="--label")
    )
    click.echo(f"Created project {project.id} with domains {', '.join(project.domains)}.")
