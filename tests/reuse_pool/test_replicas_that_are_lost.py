"""What becomes of attempts when replicas crash, fall silent, do not start or are killed, and who is to blame."""

from __future__ import annotations

import pytest
from tests.reuse_pool.pool_world import PoolWorld

from flyteplane.reuse_pool.domain.deadlines import forgive
from flyteplane.reuse_pool.domain.effects import Cancel, Lose, Stop
from flyteplane.reuse_pool.domain.policy import PoolPolicy, PoolSettings


def warm(replicas: int = 1, *, concurrency: int = 1, settings: PoolSettings | None = None) -> PoolWorld:
    policy = PoolPolicy(min_replicas=replicas, max_replicas=replicas, concurrency=concurrency, idle_ttl_s=10_000)
    world = PoolWorld(policy, settings=settings)
    world.hello_all()
    return world


def test_the_only_attempt_of_a_crashed_replica_is_the_culprit() -> None:
    world = warm()
    lease = world.place()
    world.dies(world.body_of(lease).replica.name, exit_code=3, signal=0)
    (lost,) = world.taken(Lose)
    assert isinstance(lost, Lose)
    assert (lost.reason, lost.culprit, lost.exit_code) == ("REPLICA_CRASHED", True, 3)
    assert "exited with code 3" in lost.message


def test_the_one_that_did_not_wait_is_the_culprit_and_its_neighbours_are_not() -> None:
    world = warm()
    parent = world.place(is_async=True)
    child = world.call(parent, is_async=True)
    world.dies(world.body_of(child).replica.name)
    assert child.outcome == "lost:REPLICA_CRASHED:True"
    assert parent.outcome == "lost:REPLICA_CRASHED:False"


def test_of_several_at_work_nobody_is_the_culprit_but_each_runs_alone_next_time() -> None:
    world = warm(concurrency=2)
    first = world.place(is_async=True, action="a")
    second = world.place(is_async=True, action="b")
    world.dies(world.body_of(first).replica.name)
    assert {first.outcome, second.outcome} == {"lost:REPLICA_CRASHED:False"}
    world.hello_all()
    again = world.place(is_async=True, action="a")
    other = world.place(is_async=True, action="b")
    assert world.is_placed(again)
    assert not world.is_placed(other)
    world.dies(world.body_of(again).replica.name)
    assert again.outcome == "lost:REPLICA_CRASHED:True"


def test_nobody_is_to_blame_for_a_replica_that_nobody_saw_end() -> None:
    world = warm()
    lease = world.place()
    world.dies(world.body_of(lease).replica.name, known=False)
    assert lease.outcome == "lost:REPLICA_LOST:False"


def test_an_action_that_took_three_replicas_down_is_in_quarantine() -> None:
    world = warm(2)
    outcomes = []
    for _ in range(3):
        lease = world.place(action="lethal")
        world.dies(world.body_of(lease).replica.name)
        world.hello_all()
        outcomes.append(lease.outcome)
    assert outcomes == ["lost:REPLICA_CRASHED:True"] * 2 + ["lost:QUARANTINED:True"]
    assert world.place(action="lethal").outcome == "refused:QUARANTINED:False"
    assert world.is_placed(world.place(action="harmless"))


def test_an_action_that_came_to_its_end_is_cleared() -> None:
    world = warm(2)
    for _ in range(5):
        lease = world.place(action="shaky")
        world.dies(world.body_of(lease).replica.name)
        world.hello_all()
        lease = world.place(action="shaky")
        world.end(lease)
        world.accept(lease)
    assert world.is_placed(world.place(action="shaky"))


def test_an_attempt_that_has_ended_is_not_lost_with_its_replica() -> None:
    world = warm()
    lease = world.place()
    name = world.body_of(lease).replica.name
    world.end(lease)
    world.dies(name)
    assert lease.outcome == "ended"
    world.accept(lease)


def test_a_silent_replica_is_given_up_after_its_lease_and_a_margin() -> None:
    world = warm()
    lease = world.place()
    name = world.body_of(lease).replica.name
    world.advance(17, silent=[name])
    assert world.is_placed(lease)
    world.advance(2, silent=[name])
    assert lease.outcome == "lost:REPLICA_LOST:False"
    assert name not in world.bodies
    assert len(world.bodies) == 1


def test_the_time_that_the_pool_itself_was_away_is_held_against_nobody() -> None:
    world = warm()
    lease = world.place()
    world.now += 60
    forgive(world.pool, 60)
    world.advance(1)
    assert world.is_placed(lease)


def test_a_revoked_attempt_is_asked_to_stop_and_its_slot_is_free_when_it_has() -> None:
    world = warm()
    lease = world.place()
    world.revoke(lease)
    assert len(world.taken(Cancel)) == 1
    waiting = world.place()
    assert not world.is_placed(waiting)
    world.end(lease)
    assert lease.outcome == "revoked"
    assert world.is_placed(waiting)


def test_a_revoked_attempt_that_waits_for_a_slot_is_gone_at_once() -> None:
    world = warm()
    world.place()
    lease = world.place()
    world.revoke(lease)
    assert lease.outcome == "revoked"
    assert world.pool.waiting == 0


def test_a_replica_is_killed_if_a_revoked_attempt_does_not_stop_and_its_neighbours_are_innocent() -> None:
    world = warm(concurrency=2)
    stubborn = world.place(is_async=True)
    neighbour = world.place(is_async=True)
    world.revoke(stubborn, grace_s=5)
    world.advance(4.9)
    assert world.is_placed(neighbour)
    world.effects.clear()
    world.advance(0.2)
    assert neighbour.outcome == "lost:REPLICA_KILLED:False"
    assert stubborn.outcome == "revoked"
    assert len(world.taken(Stop)) == 1


def test_a_revoked_attempt_without_grace_never_costs_a_replica() -> None:
    world = warm()
    lease = world.place()
    world.revoke(lease, grace_s=None)
    world.advance(3600)
    assert len(world.bodies) == 1
    assert not lease.outcome


def test_failed_starts_back_off_and_say_why() -> None:
    world = warm()
    lease = world.place()
    world.dies(world.body_of(lease).replica.name)
    starts = []
    waiting = world.place()
    for _ in range(4):
        (name,) = world.bodies
        world.start_fails(name)
        assert not world.bodies
        before = world.now
        while not world.bodies:
            world.advance(0.05)
        starts.append(world.now - before)
    assert starts == pytest.approx([0.25, 0.5, 1.0, 2.0], abs=0.06)
    assert world.pool.trouble == "no"
    world.hello_all()
    assert world.is_placed(waiting)
    assert world.pool.trouble == ""


def test_attempts_are_refused_for_now_after_too_many_failed_starts() -> None:
    world = PoolWorld(PoolPolicy(min_replicas=0, max_replicas=3), settings=PoolSettings(failed_starts=2))
    leases = [world.place() for _ in range(3)]
    for name in list(world.bodies):
        world.start_fails(name)
    assert not any(lease.outcome for lease in leases), "starts that failed together count as one"
    world.advance(0.3)
    world.start_fails(next(iter(world.bodies)))
    assert {lease.outcome for lease in leases} == {"refused:NO_START:True"}


def test_attempts_are_refused_for_good_when_a_start_can_never_work() -> None:
    world = PoolWorld(PoolPolicy(min_replicas=0, max_replicas=1))
    lease = world.place()
    world.start_fails(next(iter(world.bodies)), permanent=True)
    assert lease.outcome == "refused:NO_START:False"


def test_a_start_that_never_says_hello_has_failed() -> None:
    world = PoolWorld(PoolPolicy(min_replicas=1, max_replicas=1, idle_ttl_s=10_000))
    (name,) = world.bodies
    world.advance(301)
    assert name not in world.bodies
    assert "did not say Hello" in world.pool.trouble


def test_a_replica_that_dies_before_it_worked_counts_as_a_failed_start() -> None:
    world = warm()
    world.dies(next(iter(world.bodies)))
    assert world.pool.failures == 1
    assert not world.bodies
    world.advance(0.3)
    assert len(world.bodies) == 1


def test_a_replica_with_too_much_memory_is_replaced_after_its_attempt() -> None:
    from flyteplane.reuse_pool.domain.replica_events import heartbeat

    world = warm(settings=PoolSettings(recycle_above_bytes=1000))
    lease = world.place()
    body = world.body_of(lease)
    world.run(world.pool, heartbeat(world.pool, body.replica, 2000, now=world.now))
    assert body.drained
    assert world.is_placed(lease)
    assert len(world.bodies) == 2


def test_a_drained_replica_that_does_not_exit_is_stopped() -> None:
    world = warm(settings=PoolSettings(recycle_after_tasks=1))
    lease = world.place()
    body = world.body_of(lease)
    world.end(lease)
    world.accept(lease)
    assert body.drained
    body.leases[0] = lease.attempt  # keeps it from exiting by itself
    world.advance(11)
    assert body.replica.name not in world.bodies
