"""The processes of the task: everything below the agent, whatever sessions and parents they gave themselves."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Final

from flyte.runner.linux import children_of_this_process

_INIT: Final = 1
"""The first process of a container."""
_ROUNDS: Final = 10_000
"""More than any tree of processes takes; one that forks faster than it is killed ends with its container."""


def signal_group(pid: int, number: int) -> None:
    """Sends a signal to a process group, or to the process that is about to make it."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_all(pid: int) -> None:
    """Kills the worker's group and all that is below the agent, and collects them. Returns when none is left.

    The agent adopts what loses its parent, so killing its children again and again reaches every one.
    """
    if os.getpid() == _INIT:
        # The whole container but this process; nobody can escape by forking meanwhile.
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    if _is_child(pid):
        signal_group(pid, signal.SIGKILL)
    for _round in range(_ROUNDS):
        for child in children_of_this_process():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def kill_leftovers() -> None:
    """Kills what an ended worker has left below the agent; they are collected as they end."""
    for child in children_of_this_process():
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def ended_children(worker: int) -> Iterator[tuple[int, int]]:
    """Collects every child that has ended: its process id and wait status. The worker's group is killed with it."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        if ended.si_pid == worker:
            # The id stays taken until it is collected, so the group that is killed here is the worker's.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker, signal.SIGKILL)
        yield os.waitpid(ended.si_pid, 0)


def _is_child(pid: int) -> bool:
    """Whether it still has its id: it runs, or has ended and was not collected."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def resident_bytes_below(pid: int) -> int:
    """Memory in RAM of a process and all below it. Pages that they share are counted for each."""
    total, waiting = 0, [pid]
    while waiting:
        process = waiting.pop()
        with contextlib.suppress(OSError):
            with open(f"/proc/{process}/statm") as statistics:
                total += int(statistics.read().split()[1])
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/children") as listing:
                    waiting += [int(child) for child in listing.read().split()]
    return total * os.sysconf("SC_PAGE_SIZE")
