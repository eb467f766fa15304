"""Recorded calls of traced functions: kept with the action and given back to its next attempt."""

from tests.scheduler.harness import Bench, task

from flyteapi.scheduler.v1.worker_service_pb2 import TraceRecord
from flyteplane.scheduler.application import orders


def _given(bench: Bench, name: str) -> list[str]:
    action = next(action for _, action in reversed(bench.workers.placed) if action.name == name)
    return [record.name for record in orders.assign(action).traces]


async def test_a_retried_attempt_is_given_what_was_recorded(bench: Bench) -> None:
    await bench.submit(task(retries=1))
    lease = await bench.started("a0")
    for name in ("first", "second"):
        await bench.say(lease, trace=TraceRecord(name=name))
    await bench.fail("a0")
    await bench.advance(60)
    assert _given(bench, "a0") == ["first", "second"]


async def test_records_survive_a_restart_and_go_on_growing(bench: Bench) -> None:
    await bench.submit(task())
    lease = await bench.started("a0")
    await bench.say(lease, trace=TraceRecord(name="before"))
    await bench.start()
    assert _given(bench, "a0") == ["before"]
    await bench.say(bench.workers.lease_of("a0"), trace=TraceRecord(name="after"))
    await bench.start()
    assert _given(bench, "a0") == ["before", "after"]


async def test_a_record_under_an_old_lease_is_not_kept(bench: Bench) -> None:
    await bench.submit(task())
    old = await bench.started("a0")
    await bench.start()
    await bench.say(old, trace=TraceRecord(name="late"))
    await bench.start()
    assert _given(bench, "a0") == []
