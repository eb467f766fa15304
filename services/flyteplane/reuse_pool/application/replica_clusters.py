"""The clusters on which replicas are started, by name, and what follows for a pool from the one that it is on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flyteplane.cluster.ports import CONTACT_MARGIN_S
from flyteplane.foundation.errors import FailedPrecondition

if TYPE_CHECKING:
    from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
    from flyteplane.cluster.ports import Cluster
    from flyteplane.reuse_pool.domain.policy import PoolSettings


class ReplicaClusters:
    """The clusters of this process.

    Args:
        clusters: at least one; the first is the default.
    """

    def __init__(self, clusters: Sequence[Cluster]) -> None:
        self._default = clusters[0]
        self._by_name = {cluster.name: cluster for cluster in clusters}

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self._by_name.values())

    def named(self, name: str) -> Cluster | None:
        """A cluster; the default for no name; None for one that is not configured any more."""
        return self._by_name.get(name) if name else self._default

    def of(self, declaration: DeclarePool) -> Cluster:
        """The cluster of a pool. Raises FailedPrecondition if it is not configured here."""
        cluster = self.named(declaration.cluster)
        if cluster is None:
            raise FailedPrecondition(
                f"the reuse pool has no cluster {declaration.cluster!r}",
                reason="UNKNOWN_CLUSTER",
                limit=", ".join(self._by_name),
                mend="Start all processes of the platform with the same operator's file.",
            )
        return cluster

    def settings_for(self, declaration: DeclarePool, settings: PoolSettings) -> PoolSettings:
        """The settings of a pool: replicas that speak over the network go on for their contact time, and are given up
        only after that. Raises as `of`."""
        contact_s = self.of(declaration).contact_s
        return replace(settings, lease_time_s=contact_s, lease_margin_s=CONTACT_MARGIN_S) if contact_s else settings
