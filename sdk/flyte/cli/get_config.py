"""`flyte get config`: which platform, project and domain commands would use here, and why."""

from __future__ import annotations

from typing import Any

import rich_click as click

from flyte.cli.options import json_option, root_options
from flyte.cli.output import print_details, print_json


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
        "project": settings.project,
        "domain": settings.domain,
        "org": settings.org,
        "api_key": "given" if settings.api_key else "none",
        "images": dict(settings.images),
    }
    if as_json or root.json:
        print_json(shown)
    else:
        print_details(shown)
