"""From a fork of the template to a worker of its own: session, descriptors, environment, limits.

A forked process shares everything with the template until this module has taken it apart. What must hold afterwards:
it leads a session and process group of its own, holds no descriptor but its stream (3) and its output (1 and 2), no
signal handler of the template is left, and random numbers differ from those of its siblings.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

from flyte.runner.linux import adopt_orphans
from flyte.runner.startup import Startup

STREAM: Final = 3
"""The first descriptor after standard input, output and error."""
_HEADER_BYTES: Final = 4
_MOST_DESCRIPTORS: Final = 1 << 20
"""The largest number that a process may have open on a usual system."""


def leave_template(*, adopts: bool = True) -> None:
    """Gives a fresh fork a session of its own and takes the template's signal handling away.

    Args:
        adopts: whether descendants that lose their parent become its own; otherwise whoever is above collects them.
    """
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    if adopts:
        adopt_orphans()
    # Loaded later, it begins with a seed of its own anyway.
    if "random" in sys.modules:
        import random

        random.seed()


def keep_only(*, stream: int, output: int) -> socket.socket:
    """Closes all descriptors but the two given, puts them where a worker has them, and returns the stream."""
    # High numbers first: either descriptor may lie where the other has to go.
    stream = _move_up(stream)
    output = _move_up(output)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(stream, STREAM, inheritable=False)
    os.closerange(STREAM + 1, _MOST_DESCRIPTORS)
    return socket.socket(fileno=STREAM)


def _move_up(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64)


def read_startup(stream: socket.socket) -> Startup | None:
    """Waits for the first frame; None if the stream ended before it came. Raises ValueError."""
    header = _read_exactly(stream, _HEADER_BYTES)
    if header is None:
        return None
    content = _read_exactly(stream, int.from_bytes(header, "little"))
    return None if content is None else Startup.parse(content)


def _read_exactly(stream: socket.socket, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size > 0:
        part = stream.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


_entered: set[str] = set()


def enter_group(base: str) -> None:
    """Makes a control group of this process's own below a folder and enters it; idempotent. Raises OSError.

    A kernel may take milliseconds for it, which is why workers that are forked ahead do it ahead.
    """
    if base not in _entered:
        os.makedirs(_own_group(base), exist_ok=True)
        _write(f"{_own_group(base)}/cgroup.procs", "0")
        _entered.add(base)


def limit_group(base: str, files: Sequence[tuple[str, str]]) -> None:
    """Sets the limits of this process's own control group below a folder. Raises OSError."""
    os.makedirs(_own_group(base), exist_ok=True)
    for name, content in files:
        try:
            _write(f"{_own_group(base)}/{name}", content)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            limit = f"{name} = {content}"
            raise OSError(error.errno, f"the limit {limit} is below what a worker takes before any task") from None


def remove_groups(base: str) -> None:
    """Removes the control groups below a folder, and the folder, as far as nobody is in them."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(base):
            if entry.is_dir():
                os.rmdir(entry)
        os.rmdir(base)


def _own_group(base: str) -> str:
    return f"{base}/w{os.getpid()}"


def _write(path: str, content: str) -> None:
    with open(path, "w") as file:
        file.write(content)


def settle_in(startup: Startup) -> None:
    """Gives the process the environment, folders and limits that it was told to have. Raises OSError."""
    for base, files in startup.groups:
        limit_group(base, files)
        enter_group(base)
    if startup.data_limit_bytes:
        # Pods have no such limit, and start sooner without it.
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (startup.data_limit_bytes, startup.data_limit_bytes))
    os.environ.clear()
    os.environ.update(startup.env)
    os.environ["TMPDIR"] = startup.temp
    os.environ["PWD"] = startup.cwd
    os.chdir(startup.cwd)
    if "tempfile" in sys.modules:
        import tempfile

        tempfile.tempdir = None
    time.tzset()
    sys.argv = ["flyte-worker", startup.name]
