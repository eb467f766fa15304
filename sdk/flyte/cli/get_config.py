"""`flyte get config`: which platform, project and domain commands would use here, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_details, print_json

if TYPE_CHECKING:
    from flyte.client.settings import ClientSettings


@click.command("config")
@json_option
@click.pass_context
def get_config(ctx: click.Context, *, as_json: bool) -> None:
    """Show the configuration that holds here."""
    from flyte.client.init import current_settings
    from flyte.config import auto

    root = root_options(ctx)
    root.choose_platform()
    settings = current_settings()
    assert settings is not None
    source = auto(root.config).source
    shown: dict[str, Any] = {
        "file": str(source) if source is not None else "none",
        "endpoint": settings.endpoint or "none: runs are local",
        "insecure": settings.insecure,
        "ca_cert": settings.ca_cert_file_path,
        "project": settings.project,
        "domain": settings.domain,
        "org": settings.org,
        "api_key": _where_from(settings),
        "image_builder": settings.image_builder,
        "image_registry": settings.image_registry,
        "images": dict(settings.images),
    }
    if as_json or root.json:
        print_json(shown)
    else:
        print_details(shown)


def _where_from(settings: ClientSettings) -> str:
    """Where the credential comes from; never the credential."""
    if settings.api_key:
        return "given"
    if settings.command:
        return f"by the command {settings.command[0]}"
    return f"in {settings.api_key_file}" if settings.api_key_file is not None else "none"
