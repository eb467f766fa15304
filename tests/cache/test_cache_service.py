"""The cache service over its gRPC API, in process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support.postgres import database_url

from flyteapi.cache.v1 import cache_service_pb2 as api
from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceStub
from flyteapi.common.v1.identity_pb2 import ActionId, RunId, Scope
from flyteapi.task.v1.value_pb2 import NamedValues, Payload
from flyteplane.cache.domain.limits import CacheLimits
from flyteplane.cache.main import CacheService, open_cache
from flyteplane.cache.store.stored_objects import PlatformObjects
from flyteplane.coordination.memory import MemoryCoordination
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.objects import MemoryObjectStore
from flyteplane.rpc.client import translated_errors
from flyteplane.rpc.inprocess import InProcessServer

if TYPE_CHECKING:
    from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceAsyncStub

SCOPE = Scope(project="p", domain="d")
PRODUCER = ActionId(run=RunId(project="p", domain="d", name="r"), name="a0")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Opened:
    """A cache service with what it stands on."""

    def __init__(self, url: str, clock: ManualClock) -> None:
        self.url, self.clock = url, clock
        self.coordination = MemoryCoordination(clock=clock)
        self.objects = MemoryObjectStore(clock=clock)
        self.limits = CacheLimits()
        self.service: CacheService

    async def open(self) -> CacheServiceAsyncStub:
        """Opens it, or opens it again after `close`."""
        objects = PlatformObjects(self.objects, prefix="file:///objects/")
        self.service = await open_cache(
            database_url=self.url,
            coordination=self.coordination,
            clock=self.clock,
            objects=objects,
            limits=self.limits,
        )
        server = InProcessServer()
        self.service.add_to(server)
        return CacheServiceStub(server.channel())

    async def close(self) -> None:
        """Closes the service; what it stands on stays."""
        await self.service.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Opened]:
    opened = Opened(database_url(request.param, request=request, folder=tmp_path), clock)
    yield opened
    await opened.close()
    await opened.coordination.close()


@pytest.fixture
async def stub(opened: Opened) -> CacheServiceAsyncStub:
    return await opened.open()


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


async def reserve(
    stub: CacheServiceAsyncStub, owner: str, *, number: int = 1, overwrite: bool = False, max_age_s: int | None = None
) -> api.ReserveResponse.Result:
    item = api.ReserveRequest.Item(key=key(number), owner=owner, overwrite=overwrite)
    if max_age_s is not None:
        item.max_age.CopyFrom(Duration(seconds=max_age_s))
    return (await stub.Reserve(api.ReserveRequest(items=[item], ttl=Duration(seconds=30)))).results[0]


async def extend(stub: CacheServiceAsyncStub, reservation: int) -> bool:
    item = api.ExtendRequest.Item(key=key(), reservation=reservation)
    return (await stub.Extend(api.ExtendRequest(items=[item]))).extended[0]


async def release(stub: CacheServiceAsyncStub, reservation: int) -> None:
    item = api.ReleaseRequest.Item(key=key(), reservation=reservation)
    await stub.Release(api.ReleaseRequest(items=[item]))


async def test_a_value_that_was_too_old_is_replaced_by_the_new_one(
    stub: CacheServiceAsyncStub, clock: ManualClock
) -> None:
    await put(stub, entry(data=b"old"))
    clock.advance(10)
    for seconds, outcome in ((11, api.PutResponse.OUTCOME_EXISTED), (10, api.PutResponse.OUTCOME_STORED)):
        item = api.PutRequest.Item(entry=entry(data=b"new"), max_age=Duration(seconds=seconds))
        assert list((await stub.Put(api.PutRequest(items=[item]))).outcomes) == [outcome]
    assert await get(stub, key()) == b"new"


async def test_one_owner_at_a_time_computes_a_key(stub: CacheServiceAsyncStub) -> None:
    first, second, again = await reserve(stub, "a"), await reserve(stub, "b"), await reserve(stub, "a")
    assert (first.acquired, second.acquired, again.acquired) == (True, False, True)
    assert second.owner == "a"
    assert again.reservation == first.reservation


async def test_of_many_who_reserve_at_once_one_computes(stub: CacheServiceAsyncStub) -> None:
    answers = await asyncio.gather(*(reserve(stub, f"owner-{number}") for number in range(50)))
    assert sum(answer.acquired for answer in answers) == 1
    assert len({answer.owner for answer in answers}) == 1


async def test_a_store_under_a_lost_reservation_is_refused(stub: CacheServiceAsyncStub, clock: ManualClock) -> None:
    old = await reserve(stub, "a")
    clock.advance(31)
    new = await reserve(stub, "b")
    assert new.acquired
    assert new.reservation > old.reservation
    assert await put(stub, entry(data=b"old"), reservation=old.reservation) == api.PutResponse.OUTCOME_FENCED
    assert await put(stub, entry(data=b"new"), reservation=new.reservation) == api.PutResponse.OUTCOME_STORED
    assert await get(stub, key()) == b"new"


async def test_who_reserves_after_a_value_was_stored_is_given_it(
    stub: CacheServiceAsyncStub, clock: ManualClock
) -> None:
    held = await reserve(stub, "a")
    await put(stub, entry(), reservation=held.reservation)
    clock.advance(10)
    late = await reserve(stub, "b")
    assert (late.acquired, late.entry.outputs.inline) == (False, b"v")
    assert (await reserve(stub, "c", max_age_s=5)).acquired
    assert not (await reserve(stub, "d")).acquired


async def test_who_overwrites_computes_although_there_is_a_value(stub: CacheServiceAsyncStub) -> None:
    await put(stub, entry(data=b"old"))
    held = await reserve(stub, "a", overwrite=True)
    assert held.acquired
    assert await put(stub, entry(data=b"new"), reservation=held.reservation, overwrite=True)
    assert await get(stub, key()) == b"new"


async def test_a_value_stored_twice_by_the_same_is_no_fault(stub: CacheServiceAsyncStub) -> None:
    held = await reserve(stub, "a")
    outcomes = [await put(stub, entry(), reservation=held.reservation) for _ in range(2)]
    assert outcomes == [api.PutResponse.OUTCOME_STORED, api.PutResponse.OUTCOME_EXISTED]


async def test_a_reservation_that_is_extended_lives_on(stub: CacheServiceAsyncStub, clock: ManualClock) -> None:
    held = await reserve(stub, "a")
    for _ in range(3):
        clock.advance(20)
        assert await extend(stub, held.reservation)
    clock.advance(31)
    assert not await extend(stub, held.reservation)


async def test_tokens_grow_although_a_coordination_store_begins_anew(opened: Opened) -> None:
    stub = await opened.open()
    for number in range(9):
        await reserve(stub, "x", number=number)
    old = await reserve(stub, "a", number=20)
    await opened.close()
    opened.coordination = MemoryCoordination(clock=opened.clock)
    stub = await opened.open()
    new = await reserve(stub, "b", number=20)
    assert new.acquired
    assert new.reservation > old.reservation
    assert await put(stub, entry(20, b"old"), reservation=old.reservation) == api.PutResponse.OUTCOME_FENCED
    assert await put(stub, entry(20, b"new"), reservation=new.reservation) == api.PutResponse.OUTCOME_STORED


async def test_waiters_wake_when_the_value_is_there_or_the_key_is_free(stub: CacheServiceAsyncStub) -> None:
    held = await reserve(stub, "a")
    waiting = stub.Wait(api.WaitRequest(keys=[key(1), key(2)]))
    first = await waiting.read()
    assert isinstance(first, api.WaitResponse)
    assert first.key == key(2)
    await put(stub, entry(), reservation=held.reservation)
    ready = await waiting.read()
    assert isinstance(ready, api.WaitResponse)
    assert ready.entry.outputs.inline == b"v"


async def all_wait(opened: Opened, number: int) -> None:
    """Returns once the service knows of so many who wait."""
    for _ in range(100_000):
        if len(opened.service._waiting) == number:
            return
        await asyncio.sleep(0)
    pytest.fail(f"only {len(opened.service._waiting)} of {number} ever wait")


async def test_a_value_wakes_a_thousand_waiters_and_an_end_without_one_wakes_one(
    opened: Opened, stub: CacheServiceAsyncStub
) -> None:
    held = await reserve(stub, "a")
    woken: list[bytes] = []
    ready = asyncio.Event()

    async def wait() -> None:
        async for answer in stub.Wait(api.WaitRequest(keys=[key()])):
            woken.append(answer.entry.outputs.inline)
            ready.set()

    waiters = [asyncio.ensure_future(wait()) for _ in range(1_000)]
    await all_wait(opened, 1_000)
    for number in range(3):
        ready.clear()
        await release(stub, held.reservation)
        await ready.wait()
        await asyncio.sleep(0.02)
        assert woken == [b""] * (number + 1)
        held = await reserve(stub, f"next-{number}")
    ready.clear()
    await put(stub, entry(), reservation=held.reservation)
    await asyncio.gather(*waiters)
    assert woken == [b""] * 3 + [b"v"] * 997


async def test_the_next_is_woken_if_the_first_does_not_take_its_turn(
    opened: Opened, stub: CacheServiceAsyncStub, clock: ManualClock
) -> None:
    held = await reserve(stub, "a")
    waiting = [stub.Wait(api.WaitRequest(keys=[key()])) for _ in range(2)]
    reading = [asyncio.ensure_future(one.read()) for one in waiting]
    await all_wait(opened, 2)
    await release(stub, held.reservation)
    await reading[0]
    assert not reading[1].done()
    clock.advance(3)
    await reading[1]


async def test_a_value_whose_object_is_gone_is_a_miss_and_is_removed(
    stub: CacheServiceAsyncStub, opened: Opened
) -> None:
    there = await opened.objects.put("data/there", b"x")
    await opened.objects.put("data/folder/part", b"x")
    values = NamedValues()
    uris = ("file:///objects/data/there", "file:///objects/data/folder", "s3://elsewhere/x")
    for number, uri in enumerate(uris):
        values.values.add(name=f"o{number}").value.list.items.add().reference.uri = uri
    stored = entry(data=values.SerializeToString())
    large = entry(2)
    large.outputs.reference.uri = "file:///objects/data/there"
    await put(stub, stored)
    await put(stub, large)
    assert await get(stub, key()) == stored.outputs.inline
    await opened.objects.delete(there.key)
    for number in (1, 2):
        assert await get(stub, key(number)) is None
    assert not (await stub.ListEntries(api.ListEntriesRequest(scope=SCOPE))).entries


async def test_what_was_not_used_for_longest_goes_when_there_is_too_much(opened: Opened, clock: ManualClock) -> None:
    opened.limits = CacheLimits(max_bytes=1_000)
    stub = await opened.open()
    for number in range(1, 10):
        clock.advance(7200)
        await put(stub, entry(number, bytes(96)))
        assert await get(stub, key(1))
    await opened.service.housekeeping.round()
    for number in (10, 11):
        clock.advance(60)
        await put(stub, entry(number, bytes(96)))
    # What passes the limit is evicted beside the calls.
    kept: list[int] = []
    async with asyncio.timeout(30):
        while kept != [11, 10, 9, 8, 7, 6, 5, 4, 1]:
            entries = (await stub.ListEntries(api.ListEntriesRequest(scope=SCOPE))).entries
            kept = [one.key.digest[0] for one in entries]
            await asyncio.sleep(0.001)


async def test_what_is_older_than_the_operator_allows_is_a_miss_and_goes(opened: Opened, clock: ManualClock) -> None:
    opened.limits = CacheLimits(max_age_s=100)
    stub = await opened.open()
    await put(stub, entry())
    clock.advance(101)
    assert await get(stub, key()) is None
    await opened.service.housekeeping.round()
    assert not (await stub.ListEntries(api.ListEntriesRequest(scope=SCOPE))).entries


async def test_a_page_that_is_too_large_is_refused_and_not_cut(stub: CacheServiceAsyncStub) -> None:
    with pytest.raises(InvalidArgument) as refused, translated_errors():
        await stub.ListEntries(api.ListEntriesRequest(scope=SCOPE, page_size=1001))
    assert (refused.value.reason, refused.value.field) == ("PAGE_SIZE", "page_size")


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


async def test_entries_are_listed_and_deleted_by_version_and_age(
    stub: CacheServiceAsyncStub, clock: ManualClock
) -> None:
    for number in range(1, 5):
        one = entry(number)
        one.cache_version = "old" if number < 3 else "new"
        await put(stub, one)
        clock.advance(10)

    async def listed(**conditions: Any) -> list[int]:
        page = await stub.ListEntries(api.ListEntriesRequest(scope=SCOPE, **conditions))
        return [one.key.digest[0] for one in page.entries]

    assert await listed(cache_version="old") == [2, 1]
    assert await listed(older_than=Duration(seconds=25)) == [2, 1]
    assert await listed(cache_version="new", older_than=Duration(seconds=15)) == [3]
    await stub.Invalidate(api.InvalidateRequest(scope=SCOPE, older_than=Duration(seconds=35)))
    await stub.Invalidate(api.InvalidateRequest(scope=SCOPE, cache_version="new", task_name="env.t"))
    assert await listed() == [2]


async def test_an_entry_tells_its_size_and_when_it_was_used(stub: CacheServiceAsyncStub, clock: ManualClock) -> None:
    await put(stub, entry(data=bytes(1000)))
    one = (await stub.ListEntries(api.ListEntriesRequest(scope=SCOPE))).entries[0]
    assert 1000 <= one.size_bytes < 1010
    assert one.used_at == one.created_at


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


def _bad_entry(**fields: Any) -> api.CacheEntry:
    changed = entry()
    changed.MergeFrom(api.CacheEntry(**fields))
    return changed


BAD_REQUESTS: dict[str, tuple[str, Any]] = {
    "half a scope": ("ListEntries", api.ListEntriesRequest(scope=Scope(domain="d"))),
    "a slash in a scope": (
        "Reserve",
        api.ReserveRequest(
            items=[api.ReserveRequest.Item(key=key(scope=Scope(project="a/b", domain="d")), owner="o")],
            ttl=Duration(seconds=30),
        ),
    ),
    "a long scope": ("ListEntries", api.ListEntriesRequest(scope=Scope(project="p" * 10_000, domain="d"))),
    "a slash in a producer": (
        "Put",
        api.PutRequest(items=[api.PutRequest.Item(entry=_bad_entry(producer=ActionId(name="a/b")))]),
    ),
    "a long task name": ("Put", api.PutRequest(items=[api.PutRequest.Item(entry=_bad_entry(task_name="t" * 10_000))])),
    "a zero in a version": (
        "Put",
        api.PutRequest(items=[api.PutRequest.Item(entry=_bad_entry(cache_version="\0"))]),
    ),
    "a long owner": (
        "Reserve",
        api.ReserveRequest(items=[api.ReserveRequest.Item(key=key(), owner="o" * 10_000)], ttl=Duration(seconds=30)),
    ),
    "no time": ("Reserve", api.ReserveRequest(items=[api.ReserveRequest.Item(key=key(), owner="o")])),
    "a negative age": ("Invalidate", api.InvalidateRequest(scope=SCOPE, older_than=Duration(seconds=-5))),
    "a bad page": ("ListEntries", api.ListEntriesRequest(scope=SCOPE, page_token="?")),
    "too many to extend": ("Extend", api.ExtendRequest(items=[api.ExtendRequest.Item(key=key())] * 1001)),
    "too many to release": ("Release", api.ReleaseRequest(items=[api.ReleaseRequest.Item(key=key())] * 1001)),
    "too many to store": ("Put", api.PutRequest(items=[api.PutRequest.Item(entry=entry())] * 1001)),
    "too many to delete": ("Invalidate", api.InvalidateRequest(scope=SCOPE, keys=[key()] * 1001)),
}


@pytest.mark.parametrize("what", BAD_REQUESTS)
async def test_what_cannot_be_kept_is_refused(stub: CacheServiceAsyncStub, what: str) -> None:
    method, request = BAD_REQUESTS[what]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(stub, method)(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_names_of_any_language_are_kept(stub: CacheServiceAsyncStub) -> None:
    one = entry(task="größe.\U0001f600.a/b:c")
    one.cache_version = "v" * 1024
    await put(stub, one)
    found = (await stub.ListEntries(api.ListEntriesRequest(scope=SCOPE, task_name=one.task_name))).entries
    assert [(each.task_name, each.cache_version) for each in found] == [(one.task_name, one.cache_version)]


async def test_deleting_everything_has_to_be_said_by_task(stub: CacheServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Invalidate(api.InvalidateRequest(scope=SCOPE))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
