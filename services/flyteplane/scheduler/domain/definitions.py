"""Which queues and resource classes there are: stored, in the operator's file, or without anybody's doing.

Three origins, the later ones of this list giving way to the earlier ones of the same name: the operator's file, the
store, and the platform itself, which always has the queue "default" and, for a cluster that no class is for, a class of
the cluster's own. What comes of it is a pure function of the three, so a restart leads to the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, get_args

from flyte.spec.devices import DeviceClass
from flyte.spec.names import DEFAULT_QUEUE
from flyteplane.scheduler.domain.queueing.checks import names_any
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings

_LONGEST_NAME: Final = 63
#: More accelerators than any node has, of every class: where the cluster itself decides.
_ANY_ACCELERATORS: Final = MappingProxyType(dict.fromkeys(get_args(DeviceClass), 1000))


class Origin(StrEnum):
    """Where a queue or class comes from, which decides who may change it."""

    FILE = "file"
    """The operator's file; changed there."""
    STORE = "store"
    """The API."""
    BUILT_IN = "built-in"
    """Nobody defined it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Queues and classes of one origin."""

    queues: tuple[QueueSettings, ...] = ()
    classes: tuple[ResourceClass, ...] = ()
    path: str = ""
    """Where they stand, for people; empty for the store."""


NO_ENTRIES: Final = Entries()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """A queue and where it comes from."""

    settings: QueueSettings
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEntry:
    """A resource class and where it comes from."""

    shape: ResourceClass
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What holds now."""

    queues: Mapping[str, QueueEntry] = field(default_factory=dict)
    """By name, in order of names."""
    classes: Mapping[str, ClassEntry] = field(default_factory=dict)
    """By name, smallest first."""
    shadowed_queues: tuple[str, ...] = ()
    """Stored queues that the operator's file redefines; the stored ones come back once the file says nothing."""
    shadowed_classes: tuple[str, ...] = ()
    missing_clusters: tuple[str, ...] = ()
    """Clusters that queues or classes name and that do not exist."""


def merge_definitions(*, stored: Entries, file: Entries, clusters: Iterable[ClusterRoom]) -> Definitions:
    """Puts the three origins together."""
    rooms = tuple(clusters)
    queues = {DEFAULT_QUEUE: QueueEntry(settings=QueueSettings(name=DEFAULT_QUEUE), origin=Origin.BUILT_IN)}
    classes: dict[str, ClassEntry] = {}
    for entries, origin in ((stored, Origin.STORE), (file, Origin.FILE)):
        queues |= {one.name: QueueEntry(settings=one, origin=origin) for one in entries.queues}
        classes |= {one.name: ClassEntry(shape=one, origin=origin) for one in entries.classes}
    for room in rooms:
        if not any(offers(entry.shape, cluster=room.name) for entry in classes.values()):
            classes |= {one.name: ClassEntry(shape=one, origin=Origin.BUILT_IN) for one in _own_classes(room, classes)}
    return Definitions(
        queues=dict(sorted(queues.items())),
        classes=dict(sorted(classes.items(), key=lambda item: item[1].shape.size)),
        shadowed_queues=_in_both([one.name for one in stored.queues], [one.name for one in file.queues]),
        shadowed_classes=_in_both([one.name for one in stored.classes], [one.name for one in file.classes]),
        missing_clusters=_missing(queues.values(), classes.values(), known={room.name for room in rooms}),
    )


def offers(shape: ResourceClass, *, cluster: str) -> bool:
    """True for a class that the cluster offers."""
    return names_any(shape.clusters) or cluster in shape.clusters


def _own_classes(room: ClusterRoom, taken: Mapping[str, ClassEntry]) -> list[ResourceClass]:
    """The classes of a cluster that the operator defined none for: everything that it has room for.

    Cpu has no maximum, because it can be shared: an attempt that asks for more than there is gets the whole of it.
    Accelerators have a class of their own, since a class with accelerators is never given to a task without any.
    """
    decides_itself = not (room.cpu_millis or room.memory_bytes)
    accelerators = room.accelerators or (_ANY_ACCELERATORS if decides_itself else {})
    plain = ResourceClass(name=_free_name(room.name, taken), max_memory_bytes=room.memory_bytes, clusters=(room.name,))
    if not accelerators:
        return [plain]
    accelerated = ResourceClass(
        name=_free_name(f"{room.name}-accelerators", taken),
        max_memory_bytes=room.memory_bytes,
        max_accelerators=accelerators,
        clusters=(room.name,),
    )
    return [plain, accelerated]


def _free_name(wanted: str, taken: Mapping[str, ClassEntry]) -> str:
    name = wanted[:_LONGEST_NAME]
    number = 2
    while name in taken:
        ending = f"-{number}"
        name = wanted[: _LONGEST_NAME - len(ending)] + ending
        number += 1
    return name


def _in_both(stored: Iterable[str], file: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(stored) & set(file)))


def _missing(queues: Iterable[QueueEntry], classes: Iterable[ClassEntry], *, known: set[str]) -> tuple[str, ...]:
    lists = [*(entry.settings.clusters for entry in queues), *(entry.shape.clusters for entry in classes)]
    named = {cluster for clusters in lists if not names_any(clusters) for cluster in clusters}
    return tuple(sorted(named - known))
