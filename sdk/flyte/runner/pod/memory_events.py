"""Whether the kernel has killed a process of this container for want of memory: it counts such kills per group."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_ROOT: Final = "/sys/fs/cgroup"
_FILES: Final = ("memory.events", "memory/memory.oom_control")
"""Below the root: of version 2 of control groups, and of version 1."""


class MemoryEvents:
    """The kills since this was made, which has to be before the task begins: it may be killed at once.

    Args:
        root: where the container's control group is seen.
    """

    def __init__(self, root: str | os.PathLike[str] = _ROOT) -> None:
        self._root = root
        self._before = self._kills()

    @property
    def has_killed(self) -> bool:
        """Whether there was any; False where the kernel does not count them."""
        return self._kills() > self._before

    def _kills(self) -> int:
        for name in _FILES:
            try:
                with open(os.path.join(self._root, name)) as file:
                    content = file.read()
            except OSError:
                continue
            for line in content.splitlines():
                key, _, count = line.partition(" ")
                if key == "oom_kill" and count.strip().isdecimal():
                    return int(count)
        return 0
