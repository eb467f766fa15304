"""The gRPC face of clusters: translates what is known of them, and does nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteapi.scheduler.v1 import cluster_service_pb2 as api
from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceServicer
from flyteplane.rpc.context import Context

if TYPE_CHECKING:
    from flyteplane.scheduler.application.cluster_list import ClusterList, ClusterView


class ClusterServicer(ClusterServiceServicer):
    """Serves `ClusterService`."""

    def __init__(self, clusters: ClusterList) -> None:
        self._clusters = clusters

    async def ListClusters(self, request: api.ListClustersRequest, context: Context) -> api.ListClustersResponse:
        """See the proto."""
        return api.ListClustersResponse(clusters=[_message(view) for view in self._clusters.all()])


def _message(view: ClusterView) -> api.Cluster:
    return api.Cluster(
        name=view.name,
        kind=view.kind,
        reachable=view.reachable,
        cpu_millis=view.cpu_millis,
        memory_bytes=view.memory_bytes,
        workers=view.workers,
    )
