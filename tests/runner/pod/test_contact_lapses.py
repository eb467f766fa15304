"""An agent that hears from nobody kills its task in time, also if it was stopped itself, and says nothing more."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runner.owner import encode
from tests.runner.pod.conftest import Pod, StartPod
from tests.support.worker_owner import Listener, WorkerOwner

from flyteplane.cluster.ports import CONTACT_MARGIN_S

Bundle = Callable[[str], str]

CONTACT_S = 2.5
OUT_OF_CONTACT = 75
#: Three processes that leave a mark every few milliseconds: the worker, a child, and one with a session of its own.
MARKS = (
    "import subprocess\n"
    "MARK = 'import os, sys, time\\nwhile True:\\n    os.utime(sys.argv[1]); time.sleep(0.01)'\n"
    "@env.task\n{kind} f(folder: str) -> None:\n"
    "    for name in ('worker', 'child', 'session'):\n        open(f'{folder}/{name}', 'w').close()\n"
    "    subprocess.Popen([sys.executable, '-c', MARK, f'{folder}/child'])\n"
    "    subprocess.Popen([sys.executable, '-c', MARK, f'{folder}/session'], start_new_session=True)\n"
    "    while True:\n        os.utime(f'{folder}/worker')\n        {pause}\n"
)
ASYNCHRONOUS = MARKS.replace("{kind}", "async def").replace("{pause}", "await asyncio.sleep(0.01)")
SYNCHRONOUS = MARKS.replace("{kind}", "def").replace("{pause}", "time.sleep(0.01)")


async def marks_of(owner: WorkerOwner, folder: Path) -> list[Path]:
    """The marks, once all three processes leave them."""
    await owner.until(lambda: owner.said("started"))
    marks = [folder / name for name in ("worker", "child", "session")]
    await asyncio.sleep(0.4)
    assert not await nothing_moves(marks)
    return marks


async def nothing_moves(marks: list[Path]) -> bool:
    before = [mark.stat().st_mtime_ns for mark in marks]
    await asyncio.sleep(0.1)
    return before == [mark.stat().st_mtime_ns for mark in marks]


def last_mark(marks: list[Path]) -> float:
    """When the last of them was left, by the wall clock."""
    return max(mark.stat().st_mtime for mark in marks)


@pytest.mark.parametrize(("source", "is_async"), [(ASYNCHRONOUS, True), (SYNCHRONOUS, False)])
async def test_silence_kills_the_whole_task_in_time(
    owner: WorkerOwner,
    listener: Listener,
    start_pod: StartPod,
    bundle: Bundle,
    tmp_path: Path,
    source: str,
    is_async: bool,
) -> None:
    owner.assign("f", encode(folder=str(tmp_path)), bundle=bundle(source), is_async=is_async)
    pod = await start_pod(listener.address, contact_s=CONTACT_S)
    marks = await marks_of(owner, tmp_path)
    await listener.stop()
    silent_since = time.time()
    assert await pod.exit_code() == OUT_OF_CONTACT
    assert await nothing_moves(marks)
    assert last_mark(marks) < silent_since + CONTACT_S + CONTACT_MARGIN_S, "before another is given the attempt"
    assert b"no scheduler has answered for 2.5 s" in pod.stderr
    assert not owner.said("ended")


async def test_answers_that_come_too_late_extend_nothing(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    owner.assign("f", encode(folder=str(tmp_path)), bundle=bundle(ASYNCHRONOUS))
    pod = await start_pod(listener.address, contact_s=CONTACT_S)
    marks = await marks_of(owner, tmp_path)
    owner.answer_heartbeats = False
    assert await pod.exit_code() == OUT_OF_CONTACT
    assert await nothing_moves(marks)


async def test_an_agent_that_was_stopped_past_its_contact_says_nothing_when_it_goes_on(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    owner.assign("f", encode(folder=str(tmp_path)), bundle=bundle(ASYNCHRONOUS))
    pod = await start_pod(listener.address, contact_s=CONTACT_S)
    marks = await marks_of(owner, tmp_path)
    pod.signal(signal.SIGSTOP)
    stopped_at = time.time()
    await asyncio.sleep(CONTACT_S + 0.5)
    # The worker ends itself, while its agent cannot.
    async with asyncio.timeout(20):
        while not await nothing_moves(marks[:1]):
            pass
    assert last_mark(marks[:1]) < stopped_at + CONTACT_S + CONTACT_MARGIN_S, "before another is given the attempt"
    heard, heartbeats = len(owner.reports), owner.heartbeats
    pod.signal(signal.SIGCONT)
    assert await pod.exit_code() == OUT_OF_CONTACT
    assert await nothing_moves(marks)
    assert (len(owner.reports), owner.heartbeats) == (heard, heartbeats)


async def test_a_result_that_came_while_the_agent_was_stopped_for_too_long_is_not_told(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "go"
    source = (
        "@env.task\nasync def f(path: str) -> int:\n"
        "    while not os.path.exists(path):\n        await asyncio.sleep(0.01)\n    return 1\n"
    )
    owner.assign("f", encode(path=str(path)), bundle=bundle(source))
    pod: Pod = await start_pod(listener.address, contact_s=CONTACT_S)
    await owner.until(lambda: owner.said("started"))
    await asyncio.sleep(0.3)
    pod.signal(signal.SIGSTOP)
    path.touch()
    await asyncio.sleep(CONTACT_S + 0.3)
    pod.signal(signal.SIGCONT)
    assert await pod.exit_code() == OUT_OF_CONTACT
    assert not owner.said("ended")
