"""`flyte get run --local`: the runs of this machine's user that needed no platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import rich_click as click

from flyte.cli.output import age, duration, print_details, print_json, print_table
from flyte.local.records import KEPT_RUNS, RecordedRun, RunRecords, default_records_path


@dataclass(frozen=True, slots=True)
class Choice:
    """Which runs are wanted; what is empty does not restrict."""

    phases: Sequence[str] = ()
    task_name: str | None = None
    project: str | None = None
    domain: str | None = None

    def includes(self, run: RecordedRun) -> bool:
        """Tell whether a run is wanted."""
        phases = {phase.upper() for phase in self.phases}
        return (
            (not phases or run.phase.name in phases)
            and self.task_name in (None, run.task_name)
            and self.project in (None, run.project)
            and self.domain in (None, run.domain)
        )


def show_runs(name: str | None, choice: Choice, *, limit: int, as_json: bool) -> None:
    """List runs, the newest first, or show the latest of one name. Raises ClickException if there is none."""
    records = RunRecords(default_records_path())
    if name is not None:
        latest = records.latest(limit=1, name=name)
        if not latest:
            raise click.ClickException(f"There is no local run {name}. The last {KEPT_RUNS} are kept.")
        _show(latest[0], as_json=as_json)
        return
    runs = [run for run in records.latest(limit=KEPT_RUNS) if choice.includes(run)][:limit]
    if as_json:
        print_json([_facts(run) for run in runs])
        return
    print_table(
        ("run", "task", "phase", "started", "took"),
        ((run.name, run.task_name, run.phase.name, age(_time(run.started_at)), _took(run)) for run in runs),
        empty="No local runs. Make one with `flyte run --local FILE TASK`.",
    )


def _show(run: RecordedRun, *, as_json: bool) -> None:
    facts = _facts(run)
    if not as_json:
        facts |= {"took": _took(run)}
        facts["started"] = f"{facts['started']:%Y-%m-%d %H:%M:%S} UTC ({age(facts['started'])})"
        del facts["ended"]
    (print_json if as_json else print_details)(facts)


def _facts(run: RecordedRun) -> dict[str, Any]:
    return {
        "run": run.name,
        "project": run.project,
        "domain": run.domain,
        "task": run.task_name,
        "phase": run.phase.name,
        "started": _time(run.started_at),
        "ended": None if run.ended_at is None else _time(run.ended_at),
        "inputs": run.inputs,
        "outputs": run.outputs,
        "error": f"{run.error_code}: {run.error_message}" if run.error_code else None,
        "folder": run.folder,
        "local": True,
    }


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _took(run: RecordedRun) -> str:
    return duration(None if run.ended_at is None else timedelta(seconds=run.ended_at - run.started_at))
