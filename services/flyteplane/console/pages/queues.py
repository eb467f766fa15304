"""Queues: what runs and waits in them, and draining."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.queue_service_pb2 import DrainQueueRequest, ListQueuesRequest
from flyteplane.console.pages.routes import change, page
from flyteplane.console.views.queues import queue_view

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit


async def queues(visit: Visit) -> Response:
    """All queues; there are few."""
    found = await visit.platform.queues.ListQueues(ListQueuesRequest())
    return visit.render("queues.html", queues=[queue_view(queue) for queue in found.queues])


async def drain(visit: Visit) -> Response:
    """Accept nothing more."""
    await visit.platform.queues.DrainQueue(DrainQueueRequest(name=visit.named["name"]))
    return visit.go_to("/queues")


async def resume(visit: Visit) -> Response:
    """Accept again."""
    await visit.platform.queues.DrainQueue(DrainQueueRequest(name=visit.named["name"], resume=True))
    return visit.go_to("/queues")


ROUTES: Final = (
    page("/queues", queues),
    change("/queues/{name}/drain", drain),
    change("/queues/{name}/resume", resume),
)
