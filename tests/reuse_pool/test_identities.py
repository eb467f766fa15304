"""Pools of one environment: the newest identity is the present one, and the others finish what they have."""

from __future__ import annotations

from tests.reuse_pool.bench import Bench, Scheduler, declaration

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DrainPoolRequest, ListPoolsRequest, Pool

OLD, NEW, NEWEST = "a" * 64, "b" * 64, "c" * 64


async def pools(bench: Bench) -> dict[str, Pool]:
    """What people see, by name."""
    return {pool.pool: pool for pool in (await bench.stub.ListPools(ListPoolsRequest())).pools}


async def hold(bench: Bench, scheduler: Scheduler, lease: int, pool: str) -> str:
    """A new identity with a task that runs on; returns its replica."""
    bench.clock.advance(1)
    await scheduler.declare(declaration(pool, least=1, most=2))
    await scheduler.place(lease, f"held{lease}", pool=pool)
    return await scheduler.placed(lease)


async def test_each_new_identity_drains_all_older_ones(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    held = [await hold(bench, scheduler, lease, pool) for lease, pool in enumerate((OLD, NEW, NEWEST), start=1)]
    shown = await pools(bench)
    assert {name: pool.draining for name, pool in shown.items()} == {OLD: True, NEW: True, NEWEST: False}
    assert [len(shown[name].replicas) for name in (OLD, NEW)] == [1, 1], "only what runs is left"
    assert set(held) <= set(bench.cluster.workers)


async def test_an_old_identity_that_came_back_is_drained_again_by_a_newer_one(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await hold(bench, scheduler, 1, OLD)
    await hold(bench, scheduler, 2, NEW)
    # A run of old code goes on, and its pool has replicas again.
    await scheduler.place(3, "held3", pool=OLD)
    replica = await scheduler.placed(3)
    assert not (await pools(bench))[OLD].draining
    await hold(bench, scheduler, 4, NEWEST)
    assert (await pools(bench))[OLD].draining
    assert await bench.orders(replica, "drain")


async def test_a_change_that_was_taken_back_keeps_replicas_again_when_the_newer_pool_is_gone(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await hold(bench, scheduler, 1, OLD)
    bench.clock.advance(1)
    await scheduler.declare(declaration(NEW, least=0, most=1))
    await bench.until(lambda: len(bench.service.reuse_pool.list_pools()) == 2)
    await scheduler.place(2, "held2", pool=OLD)
    await scheduler.placed(2)
    await bench.stub.DrainPool(DrainPoolRequest(pool=NEW))
    await bench.until(lambda: [pool.state.name for pool in bench.service.reuse_pool.list_pools()] == [OLD])
    (state,) = (pool.state for pool in bench.service.reuse_pool.list_pools())
    assert not state.superseded
    assert state.keeps_least


async def test_runs_with_variables_of_their_own_have_pools_beside_each_other(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    for lease, (pool, word) in enumerate(((OLD, ""), (NEW, "one"), (NEWEST, "two")), start=1):
        bench.clock.advance(1)
        declared = declaration(pool, least=0, most=1)
        declared.run_env.update({"WORD": word} if word else {})
        await scheduler.declare(declared)
        await scheduler.place(lease, f"held{lease}", pool=pool)
        await scheduler.placed(lease)
    assert not any(pool.draining for pool in (await pools(bench)).values())
