"""The program around the platform: logs, signals, exit codes.

    0   stopped when it was asked to
    1   a service failed while the platform ran; the folder is sound, starting again goes on from what is durable
    2   could not start; one line on standard error says why

The first SIGTERM or SIGINT stops in order, the second at once: everything acknowledged is durable at any moment.
SIGHUP has the operator's file read again, and so has a change of the file itself.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyteplane.foundation.errors import PlatformError
from flyteplane.launcher.settings import PlatformSettings
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteplane.launcher.platform import Platform
    from flyteplane.launcher.process_settings import ProcessSettings
    from flyteplane.launcher.service_process import ServiceProcess

_log = get_logger("launcher")

#: After this the process ends whatever still hangs; nothing is lost by that.
CLOSE_WITHIN_S: Final = 8.0
GC_THRESHOLDS: Final = (10_000, 10, 10)


def run(
    settings: PlatformSettings | ProcessSettings, *, ready_fd: int | None = None, log_to_stdout: bool = False
) -> int:
    """Run a platform, or one process of one, until it is told to stop; returns the exit code.

    Args:
        ready_fd: written one line to, with the endpoint, and closed, when the platform is ready.
        log_to_stdout: instead of to a file in the folder: in a container whoever runs it keeps what it prints.
    """
    # Starting makes many objects and hardly any garbage; looking for it costs a tenth of the time.
    gc.disable()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            log_to = _log_to if ready_fd is not None else _log_and_say_where
            return runner.run(_serve(settings, ready_fd, _log_to_stdout if log_to_stdout else log_to))
        except PlatformError as error:
            return _say(error.public_text)
        except OSError as error:
            return _say(f"the platform cannot start: {error}")


async def _serve(
    settings: PlatformSettings | ProcessSettings, ready_fd: int | None, log_to: Callable[[Path], None]
) -> int:
    asked_to_stop, asked_to_read = _stop_signals(), _reading_signal()
    watching = asyncio.ensure_future(_watch(settings, asked_to_read))
    platform = await _open_unless(asked_to_stop, settings, log_to)
    if platform is None:
        watching.cancel()
        return 0
    _tell_ready(ready_fd, platform.endpoint)
    # What is here now stays until the end; the collector need not look at it again and again.
    gc.freeze()
    # A fan-out makes objects by the hundred thousand that all stay: each pass over them would be for nothing.
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()
    failed = asyncio.ensure_future(platform.wait_failed())
    stopped = asyncio.ensure_future(asked_to_stop.wait())
    reading = asyncio.ensure_future(_read_when_asked(platform, asked_to_read))
    await asyncio.wait([failed, stopped], return_when=asyncio.FIRST_COMPLETED)
    failure = failed.exception() if failed.done() and not failed.cancelled() else None
    for waiter in (failed, stopped, reading, watching):
        waiter.cancel()
    await _close(platform.close(), within_s=CLOSE_WITHIN_S + settings.operator.services.drain_s)
    if failure is None:
        return 0
    text = failure.public_text if isinstance(failure, PlatformError) else f"{type(failure).__name__}: {failure}"
    _say(f"a service failed, so the platform stopped: {text}; its log says more")
    return 1


async def _open_unless(
    asked_to_stop: asyncio.Event, settings: PlatformSettings | ProcessSettings, log_to: Callable[[Path], None]
) -> Platform | ServiceProcess | None:
    """Open; None if it was asked to stop first, because what it waits for may be away for long."""
    opening, stopped = asyncio.ensure_future(_open(settings, log_to)), asyncio.ensure_future(asked_to_stop.wait())
    await asyncio.wait([opening, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not opening.done():
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening
        return None
    return await opening


async def _open(
    settings: PlatformSettings | ProcessSettings, log_to: Callable[[Path], None]
) -> Platform | ServiceProcess:
    if isinstance(settings, PlatformSettings):
        from flyteplane.launcher.platform import Platform

        return await Platform.open(settings, on_locked=lambda folder: log_to(folder.log))
    from flyteplane.launcher.service_process import ServiceProcess

    return await ServiceProcess.open(settings, on_locked=lambda folder: log_to(folder.log))


async def _close(closing: Awaitable[object], *, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await closing
    except TimeoutError:
        _say(f"the platform did not close within {within_s:g} s and ends now; nothing acknowledged is lost")
        os._exit(1)


def _stop_signals() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; the second ends the process."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        if asked.is_set():
            os._exit(128 + number)
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return asked


def _reading_signal() -> asyncio.Event:
    """An event that SIGHUP sets."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    return asked


async def _watch(settings: PlatformSettings | ProcessSettings, asked_to_read: asyncio.Event) -> None:
    """Ask for the operator's file to be read whenever it changes; without a file there is nothing to watch."""
    if settings.operator.path is not None:
        from flyteplane.launcher.operator_watch import watch_operator_file

        await watch_operator_file(settings.operator.path, asked_to_read.set)


async def _read_when_asked(platform: Platform | ServiceProcess, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        try:
            await platform.take_operator_file()
        except Exception:  # A file that cannot be taken must not be the end of a platform that runs.
            _log.error("operator_file_not_taken", exc_info=True)


def _tell_ready(ready_fd: int | None, endpoint: str) -> None:
    if ready_fd is None:
        print(f"The platform is ready at {endpoint}", flush=True)
        return
    # Whoever asked may be gone, which is no reason to stop.
    with suppress(OSError):
        os.write(ready_fd, f"{endpoint}\n".encode())
        os.close(ready_fd)


def _log_to_stdout(_: Path) -> None:
    from flyteplane.observe import configure_logs

    configure_logs(stream=sys.stdout, for_people=False)


def _log_to(path: Path) -> None:
    from flyteplane.launcher.log_file import open_log
    from flyteplane.observe import configure_logs

    configure_logs(stream=open_log(path), for_people=False)


def _log_and_say_where(path: Path) -> None:
    """For a person, who may have to look into it before the platform is ready: it waits for stores that are away."""
    _log_to(path)
    print(f"The log is {path}", flush=True)


def _say(text: str) -> int:
    print(f"flyte up: {' '.join(text.split())}", file=sys.stderr, flush=True)
    return 2


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
