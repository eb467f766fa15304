"""`flyte console`: the link that lets the owner of the platform of this machine into its console."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from flyte.cli.up import data_option
from flyte.client.platform_folder import platform_folder, read_console_link, read_platform


@click.command()
@data_option
def console(*, data: Path | None) -> None:
    """Print where to look at the platform of this machine in a browser.

    The link lets its bearer in, once; ask for another one at any time.
    """
    folder = platform_folder(data)
    running = read_platform(folder)
    if running is None:
        raise click.ClickException(f"No platform runs on {folder}. Start one with `flyte up`.")
    if not running.console:
        raise click.ClickException("This platform has no console. Start it without `--console-listen none`.")
    click.echo(read_console_link(folder) or running.console)
