"""Runs that ended long ago are forgotten, with their output and, if the operator says so, their data."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.scheduler.harness import Bench, settle, task

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import NotFound
from flyteplane.objects import MemoryObjectStore
from flyteplane.scheduler.application.forgetting import ROUND_S, Forgetting
from flyteplane.scheduler.application.ports import FollowedLogs, RunKey
from flyteplane.scheduler.clients.run_objects import RunObjects
from flyteplane.scheduler.store.log_files import LogFiles
from flyteplane.scheduler.store.log_objects import LogObjects

KEEP_S = 86400.0
OLD, LATER = RunKey("project", "domain", "old"), RunKey("project", "domain", "old-and-later")


async def ended_run(bench: Bench, key: RunKey) -> None:
    await bench.submit(task(), name=key.name)
    await bench.succeed("a0")


@pytest.fixture(params=["files", "objects"])
def logs(request: pytest.FixtureRequest, tmp_path: Path) -> FollowedLogs:
    if request.param == "files":
        return LogFiles(tmp_path / "output")
    return LogObjects(MemoryObjectStore(clock=ManualClock()), clock=ManualClock())


def forgetting(bench: Bench, logs: FollowedLogs, *, objects: MemoryObjectStore | None = None) -> Forgetting:
    return Forgetting(
        records=bench.scheduler.records,
        logs=logs,
        data=RunObjects(objects) if objects is not None else None,
        admin_follows=lambda: bench.scheduler.run_phases.followed,
        clock=bench.clock,
        keep_s=KEEP_S,
    )


async def test_what_belongs_to_an_old_run_goes_and_nothing_else(bench: Bench, logs: FollowedLogs) -> None:
    objects = MemoryObjectStore(clock=ManualClock())
    await ended_run(bench, OLD)
    await bench.advance(KEEP_S)
    await ended_run(bench, LATER)
    await bench.submit(task(), name="living")
    for key in (OLD, LATER):
        logs.append(key, "a0", 1, b"said")
        logs.notify(key, "a0")
        await objects.put(f"data/{key}/a0/1/file", b"content")
    await settle()
    await bench.advance(1.0)
    assert await forgetting(bench, logs, objects=objects).round() == 1
    with pytest.raises(NotFound):
        await bench.scheduler.queries.get(OLD, "a0")
    assert (await bench.scheduler.queries.get(LATER, "a0")).action.phase
    assert [info.key for info in (await objects.list("")).objects] == [f"data/{LATER}/a0/1/file"]
    assert await logs.read(OLD, "a0", 1, offset=0, limit=9) == b""
    assert await logs.read(LATER, "a0", 1, offset=0, limit=9) == b"said"
    # The name is free again.
    await ended_run(bench, OLD)
    await logs.close()


async def test_nothing_is_forgotten_while_admin_is_away_or_has_just_come_back(bench: Bench, tmp_path: Path) -> None:
    await ended_run(bench, OLD)
    await ended_run(bench, LATER)
    await bench.advance(2 * KEEP_S)
    keeping = asyncio.create_task(forgetting(bench, LogFiles(tmp_path)).run())
    await settle()
    await bench.advance(ROUND_S)
    admin = asyncio.ensure_future(anext(aiter(bench.scheduler.run_phases.watch(after=1 << 40))))
    await settle()
    await bench.advance(ROUND_S)
    assert await bench.scheduler.records.run(OLD) is not None
    await bench.advance(ROUND_S)
    async with asyncio.timeout(30):
        while await bench.scheduler.records.run(OLD) is not None:
            await asyncio.to_thread(lambda: None)  # Output is removed in a thread before.
    for ended in (keeping, admin):
        ended.cancel()
    await asyncio.gather(keeping, admin, return_exceptions=True)
