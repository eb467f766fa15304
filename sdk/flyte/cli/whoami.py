"""`flyte whoami`: the caller, its roles, and the platform that was asked."""

from __future__ import annotations

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_details, print_json


@click.command()
@json_option
@click.pass_context
def whoami(ctx: click.Context, *, as_json: bool) -> None:
    """Show who the platform takes you for."""
    from flyte.remote import User

    root = root_options(ctx)
    root.choose_platform()
    user = User.get()
    shown = {
        "subject": user.subject(),
        "roles": user.roles(),
        "endpoint": user.endpoint,
        "platform": f"{user.message.mode} {user.message.version}".strip(),
        "console": user.message.console_url,
    }
    if as_json or root.json:
        print_json(shown)
    else:
        print_details({**shown, "roles": "\n".join(user.roles())})
