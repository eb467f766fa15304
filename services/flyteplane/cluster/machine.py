"""What this machine has: cores and memory, as far as this process may use them."""

from __future__ import annotations

import os
from pathlib import Path

from flyteplane.cluster.ports import ClusterCapacity


def machine_capacity(proc: Path = Path("/proc")) -> ClusterCapacity:
    """Cores that this process may run on, and the memory of the machine or of the group that limits this process."""
    cores = len(os.sched_getaffinity(0))
    return ClusterCapacity(cpu_millis=cores * 1000, memory_bytes=_memory_bytes(proc))


def _memory_bytes(proc: Path) -> int:
    for line in (proc / "meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) * 1024
    raise RuntimeError("/proc/meminfo does not say how much memory there is")
