"""The gRPC face of resource classes: translates messages to use cases and back, and does nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteapi.scheduler.v1 import resource_class_service_pb2 as api
from flyteapi.scheduler.v1.resource_class_service_pb2_grpc import ResourceClassServiceServicer
from flyteplane.rpc.context import Context
from flyteplane.rpc.list_pages import list_page
from flyteplane.scheduler.application.repetition import request_of
from flyteplane.scheduler.application.wire import class_message
from flyteplane.scheduler.domain.queueing.classes import ResourceClass

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock
    from flyteplane.scheduler.application.class_admin import ClassAdministration, ClassView


class ResourceClassServicer(ResourceClassServiceServicer):
    """Serves `ResourceClassService`."""

    def __init__(self, classes: ClassAdministration, *, clock: Clock) -> None:
        self._classes = classes
        self._clock = clock

    async def PutResourceClass(
        self, request: api.PutResourceClassRequest, context: Context
    ) -> api.PutResourceClassResponse:
        """See the proto."""
        shape = shape_of(request.resource_class)
        view = await self._classes.put(
            shape,
            must_be_new=request.must_be_new,
            must_exist=request.must_exist,
            request=request_of(request, at=self._clock.now()),
        )
        return api.PutResourceClassResponse(resource_class=message_of(view))

    async def GetResourceClass(
        self, request: api.GetResourceClassRequest, context: Context
    ) -> api.GetResourceClassResponse:
        """See the proto."""
        return api.GetResourceClassResponse(resource_class=message_of(self._classes.get(request.name)))

    async def ListResourceClasses(
        self, request: api.ListResourceClassesRequest, context: Context
    ) -> api.ListResourceClassesResponse:
        """See the proto."""
        page = list_page(
            [message_of(view) for view in self._classes.all()],
            name=lambda shape: shape.name,
            size_bytes=api.ResourceClass.ByteSize,
            asked=request.page_size,
            token=request.page_token,
        )
        return api.ListResourceClassesResponse(resource_classes=page.entries, next_page_token=page.next_token)

    async def DeleteResourceClass(
        self, request: api.DeleteResourceClassRequest, context: Context
    ) -> api.DeleteResourceClassResponse:
        """See the proto."""
        await self._classes.delete(request.name, request=request_of(request, at=self._clock.now()))
        return api.DeleteResourceClassResponse()


def shape_of(message: api.ResourceClass) -> ResourceClass:
    """The class of a message. Raises InvalidArgument."""
    return ResourceClass(
        name=message.name,
        max_cpu_millis=message.max_cpu_millis,
        max_memory_bytes=message.max_memory_bytes,
        max_accelerators=dict(message.max_accelerators),
        clusters=tuple(message.clusters),
        quota_cpu_millis=message.quota_cpu_millis,
        quota_memory_bytes=message.quota_memory_bytes,
        node_selector=dict(message.node_selector),
        tolerations_json=message.tolerations_json,
        priority_class=message.priority_class,
        allow_host_paths=message.allow_host_paths,
        allow_privileged=message.allow_privileged,
        allow_service_account_token=message.allow_service_account_token,
        service_accounts=tuple(message.service_accounts),
    )


def message_of(view: ClassView) -> api.ResourceClass:
    """The message of a class."""
    message = class_message(view.shape)
    message.used_cpu_millis, message.used_memory_bytes = view.used_cpu_millis, view.used_memory_bytes
    message.running, message.from_file, message.built_in = view.running, view.from_file, view.built_in
    return message
