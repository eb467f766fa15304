"""Which processes belong to a platform under test, and that they are gone.

A platform under test carries a mark in its environment that reaches its templates, its workers and what these start,
because locale variables are passed on to workers. A process that cleared its environment is still found by its working
directory, or by the process group or session of one that was found. Ends are awaited on process descriptors.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "LC_PLATFORM_UNDER_TEST"
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Found:
    """A process that runs for a platform."""

    pid: int
    parent: int
    group: int
    session: int
    command: str

    def kill(self) -> None:
        """Kills it without a word."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def __str__(self) -> str:
        return f"{self.pid} (parent {self.parent}, group {self.group}): {self.command}"


def processes_of(data: Path) -> list[Found]:
    """Every living process that runs for the platform on this folder; zombies do not live."""
    looked_at = [(found, _belongs(found.pid, data)) for pid in _pids() if (found := _look_at(pid)) is not None]
    sessions = {found.session for found, belongs in looked_at if belongs} - {os.getsid(0)}
    groups = {found.group for found, belongs in looked_at if belongs} - {os.getpgrp()}
    return [
        found
        for found, belongs in looked_at
        if (belongs or found.session in sessions or found.group in groups) and found.pid != os.getpid()
    ]


def children_of(pid: int) -> list[Found]:
    """The living children of a process."""
    return [found for other in _pids() if (found := _look_at(other)) is not None and found.parent == pid]


def alive(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    return _look_at(pid) is not None


def await_end(pids: Iterable[int], *, within_s: float) -> list[int]:
    """Waits until processes have ended; returns those that still live when the time is over."""
    deadline = time.monotonic() + within_s
    waiting: dict[int, int] = {}
    for pid in pids:
        with suppress(ProcessLookupError):
            waiting[os.pidfd_open(pid)] = pid
    try:
        while waiting and (left := deadline - time.monotonic()) > 0:
            ended, _, _ = select.select(list(waiting), [], [], left)
            for descriptor in ended:
                del waiting[descriptor]
                os.close(descriptor)
        return [pid for pid in waiting.values() if alive(pid)]
    finally:
        for descriptor in waiting:
            os.close(descriptor)


def assert_ended(pids: Iterable[int], *, within_s: float = 5.0) -> None:
    """Fails unless the processes end in time."""
    left = await_end(pids, within_s=within_s)
    assert not left, f"still running after {within_s:g} s: {[str(_look_at(pid)) for pid in left]}"


def assert_nothing_runs(data: Path, *, within_s: float = 5.0) -> None:
    """Fails unless all that runs for the platform on this folder, now or until then, ends in time."""
    deadline = time.monotonic() + within_s
    while found := processes_of(data):
        left = deadline - time.monotonic()
        assert left > 0, "still running: " + "; ".join(map(str, found))
        await_end([process.pid for process in found], within_s=left)


def kill_all(data: Path) -> None:
    """Kills whatever runs for the platform on this folder, until nothing does."""
    while found := processes_of(data):
        for process in found:
            process.kill()
        await_end([process.pid for process in found], within_s=5.0)


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _look_at(pid: int) -> Found | None:
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent, group, session = fields[:4]
    if state in ("Z", "X"):
        return None
    return Found(pid=pid, parent=int(parent), group=int(group), session=int(session), command=command)


def _belongs(pid: int, data: Path) -> bool:
    folder = os.fsencode(data)
    try:
        if (b"%s=%s" % (MARK.encode(), folder)) in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
            return True
        return os.fsencode(os.readlink(_PROC / str(pid) / "cwd")).startswith(folder + b"/")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
