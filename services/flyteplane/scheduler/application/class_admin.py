"""Use cases of resource classes: put, look, delete.

What runs in a class goes on whatever is changed; what waits is mapped anew. A cluster never is without a class: once
the last one for it is deleted it offers its own again.
"""

from __future__ import annotations

from dataclasses import dataclass

from flyteplane.foundation.errors import AlreadyExists, FailedPrecondition, NotFound
from flyteplane.scheduler.application.administration import (
    Administration,
    refuse_change_of_file,
    refuse_unknown_clusters,
)
from flyteplane.scheduler.application.administration_ports import Request
from flyteplane.scheduler.domain.definitions import ClassEntry, Definitions, Origin
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.pod_settings import refuse_settings_of_pods


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassView:
    """A class with what it has in use at this moment."""

    shape: ResourceClass
    running: int
    used_cpu_millis: int
    used_memory_bytes: int
    from_file: bool
    """It stands in the operator's file."""
    built_in: bool
    """It is a cluster's own."""


class ClassAdministration:
    """Serves the resource classes of an administration."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def get(self, name: str) -> ClassView:
        """One class. Raises NotFound."""
        return self._view(_find(self._administration.definitions, name))

    def all(self) -> list[ClassView]:
        """All classes, smallest first."""
        return [self._view(entry) for entry in self._administration.definitions.classes.values()]

    async def put(
        self,
        shape: ResourceClass,
        *,
        must_be_new: bool = False,
        must_exist: bool = False,
        request: Request = None,
    ) -> ClassView:
        """Creates or replaces a class; durable on return.

        Raises InvalidArgument (unknown cluster, settings of pods where no cluster has pods), AlreadyExists
        (`must_be_new`), NotFound (`must_exist`), FailedPrecondition (it stands in the operator's file).
        """
        given = self._administration
        refuse_unknown_clusters(shape.clusters, clusters=given.clusters)
        refuse_settings_of_pods(shape, has_nodes={room.name: room.has_nodes for room in given.clusters})

        async def decide(definitions: Definitions) -> None:
            entry = _defined(definitions, shape.name)
            if entry is None and must_exist:
                _refuse_own(_find(definitions, shape.name))
            if entry is not None and must_be_new:
                raise AlreadyExists(
                    f"resource class {shape.name!r} exists already",
                    reason="CLASS_EXISTS",
                    mend=f"Change it with `flyte update resource-class {shape.name}`, or choose another name.",
                )
            if entry is not None:
                refuse_change_of_file(f"resource class {shape.name!r}", entry.origin, path=given.file_path)
            await given.records.put_class(shape, request=request)

        await given.change(decide, request=request)
        return self.get(shape.name)

    async def delete(self, name: str, *, request: Request = None) -> None:
        """Deletes a class; durable on return. Raises NotFound, and FailedPrecondition for one that was not stored."""
        given = self._administration

        async def decide(definitions: Definitions) -> None:
            entry = _find(definitions, name)
            _refuse_own(entry)
            refuse_change_of_file(f"resource class {name!r}", entry.origin, path=given.file_path)
            await given.records.delete_class(name, request=request)

        await given.change(decide, request=request)

    def _view(self, entry: ClassEntry) -> ClassView:
        figures = self._administration.live.class_figures(entry.shape.name)
        return ClassView(
            shape=entry.shape,
            running=figures.running,
            used_cpu_millis=figures.used_cpu_millis,
            used_memory_bytes=figures.used_memory_bytes,
            from_file=entry.origin is Origin.FILE,
            built_in=entry.origin is Origin.BUILT_IN,
        )


def _defined(definitions: Definitions, name: str) -> ClassEntry | None:
    """The class of a name unless it is a cluster's own, which any class may take the place of."""
    entry = definitions.classes.get(name)
    return entry if entry is not None and entry.origin is not Origin.BUILT_IN else None


def _find(definitions: Definitions, name: str) -> ClassEntry:
    entry = definitions.classes.get(name)
    if entry is None:
        raise NotFound(
            f"resource class {name!r} does not exist",
            reason="CLASS_NOT_FOUND",
            mend=f"The resource classes are: {', '.join(definitions.classes)}.",
        )
    return entry


def _refuse_own(entry: ClassEntry) -> None:
    if entry.origin is Origin.BUILT_IN:
        raise FailedPrecondition(
            f"resource class {entry.shape.name!r} is cluster {entry.shape.clusters[0]!r}'s own",
            reason="OWN_CLASS",
            mend="Create a class for that cluster: it takes the place of this one.",
        )
