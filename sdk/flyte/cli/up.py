"""`flyte up`: the whole platform on this machine."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

import rich_click as click

from flyte.cli.launching import PlatformDidNotStart, StartedPlatform, start_platform
from flyte.client.platform_folder import LOG_FILE, RunningPlatform, platform_folder, read_console_link, read_platform

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the platform. Default: $FLYTE_PLATFORM_DATA, else ~/.flyte/platform.",
)


@click.command()
@data_option
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, readable=True, resolve_path=True, path_type=Path),
    help="The operator's file, flyteplane.yaml: clusters, resource classes, queues. SIGHUP has it read again.",
)
@click.option(
    "--worker-listen",
    metavar="HOST:PORT",
    help="Where workers in pods connect, for example 0.0.0.0:7100. Needed for clusters of the kind kubernetes; each "
    "worker proves itself by a token. Default: services.worker_listen of the operator's file, else nowhere.",
)
@click.option(
    "--metrics-listen", metavar="HOST:PORT", help="Where Prometheus reads metrics, for example 127.0.0.1:9464."
)
@click.option(
    "--console-listen",
    metavar="HOST:PORT",
    help="Where the console listens, or `none`. Default: 127.0.0.1:7780, or another port if that one is taken.",
)
@click.option("--foreground", is_flag=True, help="Stay in this terminal; Ctrl-C stops the platform.")
def up(
    *,
    data: Path | None,
    config: Path | None,
    worker_listen: str | None,
    metrics_listen: str | None,
    console_listen: str | None,
    foreground: bool,
) -> None:
    """Start the platform on this machine.

    It keeps everything in one folder, survives the end of this terminal, and carries on with its runs when it is
    started again. `flyte down` stops it.
    """
    folder = platform_folder(data)
    options = {
        "--config": config,
        "--worker-listen": worker_listen,
        "--metrics-listen": metrics_listen,
        "--console-listen": console_listen,
    }
    given = [word for option, value in options.items() if value for word in (option, str(value))]
    try:
        started = start_platform(folder, detached=not foreground, options=given)
    except PlatformDidNotStart as error:
        raise click.ClickException(str(error)) from None
    running = read_platform(folder)
    if running is None:
        raise click.ClickException(f"The platform is ready but {folder}/platform.json cannot be read.")
    _show(running, foreground=foreground, default_folder=data is None)
    if foreground:
        raise SystemExit(_stay(started))


def _show(running: RunningPlatform, *, foreground: bool, default_folder: bool) -> None:
    stop = "Ctrl-C" if foreground else "flyte down" + ("" if default_folder else f" --data {running.folder}")
    click.echo(f"Flyteplane {running.version} is up (process {running.pid}).".replace("  ", " "))
    click.echo(f"  endpoint  {running.endpoint}")
    if running.console:
        click.echo(f"  console   {read_console_link(running.folder) or running.console}")
    click.echo(f"  data      {running.folder}")
    click.echo(f"  log       {running.folder / LOG_FILE}")
    click.echo(f"  stop      {stop}")


def _stay(started: StartedPlatform) -> int:
    """Wait for the platform; SIGINT, SIGTERM and the end of the terminal (SIGHUP) are passed on to it as SIGTERM."""

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        started.process.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    return abs(started.process.wait())
