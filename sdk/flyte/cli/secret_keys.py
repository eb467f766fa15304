"""`flyte get|update secret-keys`: what an operator does with the keys that secrets are stored under."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click
from click.exceptions import Exit

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_json, print_table
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.secrets.v1.secrets_service_pb2 import ListKeysResponse, RotateKeysResponse

#: Moving a secret under another key takes a millisecond, and where keys are far away some more.
_ROTATION_TIMEOUT_S = 600.0


@click.command("secret-keys")
@json_option
@click.pass_context
def get_secret_keys(ctx: click.Context, *, as_json: bool) -> None:
    """List the keys that secrets are stored under. A key may be removed when no secret needs it."""
    root = root_options(ctx)
    root.choose_platform()
    keys = list_keys().keys
    if as_json or root.json:
        print_json(
            [
                {"key": one.id, "current": one.current, "available": one.available, "secrets": one.secrets}
                for one in keys
            ]
        )
        return
    print_table(
        ("key", "state", "secrets"),
        ((one.id, "current" if one.current else "older" if one.available else "missing", one.secrets) for one in keys),
        empty="No keys.",
    )


@click.command("secret-keys")
@click.option("--new", is_flag=True, help="Make a new key first. Otherwise look for one that was added.")
@click.pass_context
def update_secret_keys(ctx: click.Context, *, new: bool) -> None:
    """Move all secrets under the current key. They can be used all the while, and it can be done again at any time."""
    root_options(ctx).choose_platform()
    done = rotate_keys(new_key=new)
    click.echo(f"Moved {done.moved} secret{'' if done.moved == 1 else 's'} under key {done.key_id}.")
    for name in done.stuck:
        click.echo(f"Not moved, its key is missing or it is damaged: {name}", err=True)
    if done.stuck:
        raise Exit(1)


@syncify
async def list_keys() -> ListKeysResponse:
    """Return all keys."""
    from flyte.client.channel import connection
    from flyteapi.secrets.v1.secrets_service_pb2 import ListKeysRequest

    platform = connection()
    return await platform.call(platform.secrets.ListKeys, ListKeysRequest())


@syncify
async def rotate_keys(*, new_key: bool) -> RotateKeysResponse:
    """Move all secrets under the current key."""
    from flyte.client.channel import connection
    from flyteapi.secrets.v1.secrets_service_pb2 import RotateKeysRequest

    platform = connection()
    request = RotateKeysRequest(new_key=new_key)
    return await platform.call(platform.secrets.RotateKeys, request, timeout_s=_ROTATION_TIMEOUT_S)
