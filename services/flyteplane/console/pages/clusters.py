"""Clusters and resource classes: where attempts are placed, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.cluster_service_pb2 import ListClustersRequest
from flyteapi.scheduler.v1.resource_class_service_pb2 import ListResourceClassesRequest
from flyteplane.console.pages.routes import page
from flyteplane.console.views.placement import class_view, cluster_view

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit


async def clusters(visit: Visit) -> Response:
    """All of both; there are few."""
    found = await visit.platform.clusters.ListClusters(ListClustersRequest())
    classes = await visit.platform.resource_classes.ListResourceClasses(ListResourceClassesRequest())
    return visit.render(
        "clusters.html",
        clusters=[cluster_view(cluster) for cluster in found.clusters],
        classes=[class_view(each) for each in classes.resource_classes],
    )


ROUTES: Final = (page("/clusters", clusters),)
