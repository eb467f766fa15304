"""Limits of memory and cpu by control groups, where this machine lets us make them.

Both hierarchies are known: version 2 (one tree, controllers to be handed down) and version 1 (a tree for each
controller). Groups are made below the group that this process is in, so that limits of the platform itself hold for
its workers. Where groups cannot be made, `ControlGroups.detect` gives none and the caller limits what it can by other
means.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flyteplane.observe import get_logger

_log = get_logger("cluster")

#: The kernel's own default.
_PERIOD_US: Final = 100_000
#: The kernel takes no smaller quota.
_LEAST_QUOTA_US: Final = 1_000
#: The kernel takes no fewer shares.
_LEAST_SHARES: Final = 2
#: Killed processes leave within milliseconds, unless the machine is very busy.
_REMOVAL_PATIENCE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """A group for a worker to make and to enter, and what it writes into the group's files before."""

    base: Path
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """The control groups of one worker, as far as it has made any."""

    folders: tuple[Path, ...]
    memory_events: Path | None
    """The file that counts kills for want of memory."""

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed a member because of the group's memory limit."""
        if self.memory_events is None:
            return False
        try:
            lines = self.memory_events.read_text().splitlines()
        except OSError:
            return False
        return any(line.startswith("oom_kill ") and int(line.split()[1]) > 0 for line in lines)

    def kill(self) -> None:
        """Kills every member, also those that have left the worker's session."""
        for folder in self.folders:
            try:
                members = (folder / "cgroup.procs").read_text().split()
            except OSError:
                continue
            for member in members:
                _kill(int(member))

    def remove(self) -> bool:
        """Removes the groups; False while killed members are still on their way out."""
        removed = [_remove(folder) for folder in self.folders]
        return all(removed)


@dataclass(frozen=True, slots=True)
class ControlGroups:
    """Groups for workers. A worker makes and enters its own, named after its process: entering may take milliseconds,
    which a worker that is forked ahead has to spare.

    Args:
        version: 1 or 2.
        memory: folder below which groups with a memory limit are made; None if memory cannot be limited.
        cpu: the same for cpu; for version 2 the same folder.
    """

    version: int
    memory: Path | None
    cpu: Path | None

    @classmethod
    def detect(
        cls, name: str, *, mounts: Path = Path("/proc/self/mounts"), own: Path = Path("/proc/self/cgroup")
    ) -> ControlGroups | None:
        """What this machine offers for groups below one named `name`; None if it offers nothing."""
        memberships = _memberships(own)
        found = _cgroup_mounts(mounts)
        for mount, kind, _options in found:
            if kind == "cgroup2" and "" in memberships and (base := _prepare_v2(mount, memberships[""], name)):
                return cls(2, base, base)
        folders = {
            controller: base
            for mount, kind, options in found
            for controller in ("memory", "cpu")
            if kind == "cgroup" and controller in options and controller in memberships
            if (base := _prepare(mount / memberships[controller].lstrip("/") / name)) is not None
        }
        return cls(1, folders.get("memory"), folders.get("cpu")) if folders else None

    @property
    def bases(self) -> tuple[Path, ...]:
        """Folders in which workers make their groups."""
        return tuple(dict.fromkeys(base for base in (self.memory, self.cpu) if base is not None))

    @property
    def limits_memory(self) -> bool:
        """Whether memory can be limited."""
        return self.memory is not None

    def settings(self, *, memory_bytes: int, cpu_millis: int) -> list[GroupSettings]:
        """Groups that keep these limits; 0 is no limit."""
        files: dict[Path, list[tuple[str, str]]] = {}
        if memory_bytes and self.memory is not None:
            files.setdefault(self.memory, []).extend(_memory_files(self.version, memory_bytes))
        if cpu_millis and self.cpu is not None:
            files.setdefault(self.cpu, []).extend(_cpu_files(self.version, cpu_millis))
        return [GroupSettings(base, tuple(of_base)) for base, of_base in files.items()]

    def of_process(self, pid: int) -> WorkerGroup:
        """The groups of the worker with this process id; they need not exist."""
        name = f"w{pid}"
        events = None
        if self.memory is not None:
            events = self.memory / name / ("memory.events" if self.version == 2 else "memory.oom_control")
        return WorkerGroup(tuple(base / name for base in self.bases), events)

    def sweep(self) -> None:
        """Kills the members of all groups that are left, and removes the groups. Blocks."""
        for base in self.bases:
            for folder in [entry for entry in base.iterdir() if entry.is_dir()] if base.is_dir() else ():
                WorkerGroup((folder,), None).kill()
                _remove_patiently(folder)

    def close(self) -> None:
        """Removes everything that is left, with the folders in which the groups were. Blocks."""
        self.sweep()
        for base in self.bases:
            _remove(base)


def _memory_files(version: int, limit_bytes: int) -> list[tuple[str, str]]:
    if version == 2:
        return [("memory.max", str(limit_bytes))]
    return [("memory.limit_in_bytes", str(limit_bytes))]


def _cpu_files(version: int, cpu_millis: int) -> list[tuple[str, str]]:
    quota_us = max(cpu_millis * _PERIOD_US // 1000, _LEAST_QUOTA_US)
    if version == 2:
        return [("cpu.max", f"{quota_us} {_PERIOD_US}")]
    shares = max(cpu_millis * 1024 // 1000, _LEAST_SHARES)
    return [("cpu.shares", str(shares)), ("cpu.cfs_quota_us", str(quota_us))]


def _memberships(own: Path) -> dict[str, str]:
    """Path of this process's group by controller; version 2 has the controller ""."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        _number, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _cgroup_mounts(mounts: Path) -> Sequence[tuple[Path, str, list[str]]]:
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return []
    entries = (line.split() for line in lines)
    return [(Path(entry[1]), entry[2], entry[3].split(",")) for entry in entries if entry[2].startswith("cgroup")]


def _prepare(base: Path) -> Path | None:
    try:
        base.mkdir(exist_ok=True)
    except OSError:
        return None
    return base if os.access(base, os.W_OK) else None


def _prepare_v2(mount: Path, own_path: str, name: str) -> Path | None:
    """A group whose children may be limited. Version 2 forbids members in a group that hands controllers down."""
    parent = mount / own_path.lstrip("/")
    try:
        offered = set((parent / "cgroup.subtree_control").read_text().split())
        if not {"memory", "cpu"} <= offered:
            return None
        base = parent / name
        base.mkdir(exist_ok=True)
        (base / "cgroup.subtree_control").write_text("+memory +cpu")
    except OSError as error:
        _log.info("control_groups_not_used", problem=str(error))
        return None
    return base


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _remove_patiently(folder: Path) -> bool:
    """Removes a group whose members were killed: they leave a moment later, which version 1 does not tell anybody."""
    give_up = time.monotonic() + _REMOVAL_PATIENCE_S
    while not _remove(folder):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.001)
    return True
