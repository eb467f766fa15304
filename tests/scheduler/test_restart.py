"""Restarts: a scheduler is forgotten as after kill -9 and another one goes on from what is stored."""

from tests.scheduler.harness import Bench, settle, task

from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.cluster.ports import ClusterCapacity
from flyteplane.foundation.errors import Aborted
from flyteplane.scheduler.domain.failures import Failure, worker_failure
from flyteplane.scheduler.domain.phases import Phase


async def test_a_run_that_was_accepted_goes_on_after_a_restart(bench: Bench) -> None:
    key = await bench.submit(task())
    await bench.start()
    await bench.succeed("a0", b"v")
    assert await bench.phase(key) is Phase.SUCCEEDED


async def test_finished_children_are_not_run_again_after_a_restart(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    await bench.call("a0", "c1", task("env.child"), number=1)
    await bench.call("a0", "c2", task("env.child"), number=2)
    await bench.succeed("c1", b"one")
    await bench.start()
    assert sorted(action.name for _, action in bench.workers.placed) == ["a0", "c2"]
    lease = await bench.call("a0", "c1", task("env.child"), number=1)
    await settle()
    assert bench.results(lease) == [(1, Phase.SUCCEEDED, b"one")]
    await bench.call("a0", "c2", task("env.child"), number=2)
    await bench.succeed("c2", b"two")
    assert bench.results(lease)[-1] == (2, Phase.SUCCEEDED, b"two")


async def test_restarts_are_charged_to_nobody(bench: Bench) -> None:
    key = await bench.submit(task(retries=0))
    for _ in range(30):
        await bench.started("a0")
        await bench.start()
    await bench.succeed("a0")
    assert await bench.phase(key) is Phase.SUCCEEDED


async def test_leases_from_before_a_restart_are_refused(bench: Bench) -> None:
    key = await bench.submit(task())
    old = await bench.started("a0")
    await bench.start()
    assert bench.workers.lease_of("a0") > old
    await bench.say(old, ended={"outputs": {"inline": b"late"}})
    assert await bench.phase(key) is Phase.INITIALIZING


async def test_a_back_off_survives_a_restart(bench: Bench) -> None:
    spec = task(retries=1)
    spec.retries.backoff.base.seconds = 10
    spec.retries.backoff.factor = 1
    await bench.submit(spec)
    await bench.fail("a0")
    await bench.advance(4)
    await bench.start()
    assert not bench.workers.placed
    await bench.advance(6.1)
    assert len(bench.workers.placed) == 1


async def test_a_deadline_survives_a_restart(bench: Bench) -> None:
    key = await bench.submit(task(deadline=10))
    await bench.advance(6)
    await bench.start()
    await bench.advance(4.1)
    assert await bench.phase(key) is Phase.TIMED_OUT


async def test_the_event_log_has_no_gap_over_restarts(bench: Bench) -> None:
    key = await bench.submit(task())
    await bench.started("a0")
    await bench.start()
    await bench.started("a0")
    await bench.succeed("a0")
    events = [
        event async for message in bench.scheduler.watching.watch(key, from_sequence=0) for event in message.events
    ]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[0].header.task_name == "env.work"
    assert Phase(events[-1].phase) is Phase.SUCCEEDED


async def test_a_fenced_scheduler_can_write_nothing(bench: Bench) -> None:
    old = bench.scheduler
    await bench.submit(task())
    new = await bench.start()
    old.engine.lost(next(iter(old.engine.attempts)), _lost())
    await settle()
    assert isinstance(bench.failures.pop(), Aborted)
    assert new.engine.attempts
    await old.background.stop()


async def test_a_run_of_the_same_name_and_content_is_the_same_run(bench: Bench) -> None:
    await bench.submit(task())
    await bench.submit(task())
    assert len(bench.workers.placed) == 1


async def test_a_recovered_run_takes_over_what_succeeded(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    await bench.call("a0", "c1", task("env.child"), number=1)
    await bench.succeed("c1", b"kept")
    await bench.call("a0", "c2", task("env.child"), number=2)
    await bench.fail("c2")
    await bench.fail("a0")
    settings = RunSettings()
    settings.recover_from.project, settings.recover_from.domain, settings.recover_from.name = "project", "domain", "r1"
    await bench.submit(task("env.parent"), name="r2", settings=settings)
    lease = await bench.call("a0", "c1", task("env.child"), number=1)
    assert bench.results(lease) == [(1, Phase.SUCCEEDED, b"kept")]
    await bench.call("a0", "c2", task("env.child"), number=2)
    assert bench.workers.placed[-1][1].name == "c2"


def _lost() -> Failure:
    return worker_failure(exit_code=0, signal=9, out_of_memory=False, known=True, message="")


async def test_what_waits_is_admitted_beside_all_that_runs_on(bench: Bench) -> None:
    one_at_a_time = ClusterCapacity(cpu_millis=100, memory_bytes=0)
    bench.clusters = [MemoryCluster(name="local", capacity=one_at_a_time, outlives_owner=True)]
    await bench.start()
    spec = task(retries=1)
    spec.resources.cpu = "100m"
    early = await bench.submit(spec, name="early")
    late = await bench.submit(spec, name="late")
    await bench.fail("a0")
    await bench.advance(60)
    assert [action.run.key for _, action in bench.workers.placed] == [early, late]

    await bench.start()
    assert [attempt.action.run.key for attempt in bench.scheduler.engine.attempts.values()] == [late]
    assert bench.workers.placed == []
