"""A change for which nobody waits is held for a moment, and written with what follows; nothing is said before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.scheduler.harness import task
from tests.state.workers import Worker
from tests.state.world import HOLD_S, World

from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.application.turn import MOST_HELD
from flyteplane.scheduler.domain.phases import Phase


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A scheduler that holds changes, and whose commits the test lets through."""
    world = World(tmp_path, hold_s=HOLD_S)
    await world.start()
    yield world
    await world.close()
    assert not world.checker.mistakes


def _worker(world: World, name: str) -> Worker:
    return next(worker for worker in reversed(world.now.workers.values()) if worker.action.name == name)


def _phase(world: World, key: RunKey) -> Phase | None:
    """The stored phase of the child."""
    row = world.checker.row(key, "c1")
    return None if row is None else Phase(row.phase)


async def _parent(world: World) -> tuple[RunKey, Worker]:
    """A parent that runs, with all that is written of it."""
    key = world.accept("r1", task("env.parent"))
    await world.settle()
    parent = _worker(world, "a0")
    parent.start()
    await world.advance(HOLD_S)
    world.now.records.hold()
    return key, parent


async def test_a_child_that_ends_within_the_time_is_written_once(world: World) -> None:
    key, parent = await _parent(world)
    parent.submit("c1", task("env.child"))
    await world.settle()
    assert world.now.records.waiting == 0
    child = _worker(world, "c1")
    child.start()
    await world.settle()
    assert world.now.records.waiting == 0
    child.succeed(b"v")
    await world.settle()
    assert world.now.records.waiting == 1
    assert parent.calls, "the result waits for the write"
    world.now.records.release()
    await world.settle()
    assert not parent.calls
    assert _phase(world, key) is Phase.SUCCEEDED


async def test_a_child_that_takes_longer_is_written_when_the_time_has_passed(world: World) -> None:
    _, parent = await _parent(world)
    parent.submit("c1", task("env.child"))
    await world.settle()
    await world.advance(HOLD_S)
    assert world.now.records.waiting == 1
    _worker(world, "c1").succeed(b"v")
    await world.settle()
    assert world.now.records.waiting == 2


async def test_whoever_is_to_be_answered_waits_for_no_time_to_pass(world: World) -> None:
    _, parent = await _parent(world)
    parent.submit("c1", task("env.child"))
    key = world.accept("r2", task())
    await world.settle()
    assert world.now.records.waiting == 1
    assert world.accepting
    world.now.records.release()
    await world.settle()
    assert not world.accepting
    assert world.checker.row(key, "a0") is not None


async def test_no_more_is_held_than_one_write_may_take(world: World) -> None:
    _, parent = await _parent(world)
    for number in range(MOST_HELD - 1):
        parent.submit(f"c{number}", task("env.child"))
    await world.settle()
    assert world.now.records.waiting == 0
    parent.submit("last", task("env.child"))
    await world.settle()
    assert world.now.records.waiting == 1


async def test_what_was_held_when_the_scheduler_died_was_told_to_nobody_and_is_made_again(world: World) -> None:
    key, parent = await _parent(world)
    parent.submit("c1", task("env.child"))
    await world.settle()
    await world.crash()
    world.now.records.release()
    await world.settle()
    assert _phase(world, key) is None
    _worker(world, "a0").submit("c1", task("env.child"))
    await world.settle()
    _worker(world, "c1").succeed(b"v")
    await world.settle()
    assert _phase(world, key) is Phase.SUCCEEDED
