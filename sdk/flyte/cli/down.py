"""`flyte down`: stop the platform of this machine. Saying it twice is no error."""

from __future__ import annotations

import fcntl
import os
import select
import signal
from pathlib import Path

import rich_click as click

from flyte.cli.up import data_option
from flyte.client.platform_folder import RunningPlatform, platform_folder, read_platform


@click.command()
@data_option
@click.option("--timeout", "timeout_s", default=30.0, show_default=True, help="Seconds to wait for its end.")
@click.option("--kill", is_flag=True, help="Kill it instead of asking it to stop. Nothing that it accepted is lost.")
def down(*, data: Path | None, timeout_s: float, kill: bool) -> None:
    """Stop the platform of this machine.

    Runs under way are kept and go on when it is started again.
    """
    folder = platform_folder(data)
    running = read_platform(folder) if is_locked(folder) else None
    if running is None:
        click.echo(f"No platform runs on {folder}.")
        return
    if not stop(running, kill=kill, timeout_s=timeout_s):
        raise click.ClickException(
            f"The platform (process {running.pid}) has not ended within {timeout_s:g} s. Try again, or use --kill."
        )
    click.echo(f"Stopped the platform on {folder} (process {running.pid}).")


def is_locked(folder: Path) -> bool:
    """Tell whether a living process holds the platform's folder."""
    try:
        descriptor = os.open(folder / "platform.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def stop(running: RunningPlatform, *, kill: bool, timeout_s: float) -> bool:
    """Signal the process and wait for its end; False if it has not ended in time."""
    try:
        process = os.pidfd_open(running.pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL if kill else signal.SIGTERM)
        ended, _, _ = select.select([process], [], [], timeout_s)
        return bool(ended)
    except ProcessLookupError:
        return True
    except PermissionError:
        raise click.ClickException(f"Process {running.pid} belongs to another user; it was not stopped.") from None
    finally:
        os.close(process)
