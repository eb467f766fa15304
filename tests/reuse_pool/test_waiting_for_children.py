"""A parent that waits for children on its own pool never blocks them for ever."""

from __future__ import annotations

from tests.reuse_pool.pool_world import Lease, PoolWorld

from flyteplane.reuse_pool.domain.effects import Refuse
from flyteplane.reuse_pool.domain.policy import PoolPolicy, PoolSettings


def fixed(replicas: int, *, concurrency: int = 1, pools: int = 1, overflow_limit: int = 32) -> PoolWorld:
    """Pools of so many replicas, all warm."""
    policy = PoolPolicy(min_replicas=replicas, max_replicas=replicas, concurrency=concurrency)
    world = PoolWorld(*[policy] * pools, settings=PoolSettings(overflow_limit=overflow_limit))
    world.hello_all()
    return world


def overflow(world: PoolWorld) -> int:
    return sum(body.replica.overflow for body in world.bodies.values())


def test_an_async_parent_lends_its_slot_to_its_child_on_the_same_replica() -> None:
    world = fixed(1)
    parent = world.place(is_async=True)
    child = world.call(parent, is_async=True)
    assert world.is_placed(child)
    assert world.body_of(child) is world.body_of(parent)
    assert overflow(world) == 0


def test_children_of_an_async_parent_run_one_at_a_time() -> None:
    world = fixed(1)
    parent = world.place(is_async=True)
    children = [world.call(parent, is_async=True) for _ in range(3)]
    assert [world.is_placed(child) for child in children] == [True, False, False]
    world.end(children[0])
    assert [world.is_placed(child) for child in children[1:]] == [True, False]


def test_async_recursion_of_any_depth_fits_on_one_replica() -> None:
    world = fixed(1)
    lease = world.place(is_async=True)
    for _ in range(200):
        lease = world.call(lease, is_async=True)
        assert world.is_placed(lease)
    assert len(world.bodies) == 1


def test_a_sync_parent_gets_an_overflow_replica_for_its_child() -> None:
    world = fixed(1)
    parent = world.place()
    child = world.call(parent)
    assert overflow(world) == 1
    world.hello_all()
    assert world.is_placed(child)
    world.end(child)
    world.end(parent)
    assert parent.outcome == "ended"


def test_an_overflow_replica_serves_one_child_after_the_other() -> None:
    world = fixed(1)
    parent = world.place()
    for _ in range(10):
        child = world.call(parent)
        world.hello_all()
        assert world.is_placed(child)
        world.end(child)
        world.accept(child)
    assert overflow(world) == 1


def test_an_overflow_replica_goes_when_it_is_idle() -> None:
    world = fixed(1)
    parent = world.place()
    child = world.call(parent)
    world.hello_all()
    world.end(child)
    world.accept(child)
    world.advance(6)
    assert overflow(world) == 0
    assert world.is_placed(parent)


def test_overflow_replicas_work_only_in_the_place_of_those_that_wait() -> None:
    """No more replicas are at work than the policy allows."""
    world = fixed(1)
    parent = world.place()
    first = world.call(parent)
    world.hello_all()
    second = world.call(parent)
    assert world.is_placed(first)
    assert not world.is_placed(second)
    assert overflow(world) == 1


def test_a_lent_slot_is_used_although_another_replica_is_busy_for_long() -> None:
    world = fixed(2)
    parent, long = world.place(), world.place()
    child = world.call(parent)
    world.hello_all()
    assert world.is_placed(child)
    assert world.is_placed(long)


def test_a_backlog_that_nobody_waits_for_starts_no_overflow_replica() -> None:
    """Parents wait for children elsewhere; more parents in line are just a long line."""
    world = fixed(2)
    parents = [world.place() for _ in range(10)]
    world.call_elsewhere(parents[0])
    assert overflow(world) == 0
    world.answer(parents[0], 1)
    assert overflow(world) == 0


def test_a_child_that_comes_by_a_way_that_the_pool_cannot_see_is_served_after_a_while() -> None:
    world = fixed(1)
    parent = world.place()
    world.call_elsewhere(parent)
    grandchild = world.place()
    assert overflow(world) == 0
    world.advance(0.3)
    assert overflow(world) == 1
    world.hello_all()
    assert world.is_placed(grandchild)


def test_two_pools_that_wait_for_each_other_get_on() -> None:
    world = fixed(1, pools=2)
    first, second = world.pools
    lease = world.place(pool=first)
    chain = [lease]
    for number in range(10):
        lease = world.call(lease, pool=second if number % 2 == 0 else first)
        world.hello_all()
        assert world.is_placed(lease)
        chain.append(lease)
    for lease in reversed(chain):
        world.end(lease)
        world.accept(lease)
    assert {lease.outcome for lease in chain} == {"ended"}


def test_a_wide_tree_of_sync_tasks_needs_few_overflow_replicas() -> None:
    """Depth first: 8 children of 8 children of 8 children. A level takes two replicas: the slot of a parent that begins
    to wait goes to its sibling, because its own child has not come yet."""
    world = fixed(1)
    root = world.place()
    wide = {root: 8}

    def step() -> bool:
        world.hello_all()
        for lease in reversed(world.placed()):
            if lease.children:
                continue
            depth = lease.attempt.action.count("/") // 2
            if depth < 3 and lease not in wide:
                wide[lease] = 8
            if wide.get(lease, 0):
                wide[lease] = 0
                for _ in range(8):
                    world.call(lease)
            else:
                world.end(lease)
                world.accept(lease)
            return True
        return False

    most = 0
    while step():
        most = max(most, overflow(world))
    assert root.outcome == "ended"
    assert len(world.leases) == 1 + 8 + 64 + 512
    assert most <= 2 * 3


def test_a_recursion_deeper_than_the_limit_is_refused_with_the_reason() -> None:
    world = fixed(1, overflow_limit=3)
    lease = last = world.place()
    for _ in range(4):
        last, lease = lease, world.call(lease)
        world.hello_all()
    (refusal,) = world.taken(Refuse)
    assert isinstance(refusal, Refuse)
    assert refusal.attempt is lease.attempt
    assert refusal.reason == "POOL_DEADLOCK"
    assert not refusal.retryable
    assert "3 overflow replicas" in refusal.message
    assert not last.children


def test_nothing_is_refused_while_one_of_those_that_wait_can_get_on() -> None:
    world = fixed(1, overflow_limit=2)
    lease = world.place()
    chain = [lease]
    for _ in range(2):
        lease = world.call(lease)
        chain.append(lease)
        world.hello_all()
    outside = world.call_elsewhere(chain[0])
    child = world.call(lease)
    assert not child.outcome
    world.answer(chain[0], outside)
    other = world.place()
    assert child.outcome.startswith("refused:POOL_DEADLOCK")
    assert not other.outcome


def test_an_overflow_replica_takes_the_place_of_a_regular_one_that_is_lost() -> None:
    world = fixed(1)
    parent = world.place()
    child = world.call(parent)
    world.hello_all()
    overflow_body = world.body_of(child)
    world.dies(world.body_of(parent).replica.name)
    assert not overflow_body.replica.overflow
    assert len(world.bodies) == 1


def test_the_limit_of_attempts_that_wait_on_one_replica_holds() -> None:
    policy = PoolPolicy(min_replicas=1, max_replicas=1)
    world = PoolWorld(policy, settings=PoolSettings(lent_limit=3))
    world.hello_all()
    lease: Lease = world.place(is_async=True)
    for _ in range(3):
        lease = world.call(lease, is_async=True)
    assert overflow(world) == 1
    world.hello_all()
    assert world.is_placed(lease)
