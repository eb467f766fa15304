"""`flyte get secret`: which secrets there are, and who was given them. Nobody can read their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, local_option, root_options, scope_options
from flyte.cli.output import age, print_details, print_json, print_table
from flyte.cli.peer_options import cluster_pool_option

if TYPE_CHECKING:
    from flyte.remote import Secret
    from flyte.remote.secret_access import SecretAccess


@click.command("secret")
@click.argument("name", required=False)
@click.option("--group", default="", help="Group of the secret NAME.")
@scope_options
@click.option("--audit", is_flag=True, help="Show who was given it, and who was refused; without NAME for all secrets.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most entries of --audit.")
@cluster_pool_option
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
    audit: bool,
    limit: int,
    local: bool,
    as_json: bool,
) -> None:
    """List secrets of all scopes, or of the given one, or show the secret NAME of a scope."""
    from flyte.remote import Secret

    root = root_options(ctx)
    as_json = as_json or root.json
    if local and audit:
        raise click.UsageError("--audit is of the platform: nobody writes down who reads secrets of local runs.")
    if local:
        from flyte.cli.local_secrets import show

        show(name, as_json=as_json)
        return
    root.choose_platform(project=project, domain=domain)
    if audit:
        entries = Secret.accesses(name or "", group=group, project=project or "", domain=domain or "", limit=limit)
        show_accesses(list(entries), as_json=as_json)
        return
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


def show_accesses(accesses: Sequence[SecretAccess], *, as_json: bool) -> None:
    """Print entries of the audit trail."""
    if as_json:
        print_json([access_facts(one) for one in accesses])
        return
    print_table(
        ("time", "secret", "outcome", "project/domain", "by", "version", "found in"),
        (
            (
                f"{one.time:%Y-%m-%d %H:%M:%S}",
                one.secret,
                one.outcome,
                f"{one.project}/{one.domain}".strip("/"),
                one.by,
                one.version or "",
                one.scope,
            )
            for one in accesses
        ),
        empty="Nobody has asked for it.",
    )


def access_facts(access: SecretAccess) -> dict[str, Any]:
    """Return what is known of an entry of the audit trail, for programs."""
    bearer = access.message.bearer
    return {
        "time": access.time,
        "secret": access.secret,
        "outcome": access.outcome,
        "project": access.project,
        "domain": access.domain,
        "run": bearer.run,
        "action": bearer.action,
        "attempt": bearer.attempt,
        "pool": bearer.pool,
        "replica": bearer.replica,
        "version": access.version,
        "scope": access.scope,
    }


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
