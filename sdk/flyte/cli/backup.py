"""`flyte backup`: copy the platform of this machine while it runs. The platform's own program does the copying."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import rich_click as click

from flyte.cli.launching import LAUNCHER
from flyte.cli.up import data_option
from flyte.client.platform_folder import platform_folder


@click.command()
@data_option
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The backup, a folder that is not there yet. It holds keys: keep it as you keep those.",
)
def backup(*, data: Path | None, to: Path) -> None:
    """Copy the platform of this machine, whether it runs or not.

    The copy is a platform's folder: with no platform running, put it in the place of the lost one and say `flyte up`.
    """
    command = [sys.executable, "-m", LAUNCHER, "backup", "--data", str(platform_folder(data)), "--to", str(to)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr.strip().removeprefix("backup: ") or "The backup was not made.")
