"""Reading /proc: which process is meant, and who belongs to its group.

A process id alone may name another process by now; together with the time at which the process started it may not.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
# Position in /proc/<pid>/stat after the command's closing parenthesis, which may itself contain anything.
_START_TIME: Final = 19


def _fields(pid: int) -> list[str] | None:
    try:
        content = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return content.rpartition(")")[2].split()


def start_time(pid: int) -> int | None:
    """Ticks between the start of the machine and that of the process; None if there is no such process."""
    fields = _fields(pid)
    return None if fields is None else int(fields[_START_TIME])


def boot_id() -> str:
    """Changes with every start of the machine; process ids and start times hold only within one."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def signal_group(group: int, number: int) -> bool:
    """Sends a signal to every process of a group; False if there is none."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # The id belongs to somebody else by now.
        return False
    return True


def kill_group(group: int, *, leader_started: int) -> bool:
    """Kills a process group unless its id names another by now; False if nothing was there to kill.

    While a member lives, its group's id is not given to a new process. So a leader with another start time means that
    the group is gone, and members without a leader are what is left of it.
    """
    now = start_time(group)
    if now is not None and now != leader_started:
        return False
    return signal_group(group, signal.SIGKILL)
