"""Queues: what runs and waits in them, and draining."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.queue_service_pb2 import DrainQueueRequest, ListQueuesRequest, WatchQueuesRequest
from flyteplane.console.live import stream
from flyteplane.console.live_lists import Lists, follow_lists
from flyteplane.console.pages.routes import change, page
from flyteplane.console.views.queues import QueueView, queue_view

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit


async def queues(visit: Visit) -> Response:
    """All queues; there are few."""
    return visit.render("queues.html", queues=await _views(visit))


async def events(visit: Visit) -> Response:
    """The queues as they change."""
    # Whoever may not see them is told so by a status, not by a stream that breaks.
    await _views(visit)
    return stream(follow_lists(visit.platform.queues.WatchQueues(WatchQueuesRequest()), lambda: _rows(visit)))


async def _rows(visit: Visit) -> Lists:
    return {"queues": {view.key: visit.piece("queue_row.html", queue=view) for view in await _views(visit)}}


async def _views(visit: Visit) -> list[QueueView]:
    found = await visit.platform.queues.ListQueues(ListQueuesRequest())
    return [queue_view(queue) for queue in found.queues]


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
    page("/queues/events", events),
    change("/queues/{name}/drain", drain),
    change("/queues/{name}/resume", resume),
)
