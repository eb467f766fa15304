"""`serialize` among several schedulers that share one cache, and through every kind of trouble with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.scheduler.harness import Bench, MemoryCache, settle, task

from flyteapi.cache.v1.cache_service_pb2 import CacheEntry, LookupRequest, ReserveRequest, ReserveResponse
from flyteapi.common.v1.phase_pb2 import CACHE_STATUS_FAILED, CACHE_STATUS_HIT, CACHE_STATUS_STORED
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.foundation.errors import Unavailable
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.application.reserving import TTL_S
from flyteplane.scheduler.domain.phases import Phase


def serialized(name: str = "env.shared", **timeouts: float) -> TaskSpec:
    spec = task(name, cached=True, reuse=False, retries=0, **timeouts)
    spec.cache.serialize = True
    return spec


@pytest.fixture
async def other(tmp_path: Path, bench: Bench) -> Bench:
    """A scheduler of its own, beside that of `bench`, with the same cache."""
    other = Bench(tmp_path / "other")
    other.cache = bench.cache
    await other.start()
    return other


async def status(bench: Bench, key: RunKey) -> int:
    return (await bench.scheduler.queries.get(key, "a0")).action.cache_status


async def test_of_two_schedulers_one_computes_and_the_other_takes_its_result(bench: Bench, other: Bench) -> None:
    first = await bench.submit(serialized(), name="r1")
    second = await other.submit(serialized(), name="r2")
    assert (len(bench.workers.placed), len(other.workers.placed)) == (1, 0)
    explained = await other.scheduler.queries.explain(second, "a0")
    assert (explained.waits_for, "an equal call" in explained.summary) == ("cache", True)
    await bench.succeed("a0", b"once")
    await settle()
    assert await status(bench, first) == CACHE_STATUS_STORED
    assert await status(other, second) == CACHE_STATUS_HIT
    assert (await other.scheduler.queries.data(second, "a0")).outputs.inline == b"once"
    assert not bench.cache.holders


async def test_the_other_computes_when_the_first_fails(bench: Bench, other: Bench) -> None:
    await bench.submit(serialized(), name="r1")
    second = await other.submit(serialized(), name="r2")
    await bench.fail("a0")
    await settle()
    assert len(other.workers.placed) == 1
    await other.succeed("a0")
    assert await other.phase(second) is Phase.SUCCEEDED


async def test_a_scheduler_that_was_stuck_has_its_store_refused(bench: Bench, other: Bench) -> None:
    stuck = await bench.submit(serialized(), name="r1")
    second = await other.submit(serialized(), name="r2")
    bench.cache.lapse()
    await settle()
    assert len(other.workers.placed) == 1
    await bench.succeed("a0", b"late")
    await settle()
    assert await bench.phase(stuck) is Phase.SUCCEEDED, "its own run has what it computed"
    assert await status(bench, stuck) == CACHE_STATUS_FAILED
    await other.succeed("a0", b"new")
    await settle()
    assert await status(other, second) == CACHE_STATUS_STORED
    (entry,) = bench.cache.entries.values()
    assert entry.outputs.inline == b"new"


async def test_a_reservation_that_lapsed_and_that_nobody_took_is_taken_again(bench: Bench) -> None:
    key = await bench.submit(serialized())
    bench.cache.lapse()
    await bench.advance(TTL_S / 3 + 0.1)
    assert [owner for owner, _ in bench.cache.holders.values()] == [f"{key}/a0"]
    await bench.succeed("a0")
    await settle()
    assert await status(bench, key) == CACHE_STATUS_STORED


async def test_one_that_is_aborted_while_it_asks_gives_its_slot_and_its_key_back(bench: Bench) -> None:
    bench.cache = cache = SlowCache()
    await bench.start()
    key = await bench.submit(serialized())
    assert bench.scheduler.admission.figures("default").running == 1
    await bench.scheduler.queries.abort(key, "a0", reason="not wanted")
    await settle()
    assert bench.scheduler.admission.figures("default").running == 0
    cache.answers()
    await settle()
    assert not cache.holders
    assert bench.workers.placed == []


async def test_the_next_leader_goes_on_with_the_reservation_of_the_one_before(bench: Bench, other: Bench) -> None:
    bench.clusters = [MemoryCluster(name="local", outlives_owner=True)]
    await bench.start()
    key = await bench.submit(serialized())
    await bench.started("a0")
    second = await other.submit(serialized(), name="r2")
    placed = bench.workers.placed
    await bench.start()
    await settle()
    third = await bench.submit(serialized(), name="r3")
    assert bench.workers.placed == []
    assert other.workers.placed == []
    bench.workers.placed = placed
    await bench.succeed("a0", b"v")
    await settle()
    assert await status(bench, key) == CACHE_STATUS_STORED
    assert await status(other, second) == CACHE_STATUS_HIT
    assert await status(bench, third) == CACHE_STATUS_HIT


async def test_after_a_restart_whoever_is_placed_first_computes_whoever_had_the_key(bench: Bench) -> None:
    await bench.submit(serialized(), name="r1")
    second = await bench.submit(serialized(), name="r2")
    ((owner, _),) = bench.cache.holders.values()
    assert owner == "project/domain/r1/a0"
    bench.cache.holders = {name: (f"{second}/a0", token) for name, (_, token) in bench.cache.holders.items()}
    await bench.start()
    await settle()
    assert len(bench.workers.placed) == 1
    await bench.succeed("a0")
    await settle()
    assert await bench.phase(second) is Phase.SUCCEEDED


async def test_a_thousand_that_wait_ask_once_and_are_not_a_herd_when_one_fails(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    await bench.call("a0", "c0", serialized())
    lease = bench.workers.lease_of("a0")
    from flyte.spec.digests import task_digest

    digest = task_digest(serialized())
    for number in range(1, 1_000):
        submit = {"call": number + 1, "name": f"c{number}", "task_digest": digest, "inputs_digest": b"i" * 32}
        await bench.say(lease, submit=submit)
    assert len(bench.cache.asked) == 1
    for number in range(3):
        await bench.fail(f"c{number}")
        await settle()
        assert len(bench.cache.asked) == number + 2
        assert bench.workers.placed[-1][1].name == f"c{number + 1}"
    await bench.succeed("c3", b"v")
    assert [result[1] for result in bench.results(lease)].count(Phase.SUCCEEDED) == 997
    assert not bench.cache.holders


async def test_a_run_that_computes_everything_again_takes_only_its_own_results(bench: Bench, other: Bench) -> None:
    await bench.submit(serialized(), name="r1")
    settings = RunSettings(overwrite_cache=True)
    again = await bench.submit(serialized(), name="r2", settings=settings)
    elsewhere = await other.submit(serialized(), name="r3", settings=settings)
    await bench.succeed("a0", b"old")
    await settle()
    placed = [action.run.key.name for _, action in (*bench.workers.placed, *other.workers.placed)]
    assert sorted(placed) in (["r1", "r2"], ["r1", "r3"]), "one after the other"
    for one, key in ((bench, again), (other, elsewhere), (bench, again)):
        if one.workers.placed and await one.phase(key) is not Phase.SUCCEEDED:
            await one.succeed("a0", key.name.encode())
            await settle()
    assert len(bench.workers.placed) + len(other.workers.placed) == 3


class SlowCache(MemoryCache):
    """A cache whose reservations take as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        import asyncio

        self._may_answer = asyncio.Event()

    def answers(self) -> None:
        """Reservations are answered from now on."""
        self._may_answer.set()

    async def reserve(self, items: Sequence[ReserveRequest.Item], *, ttl_s: float) -> Sequence[ReserveResponse.Result]:
        await self._may_answer.wait()
        return await super().reserve(items, ttl_s=ttl_s)


class DownCache(MemoryCache):
    """A cache that cannot be asked for lookups, for reservations or for both, until it is up."""

    def __init__(self, *, without: str) -> None:
        super().__init__()
        self.without = without

    async def lookup(self, queries: Sequence[LookupRequest.Query]) -> Sequence[CacheEntry | None]:
        if "lookup" in self.without:
            raise Unavailable("the cache is down")
        return await super().lookup(queries)

    async def reserve(self, items: Sequence[ReserveRequest.Item], *, ttl_s: float) -> Sequence[ReserveResponse.Result]:
        if "reserve" in self.without:
            raise Unavailable("the cache is down")
        return await super().reserve(items, ttl_s=ttl_s)


@pytest.mark.parametrize("without", ["lookup", "reserve", "lookup and reserve"])
async def test_with_serialize_a_cache_that_is_down_is_waited_for(bench: Bench, without: str) -> None:
    bench.cache = cache = DownCache(without=without)
    await bench.start()
    key = await bench.submit(serialized())
    for _ in range(4):
        await bench.advance(20)
    assert bench.workers.placed == []
    assert await status(bench, key) == CACHE_STATUS_FAILED
    assert "cannot be asked" in (await bench.scheduler.queries.explain(key, "a0")).summary
    cache.without = ""
    await bench.advance(11)
    assert len(bench.workers.placed) == 1
    await bench.succeed("a0")
    await settle()
    assert await status(bench, key) == CACHE_STATUS_STORED


async def test_a_wait_for_the_cache_is_bounded_by_the_time_in_the_queue(bench: Bench) -> None:
    bench.cache = DownCache(without="reserve")
    await bench.start()
    key = await bench.submit(serialized(max_queued_time=60))
    for _ in range(7):
        await bench.advance(10)
    assert await bench.phase(key) is Phase.TIMED_OUT
    assert bench.scheduler.admission.figures("default").running == 0
