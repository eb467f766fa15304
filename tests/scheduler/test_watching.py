"""Watching a run: in order, without a gap, resumable, bounded."""

import asyncio

import pytest
from tests.scheduler.harness import Bench, settle, task

from flyteapi.common.v1.error_pb2 import ErrorKind, TaskError
from flyteapi.scheduler.v1.scheduler_service_pb2 import WatchRunResponse
from flyteapi.scheduler.v1.worker_service_pb2 import ReportUpdate
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.foundation.errors import NotFound
from flyteplane.scheduler.application import watch
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.domain.phases import Phase


async def _all(bench: Bench, key: RunKey, *, after: int = 0) -> list[WatchRunResponse]:
    return [message async for message in bench.scheduler.watching.watch(key, from_sequence=after)]


async def test_a_live_watch_gives_every_event_once_and_ends_with_the_run(bench: Bench) -> None:
    key = await bench.submit(task())
    watching = asyncio.ensure_future(_all(bench, key))
    await bench.started("a0")
    await bench.succeed("a0", b"v")
    messages = await watching
    events = [event for message in messages for event in message.events]
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert [Phase(event.phase) for event in events] == [
        Phase.QUEUED,
        Phase.INITIALIZING,
        Phase.RUNNING,
        Phase.SUCCEEDED,
    ]
    assert events[-1].outputs.inline == b"v"
    assert messages[-1].ended


async def test_an_end_that_says_that_the_attempt_began_tells_of_both(bench: Bench) -> None:
    key = await bench.submit(task(retries=1))
    watching = asyncio.ensure_future(_all(bench, key))
    error = TaskError(kind=ErrorKind.ERROR_KIND_USER, code="ValueError", recoverable=True)
    await bench.say(bench.workers.lease_of("a0"), ended={"error": error, "began": True})
    await bench.advance(60.0)
    await bench.say(bench.workers.lease_of("a0"), ended={"outputs": Payload(inline=b"v"), "began": True})
    phases = [Phase(event.phase) for message in await watching for event in message.events]
    attempt = [Phase.QUEUED, Phase.INITIALIZING, Phase.RUNNING]
    assert phases == [*attempt, *attempt, Phase.SUCCEEDED]
    action = await bench.scheduler.queries.get(key, "a0")
    assert [bool(tried.started_at.seconds) for tried in action.attempts] == [True, True]


async def test_a_report_that_is_written_is_told_to_who_watches_or_comes_later_and_is_no_event(bench: Bench) -> None:
    key = await bench.submit(task())
    await bench.started("a0")
    early = asyncio.ensure_future(_all(bench, key))
    only_root = bench.scheduler.watching.watch(key, from_sequence=1, root_only=True)
    of_root = asyncio.ensure_future(anext(only_root))
    await settle()
    await bench.say(bench.workers.lease_of("a0"), report_update=ReportUpdate(uri="file:///report.html"))
    late = asyncio.ensure_future(_all(bench, key, after=4))
    await settle()
    assert not (await of_root).reports
    await only_root.aclose()  # type: ignore[attr-defined]  # a generator
    await bench.succeed("a0")
    for messages, events in ((await early, 4), (await late, 1)):
        assert [name for message in messages for name in message.reports] == ["a0"]
        assert sum(len(message.events) for message in messages) == events


async def test_a_watch_resumes_from_any_sequence(bench: Bench) -> None:
    key = await bench.submit(task())
    await bench.started("a0")
    watching = asyncio.ensure_future(_all(bench, key, after=3))
    await settle()
    await bench.succeed("a0")
    assert [event.sequence for message in await watching for event in message.events] == [3, 4]


async def test_a_run_that_has_ended_is_read_from_the_store(bench: Bench) -> None:
    key = await bench.submit(task())
    await bench.succeed("a0")
    assert key not in bench.scheduler.engine.runs
    messages = await _all(bench, key)
    assert [event.sequence for message in messages for event in message.events] == [1, 2, 3]
    assert messages[-1].ended


async def test_a_watch_that_begins_after_a_restart_has_no_gap(bench: Bench) -> None:
    key = await bench.submit(task())
    await bench.started("a0")
    await bench.start()
    watching = asyncio.ensure_future(_all(bench, key))
    await settle()
    await bench.succeed("a0")
    sequences = [event.sequence for message in await watching for event in message.events]
    assert sequences == list(range(1, len(sequences) + 1))


async def test_a_reader_that_is_too_slow_is_told_to_resync(bench: Bench) -> None:
    watcher = watch.Watcher()
    key = await bench.submit(task())
    run = bench.scheduler.engine.runs[key]
    run.watchers.add(watcher)
    events = list(run.recent) * (watch.MOST_WAITING + 1)
    watcher.publish(events)
    assert watcher.overrun
    assert await watcher.take() == []


async def test_a_reader_that_goes_away_is_forgotten(bench: Bench) -> None:
    key = await bench.submit(task())
    stream = bench.scheduler.watching.watch(key, from_sequence=0)
    await anext(stream)
    run = bench.scheduler.engine.runs[key]
    assert len(run.watchers) == 1
    await stream.aclose()  # type: ignore[attr-defined]
    assert not run.watchers


async def test_an_unknown_run_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound):
        await _all(bench, RunKey("project", "domain", "none"))
