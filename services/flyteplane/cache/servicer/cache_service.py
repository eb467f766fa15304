"""The cache's gRPC face: translates messages to use cases and back, and does nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

from flyteapi.cache.v1 import cache_service_pb2 as api
from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceServicer
from flyteplane.cache.application.computations import Computations, Granted, Wanted
from flyteplane.cache.application.ports import Selection
from flyteplane.cache.application.results import Results
from flyteplane.cache.domain.entries import Item, refuse_bad_text
from flyteplane.cache.servicer.messages import (
    entry_from,
    entry_to,
    key_from,
    key_to,
    max_age_s,
    position_of,
    seconds_of,
    timestamp,
    token_of,
    write_entry,
)
from flyteplane.rpc.context import Context
from flyteplane.rpc.list_pages import page_size
from flyteplane.rpc.message_size import fitting

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock


class CacheServicer(CacheServiceServicer):
    """Serves `CacheService`."""

    def __init__(self, results: Results, computations: Computations, *, clock: Clock) -> None:
        self._results = results
        self._computations = computations
        self._clock = clock

    async def Lookup(self, request: api.LookupRequest, context: Context) -> api.LookupResponse:
        """See the proto."""
        queries = [(key_from(query.key), max_age_s(query)) for query in request.queries]
        response = api.LookupResponse()
        for entry in await self._results.lookup(queries):
            result = response.results.add()
            if entry is not None:
                write_entry(result.entry, entry)
        return response

    async def Put(self, request: api.PutRequest, context: Context) -> api.PutResponse:
        """See the proto."""
        items = [
            Item(
                entry=entry_from(item.entry),
                overwrite=item.overwrite,
                reservation=item.reservation,
                max_age_s=max_age_s(item),
            )
            for item in request.items
        ]
        outcomes = await self._results.put(items)
        return api.PutResponse(outcomes=[cast("api.PutResponse.Outcome.ValueType", int(one)) for one in outcomes])

    async def Reserve(self, request: api.ReserveRequest, context: Context) -> api.ReserveResponse:
        """See the proto."""
        wanted = [
            Wanted(
                key=key_from(item.key),
                owner=refuse_bad_text(item.owner, field="owner"),
                max_age_s=max_age_s(item),
                overwrite=item.overwrite,
            )
            for item in request.items
        ]
        granted = await self._computations.reserve(wanted, ttl_s=seconds_of(request.ttl, field="ttl"))
        return api.ReserveResponse(results=[self._granted(one) for one in granted])

    async def Extend(self, request: api.ExtendRequest, context: Context) -> api.ExtendResponse:
        """See the proto."""
        items = [(key_from(item.key), item.reservation) for item in request.items]
        return api.ExtendResponse(extended=await self._computations.extend(items))

    async def Release(self, request: api.ReleaseRequest, context: Context) -> api.ReleaseResponse:
        """See the proto."""
        await self._computations.release([(key_from(item.key), item.reservation) for item in request.items])
        return api.ReleaseResponse()

    async def Wait(self, request: api.WaitRequest, context: Context) -> AsyncIterator[api.WaitResponse]:
        """See the proto."""
        async for key, entry in self._computations.wait([key_from(key) for key in request.keys]):
            yield api.WaitResponse(key=key_to(key), entry=None if entry is None else entry_to(entry))

    async def Invalidate(self, request: api.InvalidateRequest, context: Context) -> api.InvalidateResponse:
        """See the proto."""
        deleted = await self._results.delete(
            self._selection(request, digests=tuple(key_from(key).digest for key in request.keys))
        )
        return api.InvalidateResponse(deleted=deleted.entries)

    async def ListEntries(self, request: api.ListEntriesRequest, context: Context) -> api.ListEntriesResponse:
        """See the proto."""
        limit = page_size(request.page_size)
        entries = await self._results.page(
            self._selection(request), before=position_of(request.page_token), limit=limit + 1
        )
        messages = [entry_to(entry) for entry in entries[:limit]]
        page = fitting(messages, size=lambda message: message.ByteSize())
        token = token_of(entries[len(page) - 1]) if len(entries) > len(page) else ""
        return api.ListEntriesResponse(entries=page, next_page_token=token)

    def _selection(
        self, request: api.InvalidateRequest | api.ListEntriesRequest, *, digests: tuple[bytes, ...] = ()
    ) -> Selection:
        aged = request.HasField("older_than")
        older_than_s = seconds_of(request.older_than, field="older_than")
        return Selection(
            project=request.scope.project,
            domain=request.scope.domain,
            task_name=request.task_name,
            cache_version=request.cache_version,
            created_before=self._clock.now() - older_than_s if aged else None,
            digests=digests,
        )

    def _granted(self, granted: Granted) -> api.ReserveResponse.Result:
        entry = None if granted.entry is None else entry_to(granted.entry)
        held = granted.reservation
        if held is None:
            return api.ReserveResponse.Result(entry=entry)
        return api.ReserveResponse.Result(
            acquired=held.acquired,
            reservation=held.token,
            owner=held.owner,
            expires_at=timestamp(self._clock.now() + held.expires_in_s),
        )
