"""The cache when it cannot be written, over restarts and timeouts, and when those who compute wait for each other."""

import asyncio
from collections.abc import Sequence

import pytest
from tests.scheduler.harness import Bench, MemoryCache, settle, task

from flyteapi.cache.v1.cache_service_pb2 import PutRequest, PutResponse
from flyteapi.common.v1.phase_pb2 import CACHE_STATUS_FAILED
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.foundation.errors import Unavailable
from flyteplane.scheduler.application.caching import MOST_STORING_BYTES
from flyteplane.scheduler.domain.phases import Phase


class FullCache(MemoryCache):
    """A cache that can be read and not written."""

    async def put(self, items: Sequence[PutRequest.Item]) -> Sequence[PutResponse.Outcome.ValueType]:
        raise Unavailable("the cache is full")


async def test_a_result_that_cannot_be_cached_is_kept_all_the_same(bench: Bench) -> None:
    bench.cache = FullCache()
    await bench.start()
    key = await bench.submit(task("env.parent", retries=1))
    await bench.call("a0", "c1", task("env.child", cached=True))
    await bench.succeed("c1", b"kept")
    await settle()
    assert (await bench.scheduler.queries.get(key, "c1")).action.cache_status == CACHE_STATUS_FAILED
    assert (await bench.scheduler.queries.data(key, "c1")).outputs.inline == b"kept"
    await bench.fail("a0")
    await bench.advance(60)
    lease = await bench.call("a0", "c1", task("env.child", cached=True))
    await settle()
    assert bench.results(lease) == [(1, Phase.SUCCEEDED, b"kept")]


@pytest.mark.parametrize("restart", ["while it runs", "while it waits for its retry"])
async def test_a_cached_task_is_cached_although_the_platform_was_restarted(bench: Bench, restart: str) -> None:
    await bench.submit(task(cached=True, retries=1))
    if restart == "while it waits for its retry":
        await bench.fail("a0")
    await bench.start()
    await bench.advance(60)
    await settle()
    await bench.succeed("a0", b"v")
    await settle()
    second = await bench.submit(task(cached=True, retries=1), name="r2")
    assert await bench.phase(second) is Phase.SUCCEEDED


async def test_of_two_that_compute_the_same_one_waits_after_a_restart_too(bench: Bench) -> None:
    spec = task(cached=True)
    spec.cache.serialize = True
    await bench.submit(spec, name="r1")
    second = await bench.submit(spec, name="r2")
    await bench.start()
    await settle()
    assert len(bench.workers.placed) == 1
    await bench.succeed("a0", b"once")
    await settle()
    assert await bench.phase(second) is Phase.SUCCEEDED


async def test_a_wait_that_took_too_long_does_not_end_the_wait_for_a_computation(bench: Bench) -> None:
    spec = task(cached=True, retries=2, max_queued_time=5)
    spec.cache.serialize = True
    await bench.submit(spec, name="r1")
    await bench.started("a0")
    second = await bench.submit(spec, name="r2")
    await bench.advance(5.1)
    await bench.advance(0.6)
    assert len(bench.workers.placed) == 1
    await bench.succeed("a0", b"once")
    assert await bench.phase(second) is Phase.SUCCEEDED


def _serialized(name: str) -> TaskSpec:
    spec = task(name, cached=True)
    spec.cache.serialize = True
    return spec


async def test_a_computation_that_calls_itself_does_not_wait_for_itself(bench: Bench) -> None:
    key = await bench.submit(_serialized("env.one"))
    await bench.call("a0", "c1", task("env.between"))
    await bench.call("c1", "c2", _serialized("env.one"))
    assert bench.workers.placed[-1][1].name == "c2"
    for name in ("c2", "c1", "a0"):
        await bench.succeed(name)
    assert await bench.phase(key) is Phase.SUCCEEDED


async def test_two_computations_that_call_each_other_do_not_wait_for_each_other(bench: Bench) -> None:
    await bench.submit(task("env.root"))
    await bench.call("a0", "one", _serialized("env.one"), number=1)
    await bench.call("a0", "two", _serialized("env.two"), number=2)
    await bench.call("one", "one-two", _serialized("env.two"))
    placed = [action.name for _, action in bench.workers.placed]
    assert placed == ["a0", "one", "two"]
    await bench.call("two", "two-one", _serialized("env.one"))
    assert bench.workers.placed[-1][1].name == "two-one"
    for name in ("two-one", "two"):
        await bench.succeed(name, name.encode())
    assert bench.results(bench.workers.lease_of("one")) == [(1, Phase.SUCCEEDED, b"two")]
    await bench.succeed("one")


class StuckCache(MemoryCache):
    """A cache whose stores take until the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.may_store = asyncio.Event()

    async def put(self, items: Sequence[PutRequest.Item]) -> Sequence[PutResponse.Outcome.ValueType]:
        await self.may_store.wait()
        return await super().put(items)


async def test_what_a_stuck_cache_has_no_room_for_is_not_cached_and_says_so(bench: Bench) -> None:
    bench.cache = cache = StuckCache()
    await bench.start()
    keys = []
    for number in range(4):
        spec = task(f"env.t{number}", cached=True)
        keys.append(await bench.submit(spec, name=f"r{number}"))
        await bench.succeed("a0", bytes(MOST_STORING_BYTES // 3))
    cache.may_store.set()
    await settle()
    statuses = [(await bench.scheduler.queries.get(key, "a0")).action.cache_status for key in keys]
    assert statuses.count(CACHE_STATUS_FAILED) == 1
    assert len(cache.entries) == 3
    assert all([await bench.phase(key) is Phase.SUCCEEDED for key in keys])
