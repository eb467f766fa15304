"""`flyte create|get|delete api-key`: keys with which programs call the platform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_json, print_table
from flyte.cli.role_options import SPAN, grant_message, grant_options, grant_words
from flyte.syncify import syncify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteapi.admin.v1.identity_service_pb2 import ApiKey, CreateApiKeyResponse, Grant


@click.command("api-key")
@click.argument("name")
@grant_options
@click.option("--valid-for", type=SPAN, default="90d", show_default=True, help="How long it holds, at most 366d.")
@json_option
@click.pass_context
def create_api_key(
    ctx: click.Context,
    *,
    name: str,
    role: str,
    project: str | None,
    domain: str | None,
    valid_for: timedelta,
    as_json: bool,
) -> None:
    """Make the API key NAME and print it, this once. Give it to programs as FLYTE_API_KEY.

    Without --project and --domain its role holds everywhere. A name is never used for another key.
    """
    root = root_options(ctx)
    root.choose_platform()
    made = create_key(name, grant_message(role, project, domain), valid_for)
    if as_json or root.json:
        print_json({**_facts(made.key), "secret": made.secret})
        return
    click.echo(made.secret)
    ends = made.key.expires_at.ToDatetime(UTC)
    roles = ", ".join(map(grant_words, made.key.grants))
    click.echo(f"API key {name}: {roles}, until {ends:%Y-%m-%d %H:%M} UTC. It is not shown again.", err=True)


@click.command("api-key")
@json_option
@click.pass_context
def get_api_key(ctx: click.Context, *, as_json: bool) -> None:
    """List API keys (never their values)."""
    root = root_options(ctx)
    root.choose_platform()
    found = [_facts(key) for key in list_keys()]
    if as_json or root.json:
        print_json(found)
        return
    shown = ("name", "state", "roles", "created", "expires")
    print_table(
        shown,
        (
            (key["name"], key["state"], "\n".join(key["roles"]), *(f"{key[at]:%Y-%m-%d %H:%M}" for at in shown[3:]))
            for key in found
        ),
        empty="No API keys. Make one with `flyte create api-key NAME --role ROLE`.",
    )


@click.command("api-key")
@click.argument("name")
@click.pass_context
def delete_api_key(ctx: click.Context, *, name: str) -> None:
    """Revoke the API key NAME. What uses it is refused within seconds; its name stays in the audit log."""
    root_options(ctx).choose_platform()
    revoke_key(name)
    click.echo(f"Revoked API key {name}.")


@syncify
async def create_key(name: str, grant: Grant, valid_for: timedelta) -> CreateApiKeyResponse:
    """Make a key with one role."""
    from flyte.client.call_ids import new_request_id
    from flyte.client.channel import connection
    from flyteapi.admin.v1.identity_service_pb2 import CreateApiKeyRequest

    request = CreateApiKeyRequest(name=name, grants=[grant], request_id=new_request_id())
    request.valid_for.FromTimedelta(valid_for)
    platform = connection()
    doubt = (
        f"The key {name} may have been made, and nobody has its value then: `flyte get api-key` tells. If it is there, "
        f"revoke it with `flyte delete api-key {name}` and make one under another name."
    )
    return await platform.change(platform.identity.CreateApiKey, request, in_doubt=doubt)


@syncify
async def list_keys() -> Sequence[ApiKey]:
    """Return the keys that one may see."""
    from flyte.client.channel import connection
    from flyte.client.pages import pages
    from flyteapi.admin.v1.identity_service_pb2 import ListApiKeysRequest

    platform = connection()
    listed = pages(platform, platform.identity.ListApiKeys, ListApiKeysRequest())
    return [key async for page in listed for key in page.keys]


@syncify
async def revoke_key(name: str) -> None:
    """End a key."""
    from flyte.client.channel import connection
    from flyteapi.admin.v1.identity_service_pb2 import RevokeApiKeyRequest

    platform = connection()
    await platform.change(platform.identity.RevokeApiKey, RevokeApiKeyRequest(name=name))


def _facts(key: ApiKey) -> dict[str, Any]:
    expires = key.expires_at.ToDatetime(UTC)
    state = "revoked" if key.HasField("revoked_at") else "expired" if expires <= datetime.now(UTC) else "valid"
    return {
        "name": key.name,
        "state": state,
        "roles": [grant_words(grant) for grant in key.grants],
        "created": key.created_at.ToDatetime(UTC),
        "expires": expires,
    }
