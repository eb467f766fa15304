"""Attempts: budgets, fencing, timeouts, and what a lost worker means."""

import pytest
from tests.scheduler.harness import Bench, task

from flyteplane.scheduler.domain.failures import Failure, FailureKind, worker_failure
from flyteplane.scheduler.domain.phases import Phase


def _killed() -> Failure:
    return worker_failure(exit_code=0, signal=9, out_of_memory=False, known=True, message="")


async def test_a_run_succeeds_with_what_its_root_returned(bench: Bench) -> None:
    key = await bench.submit(task())
    lease = await bench.started("a0")
    assert await bench.phase(key) is Phase.RUNNING
    await bench.succeed("a0", b"42")
    assert await bench.phase(key) is Phase.SUCCEEDED
    assert (await bench.scheduler.queries.data(key, "a0")).outputs.inline == b"42"
    assert bench.workers.kinds(lease)[-1] == "end_accepted"
    assert bench.workers.ended == [lease]


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_retries_are_attempts_after_the_first(bench: Bench, retries: int) -> None:
    key = await bench.submit(task(retries=retries))
    for _ in range(retries):
        await bench.started("a0")
        await bench.fail("a0")
        assert await bench.phase(key) is Phase.QUEUED
        await bench.advance(60)
    await bench.started("a0")
    await bench.fail("a0")
    assert await bench.phase(key) is Phase.FAILED
    assert len(bench.workers.placed) == retries + 1


async def test_a_retry_waits_for_its_back_off(bench: Bench) -> None:
    spec = task(retries=2)
    spec.retries.backoff.base.seconds = 10
    spec.retries.backoff.factor = 1.0
    await bench.submit(spec)
    await bench.started("a0")
    await bench.fail("a0")
    await bench.advance(9.9)
    assert len(bench.workers.placed) == 1
    await bench.advance(0.2)
    assert len(bench.workers.placed) == 2


async def test_an_error_that_is_not_recoverable_ends_at_once(bench: Bench) -> None:
    key = await bench.submit(task(retries=5))
    await bench.started("a0")
    await bench.fail("a0", recoverable=False)
    assert await bench.phase(key) is Phase.FAILED


async def test_losses_of_workers_do_not_use_up_retries(bench: Bench) -> None:
    key = await bench.submit(task(retries=1))
    for _ in range(3):
        bench.scheduler.engine.lost(bench.workers.lease_of("a0"), _killed())
        await bench.advance(60)
    await bench.fail("a0")
    await bench.advance(60)
    assert await bench.phase(key) is Phase.INITIALIZING
    await bench.succeed("a0")
    assert await bench.phase(key) is Phase.SUCCEEDED


async def test_a_task_that_kills_its_workers_ends(bench: Bench) -> None:
    key = await bench.submit(task(retries=0))
    for _ in range(4):
        assert not (await bench.phase(key)).terminal
        bench.scheduler.engine.lost(bench.workers.lease_of("a0"), _killed())
        await bench.advance(60)
    assert await bench.phase(key) is Phase.FAILED
    error = (await bench.scheduler.queries.get(key, "a0")).action.error
    assert "signal 9" in error.message
    assert "4 times" in error.message


async def test_a_worker_that_exits_is_a_failure_of_the_task(bench: Bench) -> None:
    key = await bench.submit(task())
    exit_3 = worker_failure(exit_code=3, signal=0, out_of_memory=False, known=True, message="")
    assert exit_3.kind is FailureKind.USER
    bench.scheduler.engine.lost(bench.workers.lease_of("a0"), exit_3)
    await bench.advance(0)
    assert await bench.phase(key) is Phase.FAILED


async def test_reports_under_an_old_lease_have_no_effect(bench: Bench) -> None:
    key = await bench.submit(task(retries=1))
    old = await bench.started("a0")
    bench.scheduler.engine.lost(old, _killed())
    await bench.advance(60)
    new = await bench.started("a0")
    assert new != old
    await bench.say(old, ended={"outputs": {"inline": b"late"}})
    assert bench.workers.kinds(old)[-1] == "lease_revoked"
    assert await bench.phase(key) is Phase.RUNNING
    await bench.succeed("a0", b"right")
    assert (await bench.scheduler.queries.data(key, "a0")).outputs.inline == b"right"


async def test_a_report_that_is_repeated_counts_once(bench: Bench) -> None:
    key = await bench.submit(task())
    lease = await bench.succeed("a0", b"first")
    await bench.say(lease, ended={"outputs": {"inline": b"second"}})
    assert (await bench.scheduler.queries.data(key, "a0")).outputs.inline == b"first"


async def test_max_runtime_bounds_each_attempt_and_is_charged_to_retries(bench: Bench) -> None:
    key = await bench.submit(task(retries=1, max_runtime=5))
    for _ in range(2):
        lease = await bench.started("a0")
        await bench.advance(4.9)
        assert await bench.phase(key) is Phase.RUNNING
        await bench.advance(0.2)
        assert lease in bench.workers.stopped
        await bench.advance(1)
    assert await bench.phase(key) is Phase.TIMED_OUT
    assert (await bench.scheduler.queries.get(key, "a0")).action.error.code == "MaxRuntimeExceededError"


async def test_the_deadline_ends_the_action_whatever_is_left(bench: Bench) -> None:
    key = await bench.submit(task(retries=9, deadline=7))
    await bench.started("a0")
    await bench.advance(3)
    await bench.fail("a0")
    await bench.advance(4.1)
    assert await bench.phase(key) is Phase.TIMED_OUT


async def test_max_queued_time_bounds_the_wait(bench: Bench) -> None:
    key = await bench.submit(task(max_queued_time=5))
    await bench.advance(5.1)
    assert await bench.phase(key) is Phase.TIMED_OUT


async def test_a_timeout_that_comes_after_success_has_no_effect(bench: Bench) -> None:
    key = await bench.submit(task(max_runtime=5))
    await bench.started("a0")
    await bench.succeed("a0")
    await bench.advance(10)
    assert await bench.phase(key) is Phase.SUCCEEDED


async def test_attempts_are_kept_with_their_failures(bench: Bench) -> None:
    key = await bench.submit(task(retries=1))
    await bench.started("a0")
    await bench.fail("a0")
    await bench.advance(60)
    await bench.started("a0")
    await bench.succeed("a0")
    attempts = (await bench.scheduler.queries.get(key, "a0")).attempts
    assert [(attempt.attempt, Phase(attempt.phase)) for attempt in attempts] == [
        (1, Phase.FAILED),
        (2, Phase.SUCCEEDED),
    ]
    assert attempts[0].error.message == "boom"
