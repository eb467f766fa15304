"""The cache, as the scheduler uses it."""

import asyncio
from collections.abc import Sequence

from tests.scheduler.harness import Bench, MemoryCache, settle, task

from flyteapi.cache.v1.cache_service_pb2 import CacheEntry, LookupRequest, PutRequest, PutResponse
from flyteapi.common.v1.phase_pb2 import (
    CACHE_STATUS_FAILED,
    CACHE_STATUS_HIT,
    CACHE_STATUS_SKIPPED,
    CACHE_STATUS_STORED,
)
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.foundation.errors import Unavailable
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.domain.phases import Phase


async def _status(bench: Bench, key: object, name: str = "a0") -> int:
    return (await bench.scheduler.queries.get(key, name)).action.cache_status  # type: ignore[arg-type]


async def test_the_second_run_comes_from_the_cache_and_starts_no_worker(bench: Bench) -> None:
    first = await bench.submit(task(cached=True))
    await bench.succeed("a0", b"v")
    await settle()
    assert await _status(bench, first) == CACHE_STATUS_STORED
    second = await bench.submit(task(cached=True), name="r2")
    assert await bench.phase(second) is Phase.SUCCEEDED
    assert await _status(bench, second) == CACHE_STATUS_HIT
    assert len(bench.workers.placed) == 1
    got = await bench.scheduler.queries.get(second, "a0")
    assert got.action.cached_from == "project/domain/r1/a0"


class SlowCache(MemoryCache):
    """A cache whose writes take as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.may_store = asyncio.Event()

    async def put(self, items: Sequence[PutRequest.Item]) -> Sequence[PutResponse.Outcome.ValueType]:
        """See the port."""
        await self.may_store.wait()
        return await super().put(items)


async def test_a_run_that_is_known_to_have_ended_is_found_although_its_result_is_still_being_stored(
    bench: Bench,
) -> None:
    bench.cache = cache = SlowCache()
    await bench.start()
    await bench.submit(task(cached=True))
    await bench.succeed("a0", b"v")
    assert cache.entries == {}
    second = await bench.submit(task(cached=True), name="r2")
    assert await _status(bench, second) == CACHE_STATUS_HIT
    cache.may_store.set()
    await settle()
    assert len(cache.entries) == 1
    third = await bench.submit(task(cached=True), name="r3")
    assert await _status(bench, third) == CACHE_STATUS_HIT
    assert len(bench.workers.placed) == 1


async def test_lookups_of_one_turn_are_one_batch(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    lease = bench.workers.lease_of("a0")
    spec = task("env.child", cached=True)
    from flyte.spec.digests import task_digest
    from flyteapi.scheduler.v1.worker_service_pb2 import DeclareTask, SubmitAction, WorkerReport

    digest = task_digest(spec)
    reports = [WorkerReport(lease=lease, declare_task=DeclareTask(digest=digest, spec=spec))]
    for number in range(50):
        submit = SubmitAction(call=number, name=f"c{number}", task_digest=digest, inputs_digest=bytes([number]) * 32)
        reports.append(WorkerReport(lease=lease, submit=submit))
    bench.scheduler.engine.receive(reports, placement=bench.workers)
    await settle()
    assert bench.cache.lookups == [50]
    assert len(bench.workers.placed) == 51


async def test_overwrite_computes_again_and_replaces(bench: Bench) -> None:
    await bench.submit(task(cached=True))
    await bench.succeed("a0", b"old")
    key = await bench.submit(task(cached=True), name="r2", settings=RunSettings(overwrite_cache=True))
    assert await _status(bench, key) == CACHE_STATUS_SKIPPED
    await bench.succeed("a0", b"new")
    third = await bench.submit(task(cached=True), name="r3")
    assert (await bench.scheduler.queries.data(third, "a0")).outputs.inline == b"new"


async def test_disable_cache_neither_reads_nor_writes(bench: Bench) -> None:
    settings = RunSettings(disable_cache=True)
    await bench.submit(task(cached=True), settings=settings)
    await bench.succeed("a0")
    assert bench.cache.lookups == []
    assert bench.cache.entries == {}


async def test_a_failure_is_not_cached(bench: Bench) -> None:
    await bench.submit(task(cached=True))
    await bench.fail("a0")
    assert bench.cache.entries == {}


async def test_with_serialize_one_computation_serves_all_who_ask_meanwhile(bench: Bench) -> None:
    spec = task(cached=True)
    spec.cache.serialize = True
    await bench.submit(spec, name="r1")
    second = await bench.submit(spec, name="r2")
    third = await bench.submit(spec, name="r3")
    assert len(bench.workers.placed) == 1
    await bench.succeed("a0", b"once")
    for key in (second, third):
        assert await bench.phase(key) is Phase.SUCCEEDED
        assert await _status(bench, key) == CACHE_STATUS_HIT


async def test_with_serialize_the_next_computes_when_the_first_fails(bench: Bench) -> None:
    spec = task(cached=True)
    spec.cache.serialize = True
    await bench.submit(spec, name="r1")
    second = await bench.submit(spec, name="r2")
    await bench.fail("a0")
    assert len(bench.workers.placed) == 2
    await bench.succeed("a0")
    assert await bench.phase(second) is Phase.SUCCEEDED


class BrokenCache(MemoryCache):
    """A cache that is down."""

    async def lookup(self, queries: Sequence[LookupRequest.Query]) -> Sequence[CacheEntry | None]:
        """Always fails."""
        raise Unavailable("the cache is down")


async def test_a_cache_that_is_down_fails_no_task(bench: Bench) -> None:
    bench.cache = BrokenCache()
    await bench.start()
    key = await bench.submit(task(cached=True))
    await bench.succeed("a0")
    assert await bench.phase(key) is Phase.SUCCEEDED
    assert await _status(bench, key) == CACHE_STATUS_FAILED


async def test_equal_calls_of_two_projects_are_two_computations(bench: Bench) -> None:
    spec = _serialized()
    await bench.submit(spec, name="r1")
    other = await bench.submit(spec, name="r2", project="other")
    assert len(bench.workers.placed) == 2
    await bench.succeed("a0")
    assert await bench.phase(RunKey("project", "domain", "r1")) is not await bench.phase(other)


async def test_runs_of_two_projects_share_results_if_both_chose_the_wider_scope(bench: Bench) -> None:
    settings = RunSettings(cache_lookup_scope="global")
    await bench.submit(task(cached=True), settings=settings)
    await bench.succeed("a0", b"shared")
    await settle()
    other = await bench.submit(task(cached=True), name="r2", project="other", settings=settings)
    assert await _status(bench, other) == CACHE_STATUS_HIT
    own = await bench.submit(task(cached=True), name="r3", project="other")
    assert await bench.phase(own) is not Phase.SUCCEEDED


async def test_a_result_that_is_too_old_is_computed_again_and_replaced(bench: Bench) -> None:
    spec = task(cached=True)
    spec.cache.max_age.SetInParent()
    for name in ("r1", "r2"):
        await bench.submit(spec, name=name)
        await bench.succeed("a0", name.encode())
        await settle()
    assert len(bench.workers.placed) == 2
    (entry,) = bench.cache.entries.values()
    assert entry.outputs.inline == b"r2"


def _serialized(name: str = "env.work") -> TaskSpec:
    spec = task(name, cached=True)
    spec.cache.serialize = True
    return spec
