"""Pools and replicas as people, the cluster and the register see them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from tests.reuse_pool.bench import Bench, BenchClock, declaration, obedient
from tests.support.log_lines import LogLines

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import (
    DeclarePool,
    DrainPoolRequest,
    GetPoolRequest,
    ListPoolsRequest,
    ResizePoolRequest,
    WatchPoolsRequest,
)
from flyteapi.scheduler.v1.worker_service_pb2 import Heartbeat, WorkerReport
from flyteapi.task.v1.task_spec_pb2 import ImageSpec, ResourceRequest, SecretRequest
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import InvalidArgument, NotFound, Unavailable
from flyteplane.foundation.ids import SeededIds
from flyteplane.reuse_pool.application.ports import SecretValues
from flyteplane.reuse_pool.main import open_reuse_pool
from flyteplane.reuse_pool.store.sql_store import open_sql_store
from flyteplane.rpc.inprocess import InProcessServer

POOL, OTHER = "a" * 64, "b" * 64


async def test_a_pool_is_shown_with_its_replicas_and_figures(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(least=1, most=2))
    await scheduler.place(1, "held")
    name = await scheduler.placed(1)
    await scheduler.place(2, "quick")
    await scheduler.ended(2)
    bench.worker(name).say(WorkerReport(heartbeat=Heartbeat(resident_bytes=12345)))
    (pool,) = (await bench.stub.ListPools(ListPoolsRequest())).pools
    assert (pool.pool, pool.environment, pool.scope) == (POOL, "env", Scope(project="p", domain="d"))
    assert (pool.placed, pool.waiting, pool.draining) == (2, 0, False)
    replica = next(replica for replica in pool.replicas if replica.name == name)
    assert (replica.state, replica.running, replica.resident_bytes) == ("warm", 1, 12345)
    assert pool.created_at.seconds == int(bench.clock.now())


async def test_pools_are_listed_by_scope(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    listed = await bench.stub.ListPools(ListPoolsRequest(scope=Scope(project="p", domain="d")))
    assert len(listed.pools) == 1
    with pytest.raises(grpc.aio.AioRpcError, match="page token"):
        await bench.stub.ListPools(ListPoolsRequest(page_token="made up"))
    elsewhere = await bench.stub.ListPools(ListPoolsRequest(scope=Scope(project="other")))
    assert not elsewhere.pools


async def test_a_watch_of_pools_says_at_once_and_after_changes_that_there_is_something_to_look_at(bench: Bench) -> None:
    watch = aiter(bench.stub.WatchPools(WatchPoolsRequest()))
    await anext(watch)
    bench.clock.advance(1.0)
    following = asyncio.ensure_future(anext(watch))
    await (await bench.scheduler()).declare(declaration())
    await asyncio.wait_for(following, 20)


async def test_a_pool_is_found_by_a_prefix_of_its_name(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await bench.until(lambda: bool(bench.cluster.workers))
    assert (await bench.stub.GetPool(GetPoolRequest(pool="a" * 8))).pool.pool == POOL
    for unknown in ("a" * 7, "c" * 64):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await bench.stub.GetPool(GetPoolRequest(pool=unknown))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_drained_pool_goes_and_the_next_task_makes_a_new_one(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "quick")
    first = await scheduler.placed(1)
    await scheduler.ended(1)
    await scheduler.accept(1)
    assert (await bench.stub.DrainPool(DrainPoolRequest(pool=POOL))).pool.draining
    await bench.until(lambda: not bench.cluster.workers)
    assert not (await bench.stub.ListPools(ListPoolsRequest())).pools
    await scheduler.place(2, "quick")
    assert await scheduler.placed(2) != first


async def test_a_pool_is_resized_within_reason(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await bench.until(lambda: len(bench.cluster.workers) == 1)
    resized = await bench.stub.ResizePool(ResizePoolRequest(pool=POOL, min_replicas=3, max_replicas=3))
    assert resized.pool.policy.min_replicas == 3
    await bench.until(lambda: len(bench.cluster.workers) == 3)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await bench.stub.ResizePool(ResizePoolRequest(pool=POOL, min_replicas=3, max_replicas=2))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_new_identity_drains_the_older_pool_which_still_serves_what_comes(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    old = await scheduler.placed(1)
    bench.clock.advance(1)
    await scheduler.declare(declaration(OTHER))
    await scheduler.place(2, "quick", pool=OTHER)
    await scheduler.ended(2)
    assert old in bench.cluster.workers, "what runs is finished"
    await scheduler.place(3, "quick")
    await scheduler.ended(3)
    assert await scheduler.placed(3) != old
    shown = {pool.pool: pool for pool in (await bench.stub.ListPools(ListPoolsRequest())).pools}
    assert not shown[OTHER].draining


async def test_another_environment_is_left_alone(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.declare(declaration(OTHER, environment="another"))
    await bench.until(lambda: len(bench.cluster.workers) == 2)
    assert not any(pool.draining for pool in (await bench.stub.ListPools(ListPoolsRequest())).pools)


async def test_a_pool_goes_after_idle_ttl(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "quick")
    name = await scheduler.placed(1)
    await scheduler.ended(1)
    await scheduler.accept(1)
    for _ in range(31):
        bench.clock.advance(2)
        if name in bench.cluster.workers:
            bench.worker(name).say(WorkerReport(heartbeat=Heartbeat()))
    await bench.until(lambda: not bench.cluster.workers)
    assert not (await bench.stub.ListPools(ListPoolsRequest())).pools


async def test_a_replica_is_started_as_its_environment_says(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    declared = declaration(
        env={"COLOUR": "blue"},
        image=ImageSpec(python_packages=["six"], env={"COLOUR": "red", "IMAGE": "1"}),
        resources=ResourceRequest(cpu="500m", memory="1Gi"),
    )
    declared.run_env.update({"COLOUR": "green", "TZ": "Asia/Tokyo"})
    await scheduler.declare(declared)
    await bench.until(lambda: bool(bench.cluster.started))
    (spec,) = bench.cluster.started
    assert spec.replica
    assert spec.env == {"COLOUR": "blue", "IMAGE": "1", "TZ": "Asia/Tokyo"}
    assert (spec.cpu_millis, spec.memory_bytes) == (500, 1 << 30)
    assert [install.packages for install in spec.python_installs] == [("six",)]
    assert spec.labels == {"project": "p", "domain": "d", "environment": "env", "pool": POOL}


async def test_starts_that_fail_are_tried_again_and_refused_in_the_end(bench: Bench) -> None:
    bench.cluster.refusal = Unavailable("no more processes")
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "quick")

    def nothing_starts() -> bool:
        pools = bench.service.reuse_pool.list_pools()
        return bool(pools) and not pools[0].state.roster.by_name

    for _ in range(5):
        await bench.until(nothing_starts)
        bench.clock.advance(31)
    refused = await scheduler.refused(1)
    assert refused.retryable
    assert "no more processes" in refused.message
    bench.cluster.refusal = None
    bench.clock.advance(31)
    await scheduler.place(2, "quick")
    await scheduler.ended(2)


async def test_starts_that_can_never_work_are_refused_at_once(bench: Bench) -> None:
    bench.cluster.refusal = InvalidArgument("this machine has no such package", field="python_packages")
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(least=0))
    await scheduler.place(1, "quick")
    refused = await scheduler.refused(1)
    assert (refused.retryable, refused.reason) == (False, "INVALID_ARGUMENT")


async def test_what_a_replica_writes_while_it_starts_is_told_as_the_reason(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await bench.until(lambda: bool(bench.cluster.workers))
    (worker,) = bench.cluster.workers.values()
    worker.write(b"ImportError: no module named spam")
    worker.exit(code=1)
    await bench.until(lambda: bool(bench.service.reuse_pool.get_pool(POOL).state.trouble))
    trouble = (await bench.stub.GetPool(GetPoolRequest(pool=POOL))).pool.trouble
    assert "exited with code 1" in trouble
    assert "no module named spam" in trouble


class _Vault:
    """Secrets by key."""

    async def resolve(self, declaration: DeclarePool, *, replica: str) -> SecretValues:
        (request,) = declaration.template.secrets
        if request.key != "known":
            raise NotFound(f"there is no secret {request.key}", reason="SECRET_NOT_FOUND")
        return SecretValues(env={"TOKEN": b"s3cret"}, files={"/etc/flyte/secrets/known": b"s3cret"})


async def _with_secrets() -> Bench:
    cluster, clock = MemoryCluster(obedient), BenchClock()
    service = await open_reuse_pool(database_url="", clusters=[cluster], clock=clock, ids=SeededIds(), secrets=_Vault())
    server = InProcessServer()
    service.add_to(server)
    return Bench(service, server, cluster, clock)


async def test_secrets_come_with_each_attempt_and_with_nothing_else(log_lines: LogLines) -> None:
    bench = await _with_secrets()
    async with bench.service:
        scheduler = await bench.scheduler()
        await scheduler.declare(declaration(secrets=[SecretRequest(key="known", env_var="TOKEN")]))
        for lease in (1, 2):
            await scheduler.place(lease, f"quick{lease}")
            await scheduler.ended(lease)
        orders = await bench.orders(await scheduler.placed(1), "assign", count=2)
        assert [order.assign.secret_env["TOKEN"] for order in orders] == [b"s3cret"] * 2
        assert [dict(order.assign.secret_files) for order in orders] == [{"/etc/flyte/secrets/known": b"s3cret"}] * 2
        assert "s3cret" not in str(bench.cluster.started) + log_lines.text
        assert "s3cret" not in str((await bench.stub.ListPools(ListPoolsRequest())).pools)
        await scheduler.close()


async def test_a_secret_that_does_not_exist_refuses_for_good() -> None:
    bench = await _with_secrets()
    async with bench.service:
        scheduler = await bench.scheduler()
        await scheduler.declare(declaration(secrets=[SecretRequest(key="unknown", env_var="TOKEN")]))
        await scheduler.place(1, "quick")
        refused = await scheduler.refused(1)
        assert (refused.reason, refused.retryable) == ("SECRET_NOT_FOUND", False)
        await scheduler.close()


async def test_what_an_earlier_life_left_behind_is_stopped_and_noted(tmp_path: Path) -> None:
    url, cluster = f"sqlite:///{tmp_path}/reuse_pool.db", MemoryCluster(obedient)
    first = await open_reuse_pool(database_url=url, clusters=[cluster], clock=ManualClock(), ids=SeededIds(1))
    server = InProcessServer()
    first.add_to(server)
    bench = Bench(first, server, cluster, BenchClock())
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(least=2, most=2))
    await bench.until(lambda: len(cluster.workers) == 2)
    # The first service is killed: it says nothing more, and its replicas are still there.
    second = await open_reuse_pool(database_url=url, clusters=[cluster], clock=ManualClock(), ids=SeededIds(2))
    assert not cluster.workers
    await second.close()
    register = await open_sql_store(url)
    assert not await register.living_replicas()
    assert [pool.name for pool in await register.pools()] == [POOL]
    await register.close()
    await scheduler.close()
    await first.close()


async def test_closing_stops_every_replica_and_notes_it(tmp_path: Path) -> None:
    url, cluster = f"sqlite:///{tmp_path}/reuse_pool.db", MemoryCluster(obedient)
    service = await open_reuse_pool(database_url=url, clusters=[cluster], clock=ManualClock(), ids=SeededIds())
    server = InProcessServer()
    service.add_to(server)
    bench = Bench(service, server, cluster, BenchClock())
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(least=2, most=2))
    await bench.until(lambda: len(cluster.workers) == 2)
    await scheduler.close()
    await service.close()
    await service.close()
    assert not cluster.workers
    register = await open_sql_store(url)
    assert not await register.living_replicas()
    await register.close()
