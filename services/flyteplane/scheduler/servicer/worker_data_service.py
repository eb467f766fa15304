"""flyteapi.scheduler.v1.WorkerDataService. Translates, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from flyteapi.scheduler.v1 import worker_data_service_pb2 as api
from flyteapi.scheduler.v1.worker_data_service_pb2_grpc import WorkerDataServiceServicer
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.rpc.context import Context

if TYPE_CHECKING:
    from flyteplane.scheduler.application.worker_data import WorkerData
    from flyteplane.scheduler.domain.worker_access import Reader


class WorkerDataServicer(WorkerDataServiceServicer):
    """Serves `WorkerDataService`."""

    def __init__(self, data: WorkerData) -> None:
        self._data = data

    async def FetchBundle(
        self, request: api.FetchBundleRequest, context: Context
    ) -> AsyncIterator[api.FetchBundleResponse]:
        """See the proto."""
        async for piece in self._data.bundle(self._reader(context), request.digest):
            yield api.FetchBundleResponse(data=piece)

    async def ReadObject(
        self, request: api.ReadObjectRequest, context: Context
    ) -> AsyncIterator[api.ReadObjectResponse]:
        """See the proto."""
        reader = self._reader(context)
        async for piece in self._data.read(reader, request.uri, offset=request.offset, length=request.length):
            yield api.ReadObjectResponse(data=piece)

    async def WriteObject(self, request_iterator: Any, context: Context) -> api.WriteObjectResponse:
        """See the proto."""
        reader = self._reader(context)
        requests = aiter(request_iterator)
        first: api.WriteObjectRequest = await anext(requests, api.WriteObjectRequest())
        if not first.uri:
            raise InvalidArgument("the first message of a write names the object", reason="URI_MISSING", field="uri")
        return api.WriteObjectResponse(size_bytes=await self._data.write(reader, first.uri, _pieces(first, requests)))

    async def ListObjects(
        self, request: api.ListObjectsRequest, context: Context
    ) -> AsyncIterator[api.ListObjectsResponse]:
        """See the proto."""
        async for entries in self._data.list(self._reader(context), request.prefix):
            found = [api.ListObjectsResponse.Entry(uri=uri, size_bytes=size) for uri, size in entries]
            yield api.ListObjectsResponse(entries=found)

    def _reader(self, context: Context) -> Reader:
        metadata = dict(context.invocation_metadata() or ())
        return self._data.reader(str(metadata.get("authorization", "")))


async def _pieces(
    first: api.WriteObjectRequest, requests: AsyncIterator[api.WriteObjectRequest]
) -> AsyncIterator[bytes]:
    """The content. Raises InvalidArgument for a stream that ends before its last message: it was cut."""
    request: api.WriteObjectRequest | None = first
    while request is not None:
        if request.data:
            yield request.data
        if request.last:
            return
        request = await anext(requests, None)
    raise InvalidArgument("the write was cut before its last message", reason="WRITE_CUT", field="last")
