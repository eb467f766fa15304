"""The edges of scaling, of what can be told about a pool, and of replicas that fail again and again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reuse_pool.bench import Bench, BenchClock, declaration, obedient
from tests.reuse_pool.pool_world import Lease, PoolWorld

from flyteplane.cluster.memory import MemoryCluster
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.foundation.ids import SeededIds
from flyteplane.observe import Metrics
from flyteplane.reuse_pool.application.figures import note_past, readings
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.domain import administration
from flyteplane.reuse_pool.domain.attempt import Slot
from flyteplane.reuse_pool.domain.effects import Assign, Start
from flyteplane.reuse_pool.domain.policy import PoolPolicy, PoolSettings
from flyteplane.reuse_pool.domain.replica import ReplicaState
from flyteplane.reuse_pool.main import open_reuse_pool

TTL_S = 30.0


def world(least: int, most: int, *, concurrency: int = 1, settings: PoolSettings | None = None) -> PoolWorld:
    policy = PoolPolicy(
        min_replicas=least, max_replicas=most, concurrency=concurrency, idle_ttl_s=TTL_S, scaledown_ttl_s=TTL_S
    )
    made = PoolWorld(policy, settings=settings)
    made.hello_all()
    return made


def work(pools: PoolWorld, *, is_async: bool = False) -> Lease:
    """An attempt that is at work."""
    lease = pools.place(is_async=is_async)
    pools.hello_all()
    assert pools.is_placed(lease)
    return lease


def finish(pools: PoolWorld, *leases: Lease) -> None:
    for lease in leases:
        pools.end(lease)
        pools.accept(lease)


# --- scaling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause_s", [TTL_S - 0.01, TTL_S, TTL_S + 0.01])
def test_a_task_now_and_then_at_the_edge_of_its_ttl_makes_no_replicas_come_and_go(pause_s: float) -> None:
    pools = world(1, 4)
    finish(pools, *[work(pools) for _ in range(2)])
    pools.taken(Start)
    for _ in range(20):
        pools.advance(pause_s)
        finish(pools, work(pools))
    # The second replica went once. The first one is kept by min_replicas, or comes back with a pool that was idle.
    assert len(pools.replicas()) == 1
    assert len(pools.taken(Start)) == (0 if pause_s < TTL_S else 20)


def test_a_steady_load_of_two_keeps_its_two_replicas_whatever_the_edge() -> None:
    pools = world(0, 4)
    leases = [work(pools) for _ in range(2)]
    pools.taken(Start)
    for _ in range(20):
        finish(pools, *leases)
        pools.advance(TTL_S - 0.01)
        leases = [work(pools) for _ in range(2)]
    assert pools.taken(Start) == []


def test_after_a_peak_replicas_go_one_by_one_as_each_has_been_idle_for_its_ttl() -> None:
    pools = world(1, 3)
    leases = [work(pools) for _ in range(3)]
    left = []
    for lease in leases:
        finish(pools, lease)
        pools.advance(10)
    keeps_going = work(pools)
    for _ in range(4):
        left.append(len(pools.replicas(ReplicaState.WARM)))
        pools.advance(10)
    assert left == [2, 1, 1, 1]
    finish(pools, keeps_going)


def test_a_fixed_number_is_kept_while_the_pool_lives() -> None:
    pools = world(2, 2)
    busy = work(pools)
    for _ in range(10):
        (idle,) = (body for body in pools.bodies.values() if not body.leases)
        finish(pools, work(pools))
        pools.dies(idle.replica.name)
        assert len(pools.replicas()) == 2
        pools.hello_all()
        pools.advance(TTL_S * 2)
        assert len(pools.replicas(ReplicaState.WARM)) == 2
    finish(pools, busy)
    pools.advance(TTL_S + 1)
    assert pools.pool.gone


@settings(max_examples=60, deadline=None)
@given(
    least=st.integers(0, 3),
    more=st.integers(0, 3),
    steps=st.lists(st.sampled_from(["place", "end", "pause", "kill", "resize"]), max_size=40),
)
def test_there_are_never_fewer_than_the_least_nor_more_than_the_most(least: int, more: int, steps: list[str]) -> None:
    pools = world(least, max(1, least + more))
    for step in steps:
        placed = pools.placed()
        if step == "place":
            pools.place()
        elif step == "end" and placed:
            finish(pools, placed[0])
        elif step == "pause":
            pools.advance(TTL_S / 2)
        elif step == "kill" and pools.bodies:
            pools.dies(next(iter(pools.bodies)))
        elif step == "resize":
            policy = pools.pool.policy
            bounds = {"min_replicas": policy.min_replicas, "max_replicas": policy.max_replicas % 4 + 1}
            bounds["min_replicas"] = min(bounds.values())
            pools.run(pools.pool, administration.resize(pools.pool, **bounds, now=pools.now))
        pools.hello_all()
        pools.advance(1.0)
        pools.hello_all()
        policy = pools.pool.policy
        going = [replica for replica in pools.replicas() if replica.state is not ReplicaState.DRAINING]
        assert len(going) <= policy.max_replicas
        if pools.placed() and pools.pool.keeps_least and not pools.pool.failures:
            assert len(going) >= policy.min_replicas


@pytest.mark.parametrize(
    ("least", "most", "words"),
    [
        (0, 0, "flyte drain pool"),
        (3, 2, "min_replicas is 3"),
        (-1, 2, "min_replicas is -1"),
        (0, 10_001, "at most 10000"),
    ],
)
def test_a_living_pool_is_not_resized_to_what_makes_no_sense(least: int, most: int, words: str) -> None:
    pools = world(1, 2)
    busy = work(pools)
    with pytest.raises(InvalidArgument) as refused:
        administration.resize(pools.pool, min_replicas=least, max_replicas=most, now=pools.now)
    assert words in refused.value.public_text
    assert pools.is_placed(busy)
    assert pools.pool.policy.max_replicas == 2


# --- replicas that fail again and again -------------------------------------------------------------------------------


def test_replicas_that_end_as_soon_as_they_are_warm_are_started_with_growing_pauses() -> None:
    pools = world(1, 1, settings=PoolSettings(start_backoff_s=1.0, start_backoff_cap_s=8.0))
    pauses = []
    for _ in range(5):
        (name,) = pools.bodies
        pools.dies(name, exit_code=1, signal=0)
        before = pools.now
        assert "exited with code 1" in pools.pool.trouble
        while not pools.bodies and pools.now < before + 20:
            pools.advance(0.25)
        pauses.append(round(pools.now - before))
        pools.hello_all()
        assert pools.pool.trouble == "", "it is told only while it lasts"
    assert pauses == [1, 2, 4, 8, 8]


def test_a_replica_that_has_worked_ends_the_series_of_failures() -> None:
    pools = world(1, 1, settings=PoolSettings(start_backoff_s=1.0))
    for _ in range(3):
        pools.dies(next(iter(pools.bodies)))
        pools.advance(5)
        pools.hello_all()
    assert pools.pool.failures == 3
    finish(pools, work(pools))
    assert pools.pool.failures == 0


# --- what is told ----------------------------------------------------------------------------------------------------


def test_it_is_told_whose_slot_an_attempt_has() -> None:
    pools = world(1, 1)
    parent = work(pools, is_async=True)
    lent = pools.call(parent, is_async=True)
    assert (parent.attempt.slot, lent.attempt.slot) == (Slot.REGULAR, Slot.LENT)
    sync = pools.call(lent)
    pools.hello_all()
    assert sync.attempt.slot is Slot.OVERFLOW
    state = pools.pool
    assert (state.placed, state.placed_in_lent_slots, state.overflow_started) == (3, 1, 1)
    assert [effect.attempt for effect in pools.taken(Assign) if isinstance(effect, Assign)][-1] is sync.attempt
    (name,) = [name for name in pools.bodies if "-overflow-" in name]
    assert pools.body_of(sync).replica.name == name


def test_a_slot_beside_a_waiting_parent_is_not_lent_while_there_is_room() -> None:
    pools = world(1, 1, concurrency=3)
    parent = work(pools, is_async=True)
    children = [pools.call(parent, is_async=True) for _ in range(3)]
    assert [child.attempt.slot for child in children] == [Slot.REGULAR, Slot.REGULAR, Slot.LENT]


def test_a_refused_deadlock_is_counted() -> None:
    pools = world(1, 1, settings=PoolSettings(overflow_limit=1))
    lease = work(pools)
    for _ in range(2):
        lease = pools.call(lease)
        pools.hello_all()
    assert lease.outcome == "refused:POOL_DEADLOCK:False"
    assert pools.pool.deadlocks_refused == 1


def test_two_pools_that_wait_for_each_other_beyond_the_bound_are_told_and_all_others_end() -> None:
    policy = PoolPolicy(min_replicas=1, max_replicas=1)
    pools = PoolWorld(policy, policy, settings=PoolSettings(overflow_limit=2))
    pools.hello_all()
    lease = pools.place(pool=pools.pools[0])
    chain = [lease]
    while not lease.outcome:
        pools.hello_all()
        assert pools.is_placed(lease), f"stands still at depth {len(chain)}"
        lease = pools.call(lease, pool=pools.pools[len(chain) % 2])
        chain.append(lease)
        pools.hello_all()
        pools.advance(1)
    assert lease.outcome == "refused:POOL_DEADLOCK:False"
    assert len(chain) == 7, "a regular and two overflow replicas of each, and one too many"
    for waiting in reversed(chain[:-1]):
        finish(pools, waiting)
    assert {one.outcome for one in chain[:-1]} == {"ended"}


def grow(pools: PoolWorld, *, depth: int, width: int) -> tuple[Lease, int]:
    """A tree of synchronous tasks whose levels lie in the pools by turns; returns its root and the most replicas."""
    root = pools.place(pool=pools.pools[0])
    levels, called, most, turns = {root.attempt.lease: 0}, set(), 0, 0
    while not root.outcome:
        turns += 1
        assert turns < 5000, "stands still"
        pools.hello_all()
        for lease in pools.placed():
            number = lease.attempt.lease
            level = levels[number]
            if number not in called and level < depth:
                called.add(number)
                for _ in range(width):
                    child = pools.call(lease, pool=pools.pools[(level + 1) % len(pools.pools)])
                    levels[child.attempt.lease] = level + 1
                break
            if not lease.children:
                finish(pools, lease)
                break
        else:
            # Nothing moves by itself: only a moment may pass until a pool that waits for another is woken.
            pools.advance(0.001)
        most = max(most, len(pools.bodies))
    return root, most


@pytest.mark.parametrize(("count", "depth", "width", "bound"), [(2, 5, 3, 12), (3, 4, 4, 14), (2, 3, 8, 14)])
def test_a_tree_that_leads_through_several_pools_needs_few_overflow_replicas(
    count: int, depth: int, width: int, bound: int
) -> None:
    policy = PoolPolicy(min_replicas=1, max_replicas=1)
    pools = PoolWorld(*[policy] * count, settings=PoolSettings(overflow_limit=10))
    pools.hello_all()
    root, most = grow(pools, depth=depth, width=width)
    assert root.outcome == "ended"
    assert {lease.outcome for lease in pools.leases.values()} == {"ended"}
    assert most <= bound


def test_trees_of_several_runs_through_two_pools_do_not_hold_each_other_up() -> None:
    policy = PoolPolicy(min_replicas=1, max_replicas=1)
    pools = PoolWorld(policy, policy, settings=PoolSettings(overflow_limit=6))
    pools.hello_all()
    roots = [pools.place(pool=pools.pools[number % 2], run=f"run{number}") for number in range(4)]
    depth = {root.attempt.lease: 0 for root in roots}
    called: set[int] = set()
    for _ in range(2000):
        if all(root.outcome for root in roots):
            break
        pools.hello_all()
        for lease in pools.placed():
            number = lease.attempt.lease
            if number not in called and depth[number] < 2:
                called.add(number)
                for _ in range(2):
                    child = pools.call(lease, pool=pools.pools[1 - pools.pools.index(lease.pool)])
                    depth[child.attempt.lease] = depth[number] + 1
            elif not lease.children:
                finish(pools, lease)
        pools.advance(0.001)
    assert {root.outcome for root in roots} == {"ended"}


async def test_metrics_tell_of_pools_that_live_and_of_what_those_did_that_are_gone(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(least=0, most=1))
    for lease, action in enumerate(("held", "waits"), start=1):
        await scheduler.place(lease, action)
    await scheduler.placed(1)
    (pool,) = bench.service.reuse_pool.list_pools()
    registry = Registry(PoolSettings(), clock=bench.clock)
    registry.pools[pool.state.name] = pool
    metrics = Metrics()
    metrics.read_from(lambda: readings(registry))
    labels = f'domain="d",environment="env",pool="{"a" * 12}",project="p"'
    text = metrics.text().decode()
    for line in (
        f'flyteplane_reuse_replicas{{{labels},state="warm"}} 1.0',
        f"flyteplane_reuse_waiting{{{labels}}} 1.0",
        f"flyteplane_reuse_at_work{{{labels}}} 1.0",
        "flyteplane_reuse_placed_total 1.0",
    ):
        assert line in text, text
    note_past(registry, pool.state)
    del registry.pools[pool.state.name]
    text = metrics.text().decode()
    assert "flyteplane_reuse_placed_total 1.0" in text
    assert labels not in text


async def test_a_service_that_is_closed_tells_no_figures_any_more() -> None:
    metrics, cluster = Metrics(), MemoryCluster(obedient)
    service = await open_reuse_pool(
        database_url="", clusters=[cluster], clock=BenchClock(), ids=SeededIds(), metrics=metrics
    )
    assert "flyteplane_reuse_pools 0.0" in metrics.text().decode()
    await service.close()
    assert "flyteplane_reuse_pools" not in metrics.text().decode()
    await cluster.close()
