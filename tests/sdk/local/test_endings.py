"""How local runs end, whatever user code does: nothing of them is left, and the next run works."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import flyte
import flyte.errors
from flyte.local.records import RunRecords, default_records_path
from flyte.models import ActionPhase

env = flyte.TaskEnvironment("endings")


@env.task
async def exits() -> None:
    sys.exit(4)


@env.task
def exits_synchronously() -> None:
    raise KeyboardInterrupt


@env.task
async def fine() -> int:
    return 1


@pytest.mark.parametrize(("task", "code"), [(exits, "SystemExit"), (exits_synchronously, "KeyboardInterrupt")])
def test_a_task_that_ends_the_program_ends_only_itself(task: Callable[[], None], code: str) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError) as caught:
        flyte.run(task)
    assert caught.value.code == code
    assert flyte.run(fine).outputs()[0] == 1


begun, ended = threading.Event(), threading.Event()


@env.task
async def endless() -> None:
    begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()


@env.task
async def leaves_a_child_behind() -> int:
    asyncio.get_running_loop().create_task(endless())
    await asyncio.to_thread(begun.wait, 30)
    return 1


def test_what_a_task_leaves_running_ends_with_it() -> None:
    begun.clear()
    ended.clear()
    assert flyte.run(leaves_a_child_behind).outputs()[0] == 1
    assert ended.wait(30)


async def test_a_run_that_is_cancelled_has_ended_when_its_caller_goes_on() -> None:
    begun.clear()
    ended.clear()
    run = asyncio.ensure_future(flyte.run.aio(endless))
    assert await asyncio.to_thread(begun.wait, 30)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert ended.is_set()
    assert RunRecords(default_records_path()).latest()[0].phase is ActionPhase.ABORTED


PROGRAM = """
import asyncio, pathlib, sys, time
import flyte

env = flyte.TaskEnvironment("interrupted")
here = pathlib.Path(__file__).parent

@env.task
async def child(n: int) -> None:
    (here / f"began{n}").touch()
    try:
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0.05)
        (here / f"ended{n}").touch()

@env.task
def blocking() -> None:
    (here / "began3").touch()
    while True:
        time.sleep(0.01)

@env.task
async def main() -> None:
    await asyncio.gather(*(child(n) for n in range(3)), blocking.aio())
"""


def test_ctrl_c_ends_everything_and_lets_tasks_clean_up(tmp_path: Path) -> None:
    program = tmp_path / "interrupted.py"
    program.write_text(PROGRAM)
    # A shell that starts the tests in its background has them ignore Ctrl-C, and so would what they start.
    heeding = ["env", "--default-signal=INT"]
    process = subprocess.Popen(
        [*heeding, str(Path(sys.executable).with_name("flyte")), "run", "--local", program.name, "main"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for number in range(4):
        _await_file(tmp_path / f"began{number}", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert all((tmp_path / f"ended{number}").exists() for number in range(3))
    (run,) = RunRecords(tmp_path / ".flyte" / "local-runs" / "runs.db").latest()
    assert run.phase is ActionPhase.ABORTED
    assert "interrupted" in run.error_message


def _await_file(path: Path, process: subprocess.Popen[str]) -> None:
    waited = threading.Event()
    for _ in range(6000):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        waited.wait(0.01)
    raise AssertionError(f"{path} did not appear")
