"""`flyte update`: new values and keys of secrets, words for a project, bounds of a queue, pool or resource class."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flyte.cli.class_commands import update_resource_class
from flyte.cli.groups import CommandGroup
from flyte.cli.options import assignments, local_option, root_options, secret_options
from flyte.cli.pool_commands import update_pool
from flyte.cli.queue_commands import update_queue
from flyte.cli.secret_keys import update_secret_keys
from flyte.cli.trigger_commands import update_trigger


@click.group(cls=CommandGroup)
def update() -> None:
    """Update a secret, the keys of secrets, a project, queue, pool or resource class."""


update.add_command(update_queue)
update.add_command(update_secret_keys)
update.add_command(update_pool)
update.add_command(update_resource_class)
update.add_command(update_trigger)


@update.command("secret")
@secret_options
@local_option("Replace the value of a secret of runs without a platform.")
@click.pass_context
def update_secret(
    ctx: click.Context,
    *,
    name: str,
    value: str | None,
    from_file: Path | None,
    group: str,
    project: str | None,
    domain: str | None,
    local: bool,
) -> None:
    """Store a new version of the secret NAME. Attempts that run keep what they were given."""
    from flyte.cli.secret_values import read_secret

    if local:
        from flyte.cli.local_secrets import update

        click.echo(update(name, group, project, domain, read_secret(name, value=value, from_file=from_file)))
        return
    from flyte.remote import Secret

    root_options(ctx).choose_platform()
    content = read_secret(name, value=value, from_file=from_file)
    secret = Secret.update(name, content, group=group, project=project or "", domain=domain or "")
    click.echo(f"Stored version {secret.version} of secret {secret.name} for {secret.scope}.")


@update.command("project")
@click.argument("project_id", metavar="ID")
@click.option("--name", help="New name for people.")
@click.option("--description", help="New description.")
@click.option("-l", "--label", multiple=True, metavar="KEY=VALUE", help="New labels, in place of all. Repeatable.")
@click.option("--archive/--unarchive", "archive", default=None, help="Accept no more runs, or accept them again.")
@click.pass_context
def update_project(
    ctx: click.Context,
    *,
    project_id: str,
    name: str | None,
    description: str | None,
    label: tuple[str, ...],
    archive: bool | None,
) -> None:
    """Change what is given of the project ID."""
    from flyte.remote import Project

    if name is None and description is None and not label and archive is None:
        raise click.UsageError("Nothing to change: give --name, --description, --label, --archive or --unarchive.")
    root_options(ctx).choose_platform()
    Project.update(
        project_id,
        name=name,
        description=description,
        labels=assignments(label, option="--label") if label else None,
        state=None if archive is None else "archived" if archive else "active",
    )
    click.echo(f"Updated project {project_id}.")
