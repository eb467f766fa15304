"""The cache's gRPC face: translates messages to use cases and back, and does nothing else."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapi.cache.v1 import cache_service_pb2 as api
from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceServicer
from flyteapi.common.v1.identity_pb2 import ActionId, RunId, Scope
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cache.application.ports import Selection
from flyteplane.cache.application.results import Item, Results
from flyteplane.cache.domain.entries import Entry, EntryKey, parse_key
from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock

Context = Any
_DEFAULT_PAGE = 100
_LARGEST_PAGE = 1_000
_POSITION = struct.Struct(">d")


class CacheServicer(CacheServiceServicer):
    """Serves `CacheService`."""

    def __init__(self, results: Results, *, clock: Clock) -> None:
        self._results = results
        self._clock = clock

    async def Lookup(self, request: api.LookupRequest, context: Context) -> api.LookupResponse:
        """See the proto."""
        queries = [(_key(query.key), _max_age_s(query)) for query in request.queries]
        found = await self._results.lookup(queries)
        response = api.LookupResponse()
        for entry in found:
            result = response.results.add()
            if entry is not None:
                result.entry.CopyFrom(_message(entry))
        return response

    async def Put(self, request: api.PutRequest, context: Context) -> api.PutResponse:
        """See the proto."""
        items = [
            Item(entry=_entry(item.entry), overwrite=item.overwrite, reservation=item.reservation)
            for item in request.items
        ]
        outcomes = await self._results.put(items)
        return api.PutResponse(outcomes=[cast("api.PutResponse.Outcome.ValueType", int(one)) for one in outcomes])

    async def Reserve(self, request: api.ReserveRequest, context: Context) -> api.ReserveResponse:
        """See the proto."""
        ttl_s = _seconds(request.ttl)
        held = await self._results.reserve(_key(request.key), owner=request.owner, ttl_s=ttl_s)
        expires = Timestamp()
        expires.FromMilliseconds(round((self._clock.now() + held.expires_in_s) * 1000))
        return api.ReserveResponse(acquired=held.acquired, reservation=held.token, owner=held.owner, expires_at=expires)

    async def Extend(self, request: api.ExtendRequest, context: Context) -> api.ExtendResponse:
        """See the proto."""
        items = [(_key(item.key), item.reservation) for item in request.items]
        return api.ExtendResponse(extended=await self._results.extend(items))

    async def Release(self, request: api.ReleaseRequest, context: Context) -> api.ReleaseResponse:
        """See the proto."""
        await self._results.release(_key(request.key), request.reservation)
        return api.ReleaseResponse()

    async def Wait(self, request: api.WaitRequest, context: Context) -> AsyncIterator[api.WaitResponse]:
        """See the proto."""
        async for key, entry in self._results.wait([_key(key) for key in request.keys]):
            yield api.WaitResponse(key=_key_message(key), entry=None if entry is None else _message(entry))

    async def Invalidate(self, request: api.InvalidateRequest, context: Context) -> api.InvalidateResponse:
        """See the proto."""
        before = self._clock.now() - _seconds(request.older_than) if request.HasField("older_than") else None
        selection = Selection(
            project=request.scope.project,
            domain=request.scope.domain,
            task_name=request.task_name,
            cache_version=request.cache_version,
            created_before=before,
            digests=tuple(key.digest for key in request.keys),
        )
        return api.InvalidateResponse(deleted=await self._results.delete(selection))

    async def ListEntries(self, request: api.ListEntriesRequest, context: Context) -> api.ListEntriesResponse:
        """See the proto."""
        limit = min(request.page_size or _DEFAULT_PAGE, _LARGEST_PAGE)
        entries = await self._results.page(
            project=request.scope.project,
            domain=request.scope.domain,
            task_name=request.task_name,
            before=_position(request.page_token),
            limit=limit + 1,
        )
        token = _token(entries[limit - 1]) if len(entries) > limit else ""
        return api.ListEntriesResponse(entries=[_message(entry) for entry in entries[:limit]], next_page_token=token)


def _key(key: api.CacheKey) -> EntryKey:
    return parse_key(key.scope.project, key.scope.domain, key.digest)


def _key_message(key: EntryKey) -> api.CacheKey:
    return api.CacheKey(scope=Scope(project=key.project, domain=key.domain), digest=key.digest)


def _entry(message: api.CacheEntry) -> Entry:
    run, name = message.producer.run, message.producer.name
    return Entry(
        key=_key(message.key),
        outputs=message.outputs.SerializeToString(),
        producer=f"{run.project}/{run.domain}/{run.name}/{name}",
        task_name=message.task_name,
        cache_version=message.cache_version,
    )


def _message(entry: Entry) -> api.CacheEntry:
    project, domain, run, action = entry.producer.split("/")
    created = Timestamp()
    created.FromMilliseconds(round(entry.created_at * 1000))
    return api.CacheEntry(
        key=_key_message(entry.key),
        outputs=Payload.FromString(entry.outputs),
        producer=ActionId(run=RunId(project=project, domain=domain, name=run), name=action),
        task_name=entry.task_name,
        cache_version=entry.cache_version,
        created_at=created,
    )


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def _max_age_s(query: api.LookupRequest.Query) -> float | None:
    return _seconds(query.max_age) if query.HasField("max_age") else None


def _token(entry: Entry) -> str:
    return base64.urlsafe_b64encode(_POSITION.pack(entry.created_at) + entry.key.digest).decode()


def _position(token: str) -> tuple[float, bytes] | None:
    if not token:
        return None
    try:
        raw = base64.urlsafe_b64decode(token.encode())
        return _POSITION.unpack(raw[:8])[0], raw[8:]
    except (binascii.Error, struct.error, ValueError) as error:
        raise InvalidArgument("the page token was not made by this service", field="page_token") from error
