"""The few calls of the kernel that Python does not offer."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Final

_INIT: Final = 1
"""The first process of a container."""
_PR_SET_CHILD_SUBREAPER: Final = 36
_CLONE_NEWNS: Final = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x40000


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose own parent ends, so that a daemon cannot slip away. Raises
    OSError.
    """
    # The first process of a container is that anyway, and has something better to do than to load `ctypes`.
    if os.getpid() != _INIT:
        _check(_libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def children_of_this_process() -> list[int]:
    """Process ids of all children of the main thread; empty where the kernel does not list them."""
    process = os.getpid()
    try:
        with open(f"/proc/{process}/task/{process}/children") as listing:
            return [int(child) for child in listing.read().split()]
    except OSError:
        return []


def resident_bytes() -> int:
    """Memory of this process that lies in RAM."""
    try:
        with open("/proc/self/statm") as statistics:
            return int(statistics.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def flush_c_output() -> None:
    """Writes what the C library's buffers hold, for example of native code that prints."""
    _libc().fflush(None)


def mount_private_memory(folder: str) -> None:
    """Puts a folder in memory over `folder` that only this thread, and what it starts, can see. Raises OSError.

    The mount ends with the last process that sees it.
    """
    _check(_libc().unshare(_CLONE_NEWNS))
    _check(_libc().mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _check(_libc().mount(b"tmpfs", folder.encode(), b"tmpfs", flags, b"size=16m,mode=0700"))


@cache
def _libc() -> Any:
    # Most of this module needs no such call, and a worker's start is quicker without it.
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        import ctypes

        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
