"""Which replica gets an attempt, and how many replicas there are."""

from __future__ import annotations

import pytest
from tests.reuse_pool.pool_world import PoolWorld

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.reuse_pool.domain import administration, deadlines
from flyteplane.reuse_pool.domain.effects import Assign, Drain, Start
from flyteplane.reuse_pool.domain.policy import PoolPolicy, PoolSettings
from flyteplane.reuse_pool.domain.replica import ReplicaState
from flyteplane.reuse_pool.domain.scaling import backoff_s


def warm(least: int, most: int, *, concurrency: int = 1, settings: PoolSettings | None = None) -> PoolWorld:
    """A pool whose first replicas have said Hello."""
    world = PoolWorld(PoolPolicy(min_replicas=least, max_replicas=most, concurrency=concurrency), settings=settings)
    world.hello_all()
    return world


def test_a_new_pool_starts_its_least_replicas_at_once() -> None:
    assert len(warm(2, 5).bodies) == 2


def test_an_attempt_goes_to_a_warm_replica_at_once() -> None:
    world = warm(1, 1)
    lease = world.place()
    assert world.is_placed(lease)
    assert world.pool.placed_warm == 1


def test_attempts_go_to_the_least_loaded_replica() -> None:
    world = warm(2, 2, concurrency=3)
    for _ in range(4):
        world.place(is_async=True)
    assert sorted(len(body.leases) for body in world.bodies.values()) == [2, 2]


def test_a_pool_from_zero_starts_what_the_backlog_needs_at_once() -> None:
    world = warm(0, 4, concurrency=2)
    assert not world.bodies
    for _ in range(5):
        world.place(is_async=True)
    assert len(world.bodies) == 3


def test_a_backlog_never_starts_more_than_the_most() -> None:
    world = warm(0, 4)
    for _ in range(50):
        world.place()
    assert len(world.bodies) == 4


def test_waiting_attempts_are_given_out_as_slots_become_free() -> None:
    world = warm(1, 1)
    first, second = world.place(), world.place()
    assert not world.is_placed(second)
    world.end(first)
    assert world.is_placed(second)


def test_a_slot_is_free_before_the_end_is_acknowledged() -> None:
    world = warm(1, 1)
    first = world.place()
    world.end(first)
    second = world.place()
    assert world.is_placed(second)
    world.accept(first)


def test_runs_take_turns() -> None:
    world = warm(1, 1)
    running = world.place(run="many")
    for _ in range(5):
        world.place(run="many")
    single = world.place(run="single")
    world.end(running)
    (running,) = world.placed()
    world.end(running)
    assert world.is_placed(single)


def test_a_synchronous_attempt_gets_a_replica_of_its_own() -> None:
    world = warm(1, 1, concurrency=4)
    world.place(is_async=True)
    alone = world.place(is_async=False)
    assert not world.is_placed(alone)


def test_an_exclusive_attempt_does_not_wait_behind_an_endless_flow_of_shared_ones() -> None:
    world = warm(1, 1, concurrency=2)
    flow = [world.place(is_async=True), world.place(is_async=True)]
    alone = world.place(is_async=False)
    for _ in range(5):
        flow.append(world.place(is_async=True))
        world.end(next(lease for lease in flow if world.is_placed(lease)))
        if world.is_placed(alone):
            break
    assert world.is_placed(alone)


def test_an_idle_replica_beyond_the_least_goes_after_scaledown_ttl() -> None:
    world = warm(1, 3)
    leases = [world.place() for _ in range(3)]
    world.hello_all()
    keeper = leases[0]
    for lease in leases[1:]:
        world.end(lease)
        world.accept(lease)
    world.advance(29)
    assert len(world.bodies) == 3
    world.advance(2)
    assert len(world.bodies) == 1
    assert world.is_placed(keeper)


def test_the_whole_pool_goes_after_idle_ttl_even_its_least_replicas() -> None:
    world = warm(2, 2)
    lease = world.place()
    world.end(lease)
    world.accept(lease)
    world.advance(29)
    assert len(world.bodies) == 2
    world.advance(3)
    assert not world.bodies
    assert world.pool.gone


def test_an_attempt_at_the_last_moment_keeps_the_pool() -> None:
    world = warm(1, 1)
    world.advance(29.5)
    lease = world.place()
    world.advance(60)
    assert world.is_placed(lease)
    assert not world.pool.gone


def test_an_attempt_that_comes_while_the_pool_goes_gets_a_new_replica() -> None:
    world = warm(1, 1)
    world.advance(29.9)
    world.effects.clear()
    world.now += 0.1
    world.run(world.pool, deadlines.tick(world.pool, now=world.now))
    assert len(world.taken(Drain)) == 1
    lease = world.place()
    assert len(world.taken(Start)) == 1
    world.hello_all()
    assert world.is_placed(lease)


def test_a_pool_without_replicas_refuses() -> None:
    world = warm(0, 0)
    assert world.place().outcome == "refused:POOL_WITHOUT_REPLICAS:False"


def test_a_drained_pool_finishes_what_runs_and_goes() -> None:
    world = warm(2, 2)
    lease = world.place()
    world.run(world.pool, administration.drain(world.pool, now=world.now))
    world.exit_drained()
    assert len(world.bodies) == 1
    world.end(lease)
    world.accept(lease)
    world.exit_drained()
    assert world.pool.gone


def test_attempts_that_wait_when_their_pool_is_drained_get_new_replicas() -> None:
    world = warm(1, 1)
    running, waiting = world.place(), world.place()
    world.run(world.pool, administration.drain(world.pool, now=world.now))
    world.hello_all()
    assert world.is_placed(waiting)
    assert world.is_placed(running)


def test_a_superseded_pool_keeps_no_replicas_but_serves_what_still_comes() -> None:
    world = warm(2, 2)
    world.run(world.pool, administration.supersede(world.pool, now=world.now))
    world.exit_drained()
    assert world.pool.gone
    lease = world.place()
    assert len(world.bodies) == 1
    world.hello_all()
    assert world.is_placed(lease)


def test_resizing_starts_and_drains_replicas() -> None:
    world = warm(1, 1)
    world.run(world.pool, administration.resize(world.pool, min_replicas=3, max_replicas=4, now=world.now))
    world.hello_all()
    assert len(world.bodies) == 3
    busy = world.place()
    world.run(world.pool, administration.resize(world.pool, min_replicas=0, max_replicas=1, now=world.now))
    world.exit_drained()
    assert [body.replica for body in world.bodies.values()] == [world.body_of(busy).replica]


def test_bounds_that_contradict_each_other_are_refused() -> None:
    world = warm(1, 1)
    with pytest.raises(InvalidArgument, match="min_replicas"):
        administration.resize(world.pool, min_replicas=3, max_replicas=2, now=world.now)


def test_a_replica_is_recycled_after_its_tasks() -> None:
    world = warm(1, 1, settings=PoolSettings(recycle_after_tasks=3))
    (first,) = world.bodies
    for _ in range(3):
        lease = world.place()
        world.end(lease)
        world.accept(lease)
    world.exit_drained()
    world.hello_all()
    assert first not in world.bodies
    assert world.is_placed(world.place())


def test_a_replica_is_recycled_with_age_while_its_attempt_finishes() -> None:
    world = warm(1, 1, settings=PoolSettings(recycle_after_s=100.0))
    (first,) = world.bodies
    lease = world.place()
    world.advance(101)
    assert world.bodies[first].drained
    assert world.is_placed(lease)
    assert len(world.replicas(ReplicaState.STARTING)) == 1


def test_assignments_are_effects_in_order_of_age() -> None:
    world = warm(0, 1, concurrency=10)
    leases = [world.place(is_async=True) for _ in range(5)]
    world.effects.clear()
    world.hello_all()
    assigned = [effect.attempt for effect in world.taken(Assign) if isinstance(effect, Assign)]
    assert assigned == [lease.attempt for lease in leases]


@pytest.mark.parametrize(("failures", "pause"), [(1, 0.25), (2, 0.5), (3, 1.0), (20, 30.0), (5000, 30.0)])
def test_pauses_between_failed_starts_double_up_to_a_cap(failures: int, pause: float) -> None:
    assert backoff_s(failures, base_s=0.25, cap_s=30.0) == pause
