"""Judges a history of the scheduler by what became durable, and by what was said before it was.

It knows nothing of how the scheduler works: it reads the rows and events of each commit, in order, and what workers
were told in between. Every breach of a promise becomes one line of `mistakes`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flyteapi.common.v1.error_pb2 import TaskError
from flyteapi.scheduler.v1.event_pb2 import Event, EventBatch
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.ports import ActionRow
from flyteplane.scheduler.domain.failures import FailureKind
from flyteplane.scheduler.domain.phases import ROOT, CacheStatus, Phase

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult
    from flyteplane.scheduler.application.ports import Changes, RunKey, RunRow, SegmentRow

_FIRST_MUTABLE = ActionRow._fields.index("phase")
#: Written down here once more, so that a change of the promise is noticed.
KILLED_BUDGET, SYSTEM_BUDGET = 3, 20
_BEFORE_RUNNING = (Phase.WAITING_FOR_RESOURCES, Phase.INITIALIZING)
_SYSTEM = FailureKind.SYSTEM.value
_CHARGED = (FailureKind.USER.value, FailureKind.TIMEOUT.value)


@dataclass(slots=True)
class Progress:
    """An action, as far as its events have told."""

    phase: Phase = Phase.QUEUED
    attempt: int = 0
    charged: int = 0
    """Failures of the task that the log shows."""
    system: int = 0
    killed: int = 0
    since: float = 0.0
    """Time of the last event."""
    queued: float = 0.0
    """Time of the event with which the present wait began."""


_LIMITS = {
    "MaxRuntimeExceededError": "max_runtime",
    "MaxQueuedTimeExceededError": "max_queued_time",
    "DeadlineExceededError": "deadline",
}


class Checker:
    """Follows one store over the lives of all its schedulers."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.jumped = False
        """The wall clock was set: times in the log cannot be compared."""
        self.specs: dict[bytes, TaskSpec] = {}
        self.runs: dict[int, RunRow] = {}
        self.run_ids: dict[RunKey, int] = {}
        self.rows: dict[tuple[int, str], ActionRow] = {}
        self.names: dict[tuple[int, int], str] = {}
        self.log: dict[int, list[Event]] = defaultdict(list)
        self.progress: dict[tuple[int, str], Progress] = {}
        self.phases: list[tuple[RunKey, int]] = []
        """Phases of runs in the order in which they were stored."""
        self.traces: dict[tuple[int, str], list[bytes]] = defaultdict(list)
        self._leases: set[int] = set()
        self._answered: Counter[tuple[int, int]] = Counter()

    def expect(self, holds: object, mistake: str) -> None:
        """Notes the mistake unless it holds."""
        if not holds:
            self.mistakes.append(mistake)

    def row(self, run: RunKey, action: str) -> ActionRow | None:
        """The durable row of an action."""
        run_id = self.run_ids.get(run)
        return None if run_id is None else self.rows.get((run_id, action))

    # --- what is written --------------------------------------------------------------------------------------------

    def durable(self, changes: Changes) -> None:
        """A commit."""
        for digest, spec in changes.tasks:
            self.specs[digest] = TaskSpec.FromString(spec)
        for run in changes.runs:
            self.expect(run.id not in self.runs and run.key not in self.run_ids, f"run {run.key} was accepted twice")
            self.runs[run.id] = replace(run)
            self.run_ids[run.key] = run.id
        for row in changes.inserted:
            self._inserted(row)
        for row in changes.updated:
            self._updated(row)
        for segment in changes.segments:
            self._segment(segment)
        for trace in changes.traces:
            recorded = self.traces[trace.run_id, self.names[trace.run_id, trace.ordinal]]
            recorded.append(trace.record)
            self.expect(len(recorded) == trace.position, f"trace {trace.position} was stored as {len(recorded)}")
        for run in changes.run_phases:
            self.runs[run.id] = replace(run)
            self.phases.append((run.key, run.phase))
        touched = {row.run_id for row in (*changes.inserted, *changes.updated)}
        for row in (*changes.inserted, *changes.updated):
            self._row_agrees_with_log(self.rows[row.run_id, row.name])
        for run_id in touched | {run.id for run in (*changes.runs, *changes.run_phases)}:
            self._run_agrees_with_root(run_id)

    def _inserted(self, row: ActionRow) -> None:
        self.expect((row.run_id, row.name) not in self.rows, f"{row.name} was inserted twice")
        self.expect(row.task_digest in self.specs, f"{row.name} was stored without its task")
        self.rows[row.run_id, row.name] = row
        self.names[row.run_id, row.ordinal] = row.name

    def _updated(self, row: ActionRow) -> None:
        before = self.rows.get((row.run_id, row.name))
        if before is None:
            self.mistakes.append(f"{row.name} was updated before it was inserted")
            return
        row = before._replace(**{name: getattr(row, name) for name in ActionRow._fields[_FIRST_MUTABLE:]})
        if Phase(before.phase).terminal:
            changed = [name for name in row._fields if getattr(row, name) != getattr(before, name)]
            self.expect(changed in ([], ["cache_status"]), f"{row.name} has ended and still changed: {changed}")
        for name in ("attempt", "task_failures", "system_failures", "killed"):
            self.expect(getattr(row, name) >= getattr(before, name), f"{name} of {row.name} went back")
        self.rows[row.run_id, row.name] = row

    def _segment(self, segment: SegmentRow) -> None:
        log = self.log[segment.run_id]
        events = EventBatch.FromString(segment.batch).events
        sequences = [event.sequence for event in events]
        due = list(range(len(log) + 1, len(log) + 1 + len(events)))
        self.expect(sequences == due, f"events {sequences} were stored where {due} were due")
        self.expect(
            (segment.first_sequence, segment.last_sequence) == (sequences[0], sequences[-1]), "a segment's bounds"
        )
        for event in events:
            log.append(event)
            self._event(segment.run_id, event)

    def _event(self, run_id: int, event: Event) -> None:
        key, phase = (run_id, event.action), Phase(event.phase)
        told = self.progress.get(key)
        if told is None:
            self.expect(phase is Phase.QUEUED and not event.attempt and event.HasField("header"), "a first event")
            self.progress[key] = Progress(since=_seconds(event), queued=_seconds(event))
            return
        step = f"{event.action}: {told.phase.name} of attempt {told.attempt} to {phase.name} of {event.attempt}"
        self.expect(not told.phase.terminal, f"{step}: it had ended")
        self.expect(not event.HasField("header"), f"{step}: introduced twice")
        if phase in _BEFORE_RUNNING:
            placed = not told.phase.placed and event.attempt == told.attempt + 1
            on_its_way = told.phase in _BEFORE_RUNNING and event.attempt == told.attempt and phase >= told.phase
            self.expect(placed or on_its_way, step)
        elif phase is Phase.RUNNING:
            self.expect(told.phase in _BEFORE_RUNNING and event.attempt == told.attempt, step)
        else:
            self.expect(event.attempt == told.attempt, step)
        if phase is Phase.QUEUED:
            self._charge(run_id, told, event, step)
        elif phase in (Phase.FAILED, Phase.TIMED_OUT):
            self._gave_up(run_id, told, event, step)
        if event.error.code in _LIMITS and not self.jumped:
            self._timed_out(self.specs[self.rows[run_id, event.action].task_digest], told, event, step)
        told.phase, told.attempt, told.since = phase, event.attempt, _seconds(event)
        if phase is Phase.QUEUED:
            told.queued = told.since

    def _timed_out(self, spec: TaskSpec, told: Progress, event: Event, step: str) -> None:
        which = _LIMITS[event.error.code]
        since = told.queued if which == "max_queued_time" else told.since
        limit, passed = getattr(spec.timeouts, which).seconds, _seconds(event) - since
        if which != "deadline":
            self.expect(passed >= limit - 0.01, f"{step}: {which} of {limit} s after {passed} s")
        if which == "max_runtime":
            self.expect(told.phase is Phase.RUNNING, f"{step}: {which} of an attempt that does not run")

    def _charge(self, run_id: int, told: Progress, event: Event, step: str) -> None:
        """An attempt failed and the action goes on: some budget must have allowed it."""
        error = event.error
        self.expect(event.HasField("error") and error.recoverable, f"{step}: without a failure that allows it")
        if error.kind in _CHARGED:
            told.charged += 1
            retries = self._retries(run_id, event.action)
            self.expect(told.charged <= retries, f"{step}: retry {told.charged} of {retries}")
        elif error.code != "PLATFORM_RESTARTED":
            told.system += 1
            told.killed += bool(error.signal)
            within = told.killed <= KILLED_BUDGET if error.signal else told.system <= SYSTEM_BUDGET
            self.expect(within, f"{step}: placed again after {error.code} for the {told.system}th time")

    def _gave_up(self, run_id: int, told: Progress, event: Event, step: str) -> None:
        error = event.error
        self.expect(event.HasField("error"), f"{step}: without a failure")
        if error.kind in _CHARGED:
            told.charged += 1
        elif error.kind == _SYSTEM:
            spent = told.killed == KILLED_BUDGET if error.signal else told.system == SYSTEM_BUDGET
            self.expect(spent, f"{step}: gave up with {error.code} after {told.system}")

    def _retries(self, run_id: int, action: str) -> int:
        return self.specs[self.rows[run_id, action].task_digest].retries.count

    # --- what has to agree ------------------------------------------------------------------------------------------

    def _row_agrees_with_log(self, row: ActionRow) -> None:
        told = self.progress.get((row.run_id, row.name))
        if told is None:
            self.mistakes.append(f"{row.name} was stored without an event")
            return
        spec, failure = self.specs[row.task_digest], wire.failure_of(row.error)
        same = (row.phase, row.attempt) == (told.phase, told.attempt)
        self.expect(same, f"{row.name} is stored as {row.phase} of {row.attempt}, its log says {told}")
        # A wait that took too long is charged without an event: the phase stays QUEUED.
        silent = spec.timeouts.HasField("max_queued_time")
        charged = row.task_failures == told.charged or (silent and row.task_failures >= told.charged)
        self.expect(charged, f"{row.name} is charged with {row.task_failures} failures, its log shows {told.charged}")
        if not told.phase.terminal:
            self.expect(row.task_failures <= spec.retries.count, f"{row.name} goes on after {row.task_failures}")
        elif failure is not None and failure.recoverable and failure.kind in _CHARGED:
            self.expect(row.task_failures == spec.retries.count + 1, f"{row.name} ended after {row.task_failures}")
        elif told.phase is Phase.SUCCEEDED:
            self.expect(row.outputs is not None and failure is None, f"{row.name} succeeded without outputs")
            self.expect(row.task_failures <= spec.retries.count, f"{row.name} succeeded after {row.task_failures}")

    def _run_agrees_with_root(self, run_id: int) -> None:
        run, root = self.runs.get(run_id), self.rows.get((run_id, ROOT))
        if run is None or root is None:
            self.mistakes.append(f"run {run_id} has no row or no root")
            return
        ended = Phase(root.phase).terminal
        self.expect(Phase(run.phase).terminal == ended, f"run {run.key} is {run.phase}, its root {root.phase}")
        if ended:
            self.expect(run.phase == root.phase, f"run {run.key} ended as {run.phase}, its root as {root.phase}")
            living = [row.name for row in self._actions(run_id) if not Phase(row.phase).terminal]
            self.expect(not living, f"run {run.key} has ended, but not {living}")

    def _actions(self, run_id: int) -> list[ActionRow]:
        return [row for (owner, _), row in self.rows.items() if owner == run_id]

    # --- what is said -----------------------------------------------------------------------------------------------

    def placed(self, run: RunKey, action: str, lease: int) -> None:
        """A worker was asked for."""
        self.expect(lease not in self._leases, f"lease {lease:x} was given out twice")
        self._leases.add(lease)
        row = self.row(run, action)
        self.expect(row is None or not Phase(row.phase).terminal, f"{action} has ended and was placed again")

    def result(self, lease: int, run: RunKey, child: str, result: ActionResult) -> None:
        """A parent was given a result."""
        self._answered[lease, result.call] += 1
        self.expect(self._answered[lease, result.call] == 1, f"call {result.call} of {lease:x} was answered twice")
        if not result.phase:
            self.expect(result.HasField("error"), f"call {result.call} was refused without a reason")
            return
        row = self.row(run, child)
        if row is None or row.phase != result.phase:
            self.mistakes.append(f"{child} was answered with {result.phase} before that was durable: {row}")
        elif row.phase == Phase.SUCCEEDED:
            same = wire.payload(row.outputs) == result.outputs
            self.expect(same, f"the outputs of {child} are {row.outputs!r}, its parent got {result.outputs!r}")
        else:
            self.expect(TaskError.FromString(row.error) == result.error, f"the error of {child}")

    def end_accepted(self, run: RunKey, action: str, attempt: int) -> None:
        """A worker was told that the end of its attempt is durable."""
        row = self.row(run, action)
        over = row is not None and (Phase(row.phase).terminal or len(wire.history_of(row.history)) >= attempt)
        self.expect(over, f"the end of attempt {attempt} of {action} was accepted before it was durable")

    def accepted(self, run: RunKey) -> None:
        """Admin was told that a run is durable."""
        self.expect(run in self.run_ids, f"run {run} was acknowledged before it was durable")

    def aborted(self, run: RunKey, action: str, phase: Phase) -> None:
        """Somebody was told that an abort is durable."""
        row = self.row(run, action)
        same = row is not None and row.phase == phase and phase.terminal
        self.expect(same, f"the abort of {action} was answered with {phase.name} before it was durable")

    def ended(self) -> None:
        """Everything was driven to its end."""
        for (run_id, name), row in self.rows.items():
            self.expect(Phase(row.phase).terminal, f"{name} of run {run_id} did not come to an end")
            ends = sum(Phase(event.phase).terminal for event in self.log[run_id] if event.action == name)
            self.expect(ends == 1, f"{name} of run {run_id} has {ends} ends in its log")
            hit = row.cache_status == CacheStatus.HIT
            self.expect(not hit or row.cached_from, f"{name} was a cache hit from nowhere")


def _seconds(event: Event) -> float:
    return event.time.seconds + event.time.nanos / 1e9
