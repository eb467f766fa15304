"""The clusters of the operator's configuration, with what is known of them now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyteplane.cluster.ports import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """A cluster as it is at this moment."""

    name: str
    kind: str
    reachable: bool
    cpu_millis: int
    """Room for workers; 0 where the cluster itself decides. The same for memory."""
    memory_bytes: int
    workers: int
    """Workers of this platform that run there."""


class ClusterList:
    """Tells of clusters. `workers` counts the workers on a cluster by its name."""

    def __init__(self, clusters: Iterable[Cluster], *, workers: Callable[[str], int]) -> None:
        self._clusters = tuple(clusters)
        self._workers = workers

    def all(self) -> list[ClusterView]:
        """All clusters, in the order of the operator's file."""
        return [self._view(cluster) for cluster in self._clusters]

    def _view(self, cluster: Cluster) -> ClusterView:
        capacity = cluster.capacity()
        return ClusterView(
            name=cluster.name,
            kind=cluster.kind,
            reachable=cluster.health().reachable,
            cpu_millis=capacity.cpu_millis,
            memory_bytes=capacity.memory_bytes,
            workers=self._workers(cluster.name),
        )
