"""Starts the platform's process and waits until it is ready, or until it says why it is not.

The child inherits the writing end of a pipe and writes one line when it is ready; its exit is seen through a pidfd. So
nothing is polled, and a platform that dies while it starts is reported at once with what it said last.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

START_TIMEOUT_S = 60.0
LAUNCHER = "flyteplane.launcher"


class PlatformDidNotStart(Exception):
    """The platform ended, or was not ready in time. The message is for people."""


@dataclass(slots=True)
class StartedPlatform:
    """The process of a platform that is ready."""

    process: subprocess.Popen[bytes]


def start_platform(
    folder: Path,
    *,
    detached: bool,
    options: Sequence[str] = (),
    timeout_s: float = START_TIMEOUT_S,
    launcher: str = LAUNCHER,
) -> StartedPlatform:
    """Start a platform on a folder and return when it is ready.

    `detached` gives it a session of its own, so that it outlives the terminal. `options` are for the launcher; paths
    among them are absolute, because it works in another folder. Raises PlatformDidNotStart.
    """
    said = os.memfd_create("flyte-up-stderr", os.MFD_CLOEXEC)
    ready, writing = os.pipe2(os.O_CLOEXEC)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", launcher, "--data", str(folder), "--ready-fd", str(writing), *options],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=detached,
            pass_fds=(writing,),
            cwd="/",
        )
        os.close(writing)
        _await_ready(process, ready, said, timeout_s=timeout_s)
        return StartedPlatform(process)
    finally:
        os.close(ready)
        os.close(said)


def _await_ready(process: subprocess.Popen[bytes], ready: int, said: int, *, timeout_s: float) -> None:
    process_end = os.pidfd_open(process.pid)
    try:
        readable, _, _ = select.select([ready, process_end], [], [], timeout_s)
        if ready in readable and os.read(ready, 4096):
            return
        if readable:
            process.wait()
            raise PlatformDidNotStart(_last_words(said) or f"The platform ended with exit code {process.returncode}.")
        process.terminate()
        raise PlatformDidNotStart(f"The platform was not ready within {timeout_s:.0f} s and was stopped.")
    except BaseException:
        if process.poll() is None:
            process.terminate()
        raise
    finally:
        os.close(process_end)


def _last_words(said: int) -> str:
    """Return what the process printed: its one line, or the last lines of a crash."""
    text = os.pread(said, 1 << 20, 0).decode(errors="replace").strip()
    lines = text.splitlines()
    return "\n".join(lines if len(lines) <= 12 else ["...", *lines[-12:]]).removeprefix("flyte up: ")
