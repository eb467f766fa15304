"""Background tasks never die in silence."""

from __future__ import annotations

import asyncio

from tests.support.log_lines import LogLines

from flyteplane.foundation.tasks import BackgroundTasks


async def fail() -> None:
    raise ValueError("broken")


async def test_a_failed_task_is_logged_and_reported_once(log_lines: LogLines) -> None:
    failures: list[tuple[str, BaseException]] = []
    async with BackgroundTasks("cache", on_failure=lambda name, error: failures.append((name, error))) as tasks:
        task = tasks.start(fail(), name="sweep")
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert [(name, str(error)) for name, error in failures] == [("cache.sweep", "broken")]
    (line,) = log_lines.all("background_task_failed")
    assert line["task"] == "cache.sweep"
    assert "ValueError" in line["exception"]


async def test_tasks_that_end_well_are_forgotten() -> None:
    failures: list[str] = []
    tasks = BackgroundTasks("cache", on_failure=lambda name, _: failures.append(name))
    await tasks.start(asyncio.sleep(0), name="short")
    await asyncio.sleep(0)
    assert len(tasks) == 0
    assert failures == []


async def test_stopping_cancels_and_waits_for_what_runs() -> None:
    ended = []

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    failures: list[str] = []
    tasks = BackgroundTasks("cache", on_failure=lambda name, _: failures.append(name))
    for number in range(3):
        tasks.start(run(), name=str(number))
    await asyncio.sleep(0)
    await tasks.stop()
    assert ended == [True] * 3
    assert failures == []
    await tasks.stop()


async def test_a_task_that_fails_while_stopping_is_still_reported() -> None:
    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("in the end")

    failures: list[str] = []
    tasks = BackgroundTasks("cache", on_failure=lambda name, _: failures.append(name))
    tasks.start(run(), name="x")
    await asyncio.sleep(0)
    await tasks.stop()
    assert failures == ["cache.x"]
