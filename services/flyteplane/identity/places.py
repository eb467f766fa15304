"""What a request is about, and in which project and domain that lies.

Most requests name a project and domain. Some name a thing that lies in one: a warm pool by its name, an object by its
URI. Those are looked up before anything is decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from flyteplane.identity.callers import EVERYWHERE, Scope

#: Folders of the object store whose next two segments are a project and a domain.
_SCOPED_FOLDERS: Final = frozenset({"data", "inputs", "logs"})
#: Named by digests that only those know who were told them.
_SHARED_FOLDERS: Final = frozenset({"bundles"})


@dataclass(frozen=True, slots=True)
class PoolName:
    """A pool of warm replicas, by its name or a prefix of it."""

    name: str


@dataclass(frozen=True, slots=True)
class ObjectUri:
    """An object of the platform's store."""

    uri: str


Place: TypeAlias = Scope | PoolName | ObjectUri


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    place: Place
    text: str = ""
    """For people, in the audit log. Never holds a value that somebody sent to be kept."""


class Places(Protocol):
    """Finds where named things lie."""

    async def scope_of_pool(self, name: str) -> Scope | None:
        """The scope of a pool; None if there is none of that name."""

    def key_of_object(self, uri: str) -> str | None:
        """The key of an object in the platform's store; None for a URI of anything else."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where something lies."""

    scope: Scope
    shared: bool = False
    """Whoever has the role in any project may have it: code bundles, which are named by their digest."""


async def locate(place: Place, places: Places) -> Located | None:
    """Where something lies; None if nothing of that name is there."""
    if isinstance(place, PoolName):
        scope = await places.scope_of_pool(place.name)
        return None if scope is None else Located(scope)
    if isinstance(place, ObjectUri):
        key = places.key_of_object(place.uri)
        return None if key is None else locate_key(key)
    return Located(place)


def locate_key(key: str) -> Located:
    """In which project and domain an object lies; what lies in none belongs to the whole platform."""
    folder, *rest = key.split("/")
    if folder in _SCOPED_FOLDERS and len(rest) >= 2:
        return Located(Scope(rest[0], rest[1]))
    return Located(EVERYWHERE, shared=folder in _SHARED_FOLDERS and bool(rest))
