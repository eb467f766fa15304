"""The cache service over its gRPC API, in process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support.postgres import database_url

from flyteapi.cache.v1 import cache_service_pb2 as api
from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceStub
from flyteapi.common.v1.identity_pb2 import ActionId, RunId, Scope
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cache.main import open_cache
from flyteplane.coordination.memory import MemoryCoordination
from flyteplane.foundation.clock import ManualClock
from flyteplane.rpc.inprocess import InProcessServer

if TYPE_CHECKING:
    from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceAsyncStub

SCOPE = Scope(project="p", domain="d")
PRODUCER = ActionId(run=RunId(project="p", domain="d", name="r"), name="a0")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["sqlite", "postgres"])
async def stub(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[CacheServiceAsyncStub]:
    coordination = MemoryCoordination(clock=clock)
    url = database_url(request.param, request=request, folder=tmp_path)
    service = await open_cache(database_url=url, coordination=coordination, clock=clock)
    server = InProcessServer()
    service.add_to(server)
    yield CacheServiceStub(server.channel())
    await service.close()
    await coordination.close()


def key(number: int = 1, scope: Scope = SCOPE) -> api.CacheKey:
    return api.CacheKey(scope=scope, digest=bytes([number]) * 32)


def entry(number: int = 1, data: bytes = b"v", scope: Scope = SCOPE, task: str = "env.t") -> api.CacheEntry:
    return api.CacheEntry(
        key=key(number, scope), outputs=Payload(inline=data), producer=PRODUCER, task_name=task, cache_version="1"
    )


async def put(
    stub: CacheServiceAsyncStub, one: api.CacheEntry, *, overwrite: bool = False, reservation: int = 0
) -> int:
    item = api.PutRequest.Item(entry=one, overwrite=overwrite, reservation=reservation)
    return (await stub.Put(api.PutRequest(items=[item]))).outcomes[0]


async def get(stub: CacheServiceAsyncStub, one: api.CacheKey, *, max_age_s: int | None = None) -> bytes | None:
    query = api.LookupRequest.Query(key=one)
    if max_age_s is not None:
        query.max_age.CopyFrom(Duration(seconds=max_age_s))
    result = (await stub.Lookup(api.LookupRequest(queries=[query]))).results[0]
    return result.entry.outputs.inline if result.HasField("entry") else None


async def test_a_stored_value_is_found_with_its_producer(stub: CacheServiceAsyncStub) -> None:
    assert await get(stub, key()) is None
    assert await put(stub, entry()) == api.PutResponse.OUTCOME_STORED
    response = await stub.Lookup(api.LookupRequest(queries=[api.LookupRequest.Query(key=key())]))
    assert response.results[0].entry.producer == PRODUCER
    assert response.results[0].entry.outputs.inline == b"v"


async def test_scopes_do_not_see_each_other(stub: CacheServiceAsyncStub) -> None:
    await put(stub, entry())
    assert await get(stub, key(scope=Scope(project="p", domain="other"))) is None
    assert await get(stub, key(scope=Scope())) is None


async def test_a_batch_is_answered_in_its_order(stub: CacheServiceAsyncStub) -> None:
    items = [api.PutRequest.Item(entry=entry(number, bytes([number]))) for number in (1, 3)]
    await stub.Put(api.PutRequest(items=items))
    queries = [api.LookupRequest.Query(key=key(number)) for number in (3, 2, 1)]
    results = (await stub.Lookup(api.LookupRequest(queries=queries))).results
    assert [result.HasField("entry") for result in results] == [True, False, True]
    assert results[0].entry.outputs.inline == b"\x03"


async def test_the_first_value_stays_unless_it_is_overwritten(stub: CacheServiceAsyncStub) -> None:
    await put(stub, entry(data=b"first"))
    assert await put(stub, entry(data=b"second")) == api.PutResponse.OUTCOME_EXISTED
    assert await get(stub, key()) == b"first"
    assert await put(stub, entry(data=b"third"), overwrite=True) == api.PutResponse.OUTCOME_STORED
    assert await get(stub, key()) == b"third"


async def test_two_values_of_one_key_in_one_batch_store_one(stub: CacheServiceAsyncStub) -> None:
    items = [api.PutRequest.Item(entry=entry(data=data)) for data in (b"a", b"b")]
    outcomes = (await stub.Put(api.PutRequest(items=items))).outcomes
    assert list(outcomes) == [api.PutResponse.OUTCOME_STORED, api.PutResponse.OUTCOME_EXISTED]
    assert await get(stub, key()) == b"a"


async def test_a_value_that_is_too_old_is_a_miss(stub: CacheServiceAsyncStub, clock: ManualClock) -> None:
    await put(stub, entry())
    clock.advance(10)
    assert await get(stub, key(), max_age_s=11) == b"v"
    assert await get(stub, key(), max_age_s=10) is None


async def test_one_owner_at_a_time_computes_a_key(stub: CacheServiceAsyncStub) -> None:
    ttl = Duration(seconds=30)
    first = await stub.Reserve(api.ReserveRequest(key=key(), owner="a", ttl=ttl))
    second = await stub.Reserve(api.ReserveRequest(key=key(), owner="b", ttl=ttl))
    again = await stub.Reserve(api.ReserveRequest(key=key(), owner="a", ttl=ttl))
    assert (first.acquired, second.acquired, again.acquired) == (True, False, True)
    assert second.owner == "a"
    assert again.reservation == first.reservation


async def test_a_store_under_a_lost_reservation_is_refused(stub: CacheServiceAsyncStub, clock: ManualClock) -> None:
    ttl = Duration(seconds=30)
    old = await stub.Reserve(api.ReserveRequest(key=key(), owner="a", ttl=ttl))
    clock.advance(31)
    new = await stub.Reserve(api.ReserveRequest(key=key(), owner="b", ttl=ttl))
    assert new.acquired
    assert new.reservation > old.reservation
    assert await put(stub, entry(data=b"old"), reservation=old.reservation) == api.PutResponse.OUTCOME_FENCED
    assert await put(stub, entry(data=b"new"), reservation=new.reservation) == api.PutResponse.OUTCOME_STORED
    assert await get(stub, key()) == b"new"


async def test_a_reservation_that_is_extended_lives_on(stub: CacheServiceAsyncStub, clock: ManualClock) -> None:
    held = await stub.Reserve(api.ReserveRequest(key=key(), owner="a", ttl=Duration(seconds=30)))
    item = api.ExtendRequest.Item(key=key(), reservation=held.reservation)
    for _ in range(3):
        clock.advance(20)
        assert list((await stub.Extend(api.ExtendRequest(items=[item]))).extended) == [True]
    clock.advance(31)
    assert list((await stub.Extend(api.ExtendRequest(items=[item]))).extended) == [False]


async def test_waiters_wake_when_the_value_is_there_or_the_key_is_free(stub: CacheServiceAsyncStub) -> None:
    held = await stub.Reserve(api.ReserveRequest(key=key(), owner="a", ttl=Duration(seconds=30)))
    waiting = stub.Wait(api.WaitRequest(keys=[key(1), key(2)]))
    first = await waiting.read()
    assert isinstance(first, api.WaitResponse)
    assert first.key == key(2)
    await put(stub, entry(), reservation=held.reservation)
    ready = await waiting.read()
    assert isinstance(ready, api.WaitResponse)
    assert ready.entry.outputs.inline == b"v"


async def test_entries_are_deleted_by_task_and_listed_without_values(
    stub: CacheServiceAsyncStub, clock: ManualClock
) -> None:
    for number in range(1, 6):
        clock.advance(1)
        await put(stub, entry(number, task="env.a" if number % 2 else "env.b"))
    page = await stub.ListEntries(api.ListEntriesRequest(scope=SCOPE, page_size=2))
    rest = await stub.ListEntries(api.ListEntriesRequest(scope=SCOPE, page_size=9, page_token=page.next_page_token))
    listed = [*page.entries, *rest.entries]
    assert [one.key.digest[0] for one in listed] == [5, 4, 3, 2, 1]
    assert not any(one.outputs.inline for one in listed)
    deleted = await stub.Invalidate(api.InvalidateRequest(scope=SCOPE, task_name="env.a"))
    assert deleted.deleted == 3
    assert await get(stub, key(1)) is None
    assert await get(stub, key(2)) == b"v"


@pytest.mark.parametrize(
    "request_",
    [
        api.LookupRequest(queries=[api.LookupRequest.Query(key=api.CacheKey(scope=SCOPE, digest=b"short"))]),
        api.LookupRequest(
            queries=[api.LookupRequest.Query(key=api.CacheKey(scope=Scope(project="p"), digest=b"x" * 32))]
        ),
        api.LookupRequest(queries=[api.LookupRequest.Query(key=key())] * 1001),
    ],
)
async def test_bad_input_is_refused(stub: CacheServiceAsyncStub, request_: api.LookupRequest) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Lookup(request_)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_deleting_everything_has_to_be_said_by_task(stub: CacheServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Invalidate(api.InvalidateRequest(scope=SCOPE))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
