"""`flyte get secret`: which secrets there are. Nobody can read their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, local_option, root_options, scope_options
from flyte.cli.output import age, print_details, print_json, print_table

if TYPE_CHECKING:
    from flyte.remote import Secret


@click.command("secret")
@click.argument("name", required=False)
@click.option("--group", default="", help="Group of the secret NAME.")
@scope_options
@local_option("List the secrets of runs without a platform.")
@json_option
@click.pass_context
def get_secret(
    ctx: click.Context,
    *,
    name: str | None,
    group: str,
    project: str | None,
    domain: str | None,
    local: bool,
    as_json: bool,
) -> None:
    """List secrets of all scopes, or of the given one, or show the secret NAME of a scope."""
    from flyte.remote import Secret

    root = root_options(ctx)
    as_json = as_json or root.json
    if local:
        from flyte.cli.local_secrets import show

        show(name, as_json=as_json)
        return
    root.choose_platform(project=project, domain=domain)
    if name is not None:
        shown = facts(Secret.get(name, group=group, project=project or "", domain=domain or ""))
        if as_json:
            print_json(shown)
        else:
            print_details(shown)
        return
    secrets = list(Secret.listall(limit=1000, project=project, domain=domain))
    if as_json:
        print_json([facts(secret) for secret in secrets])
        return
    print_table(
        ("secret", "group", "scope", "version", "changed"),
        ((one.name, one.group, one.scope, one.version, age(one.updated_time)) for one in secrets),
        empty="No secrets. Make one with `flyte create secret NAME`.",
    )


def facts(secret: Secret) -> dict[str, Any]:
    """Return what is known of a secret, for programs."""
    return {
        "secret": secret.name,
        "group": secret.group,
        "project": secret.message.scope.project,
        "domain": secret.message.scope.domain,
        "version": secret.version,
        "created": secret.created_time,
        "updated": secret.updated_time,
    }
