"""The gRPC face of queues: translates messages to use cases and back, and does nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1 import queue_service_pb2 as api
from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceServicer
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.rpc.context import Context
from flyteplane.rpc.list_pages import list_page
from flyteplane.scheduler.application.queue_admin import QueueState
from flyteplane.scheduler.application.repetition import request_of
from flyteplane.scheduler.domain.queueing.settings import DEFAULT_PRIORITY, QueueSettings

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock
    from flyteplane.scheduler.application.queue_admin import QueueAdministration, QueueView


_STATES: Final = {
    QueueState.ACTIVE: api.QUEUE_STATE_ACTIVE,
    QueueState.DRAINING: api.QUEUE_STATE_DRAINING,
    QueueState.DRAINED: api.QUEUE_STATE_DRAINED,
}


class QueueServicer(QueueServiceServicer):
    """Serves `QueueService`."""

    def __init__(self, queues: QueueAdministration, *, clock: Clock) -> None:
        self._queues = queues
        self._clock = clock

    async def PutQueue(self, request: api.PutQueueRequest, context: Context) -> api.PutQueueResponse:
        """See the proto."""
        settings = settings_of(request.queue)
        view = await self._queues.put(
            settings,
            must_be_new=request.must_be_new,
            must_exist=request.must_exist,
            request=request_of(request, at=self._clock.now()),
        )
        return api.PutQueueResponse(queue=message_of(view))

    async def GetQueue(self, request: api.GetQueueRequest, context: Context) -> api.GetQueueResponse:
        """See the proto."""
        return api.GetQueueResponse(queue=message_of(self._queues.get(request.name)))

    async def ListQueues(self, request: api.ListQueuesRequest, context: Context) -> api.ListQueuesResponse:
        """See the proto."""
        page = list_page(
            [message_of(view) for view in self._queues.all()],
            name=lambda queue: queue.name,
            size_bytes=api.Queue.ByteSize,
            asked=request.page_size,
            token=request.page_token,
        )
        return api.ListQueuesResponse(queues=page.entries, next_page_token=page.next_token)

    async def WatchQueues(
        self, request: api.WatchQueuesRequest, context: Context
    ) -> AsyncIterator[api.WatchQueuesResponse]:
        """See the proto."""
        async with aclosing(self._queues.changes()) as changes:
            async for _ in changes:
                yield api.WatchQueuesResponse()

    async def DrainQueue(self, request: api.DrainQueueRequest, context: Context) -> api.DrainQueueResponse:
        """See the proto."""
        view = await self._queues.drain(request.name, resume=request.resume)
        return api.DrainQueueResponse(queue=message_of(view))

    async def DeleteQueue(self, request: api.DeleteQueueRequest, context: Context) -> api.DeleteQueueResponse:
        """See the proto."""
        await self._queues.delete(request.name, request=request_of(request, at=self._clock.now()))
        return api.DeleteQueueResponse()


def settings_of(message: api.Queue) -> QueueSettings:
    """The settings of a message. Raises InvalidArgument."""
    if message.state not in api.QueueState.values():
        raise InvalidArgument(f"{message.state} is not a state of a queue", field="queue.state")
    return QueueSettings(
        name=message.name,
        run_concurrency=message.run_concurrency,
        action_concurrency=message.action_concurrency,
        depth=message.depth,
        priority=message.priority if message.HasField("priority") else DEFAULT_PRIORITY,
        clusters=tuple(message.clusters),
        draining=message.state in (api.QUEUE_STATE_DRAINING, api.QUEUE_STATE_DRAINED),
    )


def message_of(view: QueueView) -> api.Queue:
    """The message of a queue."""
    settings = view.settings
    return api.Queue(
        name=settings.name,
        run_concurrency=settings.run_concurrency,
        action_concurrency=settings.action_concurrency,
        depth=settings.depth,
        priority=settings.priority,
        clusters=settings.clusters,
        state=_STATES[view.state],
        running=view.running,
        waiting=view.waiting,
        running_runs=view.running_runs,
        from_file=view.from_file,
    )
