"""Nothing is said before it is durable, what is stored is a prefix of what happened, and nothing stored is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.scheduler.harness import Bench, settle, task
from tests.state.workers import Worker
from tests.state.world import World

from flyte.spec.digests import task_digest
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import SubmitAction, WorkerReport
from flyteplane.foundation.errors import Aborted, InvalidArgument, PlatformError, Unavailable
from flyteplane.scheduler.application.intake import NewRun
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.domain.phases import Phase


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A scheduler whose commits the test lets through."""
    world = World(tmp_path)
    await world.start()
    yield world
    await world.close()
    assert not world.checker.mistakes


def _worker(world: World, name: str) -> Worker:
    return next(worker for worker in reversed(world.now.workers.values()) if worker.action.name == name)


async def test_a_result_waits_for_the_commit_of_a_turn_before(world: World) -> None:
    """The child has ended in memory only when its parent asks for it once more: that changes nothing by itself."""
    world.accept("r1", task("env.parent"))
    await world.settle()
    parent = _worker(world, "a0")
    parent.submit("c1", task("env.child"))
    await world.settle()
    world.now.records.hold()
    _worker(world, "c1").succeed(b"v")
    await world.settle()
    parent.submit("c1", task("env.child"))
    await world.settle()
    assert sorted(parent.calls) == [1, 2]
    world.now.records.release()
    await world.settle()
    assert not parent.calls


async def test_an_abort_of_what_has_ended_waits_for_that_end(world: World) -> None:
    key = world.accept("r1", task())
    await world.settle()
    world.now.records.hold()
    _worker(world, "a0").succeed(b"v")
    await world.settle()
    world.abort(key)
    await world.settle()
    assert world.accepting
    world.now.records.release()
    await world.settle()
    assert not world.accepting


async def test_a_run_that_is_submitted_again_is_acknowledged_once_it_is_durable(world: World) -> None:
    """The first caller gave up before the answer came."""
    world.now.records.hold()
    world.accept("r1", task())
    await world.settle()
    first = next(iter(world.accepting))
    first.cancel()
    await world.settle()
    world.accept("r1", task())
    await world.settle()
    assert world.accepting
    world.now.records.release()
    await world.settle()
    assert not world.accepting


async def test_a_run_is_not_stored_as_ended_before_its_root_is(world: World) -> None:
    key = world.accept("r1", task())
    await world.settle()
    world.now.records.hold()
    _worker(world, "a0").start()
    await world.settle()
    _worker(world, "a0").succeed(b"v")
    await world.settle()
    await world.crash(keep=1)
    row = world.checker.row(key, "a0")
    assert row is not None
    assert row.phase < Phase.SUCCEEDED
    await world.drain()


async def test_after_a_write_that_failed_nothing_more_is_written_or_said(world: World) -> None:
    world.accept("r1", task())
    world.accept("r2", task())
    await world.settle()
    workers = world.now.living()
    world.now.records.fail_next(Unavailable("the disk is full"))
    workers[0].succeed(b"lost")
    await world.settle()
    workers[1].succeed(b"lost too")
    await world.settle()
    assert [type(error) for error in world.now.failures] == [Unavailable]
    world.now.failures.clear()
    assert all(row.phase < Phase.SUCCEEDED for row in world.checker.rows.values())
    await world.crash()
    await world.drain()


async def test_a_call_that_is_said_again_is_answered_once(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    await bench.call("a0", "c1", task("env.child"), number=1)
    lease = await bench.call("a0", "c1", task("env.child"), number=1)
    await bench.succeed("c1", b"v")
    assert bench.results(lease) == [(1, Phase.SUCCEEDED, b"v")]
    assert not bench.scheduler.engine.attempts[lease].waiting


async def test_a_child_is_aborted_although_an_attempt_that_is_over_had_waited_for_it(bench: Bench) -> None:
    key = await bench.submit(task("env.parent", retries=1))
    await bench.call("a0", "c1", task("env.child"))
    await bench.fail("a0")
    await bench.advance(60)
    lease = await bench.call("a0", "c1", task("env.child"))
    await bench.say(lease, cancel_call={"call": 1})
    assert await bench.phase(key, "c1") is Phase.ABORTED


@pytest.mark.parametrize("name", ["", "../../etc", "A", "a/b", "x" * 64, "-a"])
async def test_a_name_that_would_leave_its_place_is_refused(bench: Bench, name: str) -> None:
    await bench.submit(task("env.parent"))
    lease = await bench.call("a0", name, task("env.child"))
    result = next(order.result for order in bench.workers.sent[lease] if order.HasField("result"))
    assert (result.phase, result.error.code) == (0, "BAD_NAME")
    assert len(bench.workers.placed) == 1


async def test_nobody_waits_for_an_action_that_is_not_a_child(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    lease = await bench.call("a0", "a0", task("env.parent"))
    result = next(order.result for order in bench.workers.sent[lease] if order.HasField("result"))
    assert result.error.code == "NAME_TAKEN"


async def test_a_false_digest_does_not_stand_in_the_way_of_the_true_task(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    lease, child = bench.workers.lease_of("a0"), task("env.child")
    await bench.say(lease, declare_task={"digest": task_digest(child), "spec": task("env.other")})
    submit = SubmitAction(call=1, name="c1", task_digest=task_digest(child))
    bench.scheduler.engine.receive([WorkerReport(lease=lease, submit=submit)], placement=bench.workers)
    await settle()
    result = next(order.result for order in bench.workers.sent[lease] if order.HasField("result"))
    assert result.error.code == "UNDECLARED_TASK"
    await bench.call("a0", "c2", child, number=2)
    assert bench.workers.placed[-1][1].name == "c2"


async def test_many_who_hand_in_one_run_at_once_make_one_run(bench: Bench) -> None:
    """Of the callers one is refused and some give up, at every point of the way."""
    broken = task("env.broken")
    broken.queue = "none"

    async def accept(spec_is_good: bool, passes: int) -> None:
        spec = task() if spec_is_good else broken
        new = NewRun(
            key=RunKey("project", "domain", "r1"),
            digest=task_digest(spec),
            task=spec,
            inputs=b"",
            inputs_digest=b"",
            settings=RunSettings(),
        )
        call = asyncio.ensure_future(bench.scheduler.intake.accept_run(new))
        for _ in range(passes):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        if not call.cancelled():
            assert isinstance(call.exception(), InvalidArgument | PlatformError | None)

    await asyncio.gather(*(accept(number % 3 != 0, number % 5) for number in range(30)))
    assert await bench.submit(task())
    assert len(bench.workers.placed) == 1
    assert not bench.failures


async def test_an_error_in_a_turn_is_not_swallowed(bench: Bench) -> None:
    """Memory is ahead of the store then, and only a restart helps."""

    def broken() -> None:
        raise Aborted("a defect")

    bench.scheduler.engine.turn.before_flush(broken)
    bench.scheduler.engine.turn.schedule()
    await settle()
    assert isinstance(bench.failures.pop(), Aborted)
