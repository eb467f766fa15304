"""Local runs are recorded, listed, and never fail because of it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

import flyte
from flyte.local.records import KEPT_RUNS, MAX_TEXT, RecordedRun, RunRecords, default_records_path, this_process
from flyte.models import ActionPhase

env = flyte.TaskEnvironment("recorded")


@env.task
async def half(n: int) -> int:
    if n % 2:
        raise ValueError(f"{n} is odd")
    return n // 2


def a_run(name: str, *, process: str | None = None) -> RecordedRun:
    return RecordedRun(
        name=name,
        task_name="recorded.half",
        project="p",
        domain="d",
        folder="/nowhere",
        process=this_process() if process is None else process,
        started_at=1.0,
    )


def test_runs_are_recorded_with_what_went_in_and_came_out() -> None:
    flyte.with_runcontext(name="even").run(half, 6)
    with pytest.raises(ValueError, match="7 is odd"):
        flyte.with_runcontext(name="odd").run(half, 7)
    odd, even = RunRecords(default_records_path()).latest()
    assert (even.name, even.phase, even.inputs, even.outputs) == (
        "even",
        ActionPhase.SUCCEEDED,
        "{'n': 6}",
        "{'o0': 3}",
    )
    assert (odd.name, odd.phase) == ("odd", ActionPhase.FAILED)
    assert (odd.error_code, odd.error_message) == ("ValueError", "7 is odd")
    assert even.ended_at is not None
    assert even.ended_at >= even.started_at
    assert default_records_path().stat().st_mode & 0o077 == 0


def test_a_run_whose_process_is_gone_was_aborted(tmp_path: Path) -> None:
    records = RunRecords(tmp_path / "runs.db")
    records.begin(a_run("mine"))
    records.begin(a_run("other", process=f"{os.getpid()}:1"))
    other, mine = records.latest()
    assert (mine.phase, other.phase) == (ActionPhase.RUNNING, ActionPhase.ABORTED)
    assert "process ended" in other.error_message


def test_records_are_cut_and_only_the_latest_are_kept(tmp_path: Path) -> None:
    records = RunRecords(tmp_path / "runs.db")
    numbers = [records.begin(a_run(f"r{number}")) for number in range(KEPT_RUNS + 2)]
    records.end(numbers[-1], phase=ActionPhase.SUCCEEDED, outputs="x" * (MAX_TEXT + 1))
    runs = records.latest(limit=2 * KEPT_RUNS)
    assert len(runs) == KEPT_RUNS
    assert len(runs[0].outputs) == MAX_TEXT + 3
    assert records.latest(name="r5")[0].name == "r5"


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(own_home: Path) -> None:
    (own_home / ".flyte").mkdir()
    (own_home / ".flyte" / "local-runs").write_text("a file where a folder should be")
    assert flyte.run(half, 4).outputs()[0] == 2


def test_a_broken_file_is_no_reason_to_fail(own_home: Path) -> None:
    path = default_records_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database" * 100)
    assert flyte.run(half, 4).outputs()[0] == 2
    with pytest.raises(sqlite3.DatabaseError):
        RunRecords(path).latest()
