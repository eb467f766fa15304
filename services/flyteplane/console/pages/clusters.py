"""Clusters and resource classes: where attempts are placed, and as what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.cluster_service_pb2 import ListClustersRequest
from flyteapi.scheduler.v1.queue_service_pb2 import WatchQueuesRequest
from flyteapi.scheduler.v1.resource_class_service_pb2 import ListResourceClassesRequest
from flyteplane.console.live import stream
from flyteplane.console.live_lists import Lists, follow_lists
from flyteplane.console.pages.routes import page
from flyteplane.console.views.placement import ClassView, ClusterView, class_view, cluster_view

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit


async def clusters(visit: Visit) -> Response:
    """All of both; there are few."""
    found, classes = await _views(visit)
    return visit.render("clusters.html", clusters=found, classes=classes)


async def events(visit: Visit) -> Response:
    """Both as they change."""
    # Whoever may not see them is told so by a status, not by a stream that breaks.
    await _views(visit)
    # What takes room changes queues too, so the scheduler tells of both at once.
    return stream(follow_lists(visit.platform.queues.WatchQueues(WatchQueuesRequest()), lambda: _rows(visit)))


async def _rows(visit: Visit) -> Lists:
    found, classes = await _views(visit)
    return {
        "clusters": {view.key: visit.piece("cluster_row.html", cluster=view) for view in found},
        "classes": {view.key: visit.piece("class_row.html", each=view) for view in classes},
    }


async def _views(visit: Visit) -> tuple[list[ClusterView], list[ClassView]]:
    platform = visit.platform
    found, classes = await asyncio.gather(
        platform.clusters.ListClusters(ListClustersRequest()),
        platform.resource_classes.ListResourceClasses(ListResourceClassesRequest()),
    )
    return [cluster_view(cluster) for cluster in found.clusters], list(map(class_view, classes.resource_classes))


ROUTES: Final = (page("/clusters", clusters), page("/clusters/events", events))
