"""What goes wrong in the world of pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.state.pools.replica import Replica
from tests.state.pools.world import PoolsWorld

from flyteplane.cluster.ports import ExitReason

Trouble = Callable[[PoolsWorld], None]


def scheduler_killed(world: PoolsWorld) -> None:
    """kill -9 of the scheduler."""
    world.kill_scheduler()


def pool_killed(world: PoolsWorld) -> None:
    """kill -9 of the reuse pool."""
    world.kill_pool()


def both_killed(world: PoolsWorld) -> None:
    """A machine goes with both of them."""
    world.kill_scheduler()
    world.kill_pool()


def pool_killed_around_an_effect(world: PoolsWorld) -> None:
    """The reuse pool dies just before or after something that it does to the outside."""
    pool = world.pool
    if pool is not None and not pool.life.dead:
        pool.life.fuse = world.random.randint(1, 6)
        pool.life.on_burnt = world.kill_pool


def pool_replaced(world: PoolsWorld) -> None:
    """The reuse pool loses its lead without noticing, as if it had been paused."""
    if world.pool is not None and not world.pool.life.dead:
        world.begin_pool()


def assign_stream_broken(world: PoolsWorld) -> None:
    """The connection between scheduler and reuse pool breaks."""
    if world.scheduler is not None:
        world.scheduler.line.break_calls()


def replica_deleted(world: PoolsWorld) -> None:
    """Somebody deletes a pod."""
    if (replica := _some(world)) is not None:
        replica.worker.exit(signal=9, reason=ExitReason.POD_DELETED)


def replica_lost_unseen(world: PoolsWorld) -> None:
    """A pod is gone, and nobody saw how."""
    if (replica := _some(world)) is not None:
        replica.worker.exit(known=False)


def replica_stream_broken(world: PoolsWorld) -> None:
    """The connection of a replica breaks."""
    if (replica := _some(world)) is not None:
        replica.line.break_calls()


def replica_cut_off(world: PoolsWorld) -> None:
    """A replica reaches nobody for a while."""
    replica = _some(world)
    if replica is None:
        return
    replica.cut_off = True
    replica.line.break_calls()

    def mended() -> None:
        replica.cut_off = False

    world.clock.call_later(world.random.choice([1.0, 8.0, 11.0, 16.0, 40.0]), mended)


def cluster_away(world: PoolsWorld) -> None:
    """The API server cannot be asked for a while."""
    world.cluster.unreachable = "the API server is away"

    def back() -> None:
        world.cluster.unreachable = ""

    world.clock.call_later(world.random.choice([1.0, 5.0, 25.0]), back)


def store_slow(world: PoolsWorld) -> None:
    """Commits of the scheduler take long."""
    world.slow_store_s = 2.0

    def quick() -> None:
        world.slow_store_s = 0.0

    world.clock.call_later(10.0, quick)


TROUBLES: Final[list[Trouble]] = [
    scheduler_killed,
    pool_killed,
    both_killed,
    pool_killed_around_an_effect,
    pool_replaced,
    assign_stream_broken,
    replica_deleted,
    replica_lost_unseen,
    replica_stream_broken,
    replica_cut_off,
    cluster_away,
    store_slow,
]


def _some(world: PoolsWorld) -> Replica | None:
    return world.random.choice(list(world.replicas.values())) if world.replicas else None
