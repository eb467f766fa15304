"""What a new leader does first: takes the records over and brings the runs that have not ended back to life.

Finished actions stay as they ended. An attempt whose worker outlives the platform, such as a pod, goes on under the
lease that it has: the worker is adopted. An attempt of a local process died with the platform that placed it, so its
action goes back to its queue, charged to nobody; its next attempt carries a new lease, and reports under the old one
have no effect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.intake import queue_of
from flyteplane.scheduler.application.living import Action, Run
from flyteplane.scheduler.domain.failures import Failure, FailureKind
from flyteplane.scheduler.domain.phases import ROOT, Phase
from flyteplane.scheduler.domain.state import Aborted, DelayPassed, Failed

if TYPE_CHECKING:
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.ports import ActionRow, Records, RunRow, TraceRow
    from flyteplane.scheduler.application.tasks import Tasks

#: What stands in the store beside others of its run.
Row = TypeVar("Row", "ActionRow", "TraceRow")

#: Lease of stored attempts of a platform that did not store leases.
_LOST_LEASE: Final = 1


async def recover(*, engine: Engine, records: Records, tasks: Tasks, consider: Callable[[Action], None]) -> int:
    """Restores all living runs. Returns how many there are."""
    stored = await records.living()
    rows, traces = _by_run(stored.actions), _by_run(stored.traces)
    living: list[Run] = []
    for run_row in stored.runs:
        run = await _restore_run(run_row, rows.get(run_row.id, ()), tasks)
        _restore_traces(run, traces.get(run_row.id, ()))
        run.published = stored.last_sequences.get(run_row.id, 0)
        run.next_sequence = run.published + 1
        engine.runs[run.key] = run
        living.append(run)
    # Whoever is admitted is admitted beside all that runs already: so what runs comes first, of all runs.
    others = [action for run in living for action in _resume(engine, run)]
    for action in others:
        if action.state.phase.placed:
            _lose(engine, action)
        else:
            _wait(engine, action, consider)
    return len(living)


def _by_run(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.run_id].append(row)
    return found


async def _restore_run(row: RunRow, rows: Sequence[ActionRow], tasks: Tasks) -> Run:
    run = Run(row=row, settings=RunSettings.FromString(row.settings))
    for stored in rows:
        parent = run.actions.get(stored.parent) if stored.parent else None
        task = await tasks.load(stored.task_digest)
        action = Action(
            run=run,
            name=stored.name,
            parent=parent,
            task=task,
            ordinal=stored.ordinal,
            inputs=stored.inputs,
            inputs_digest=stored.inputs_digest,
            group=stored.group_label,
            queue=queue_of(task, run.settings),
            custom_context=stored.custom_context,
            state=wire.state_of(stored),
        )
        run.actions[action.name] = action
        run.next_ordinal = max(run.next_ordinal, stored.ordinal + 1)
        if parent is not None:
            parent.add_child(action)
        if action.state.phase.terminal:
            action.inputs = b""
    return run


def _restore_traces(run: Run, traces: Iterable[TraceRow]) -> None:
    unfinished = {action.ordinal: action for action in run.actions.values() if not action.state.phase.terminal}
    for trace in traces:
        action = unfinished.get(trace.ordinal)
        if action is not None:
            action.add_trace(trace.record)


def _resume(engine: Engine, run: Run) -> list[Action]:
    """Takes up what was placed and goes on; returns what else there is to do something about."""
    others: list[Action] = []
    for action in list(run.actions.values()):
        state = action.state
        if state.phase.terminal:
            continue
        if action.parent is not None and action.parent.state.phase.terminal:
            engine.apply(action, Aborted(at=engine.clock.now(), reason=f"Its parent {action.parent.name} has ended."))
            continue
        engine.limits.arm(action)
        if not (state.phase.placed and engine.take_over(action)):
            others.append(action)
    if run.actions[ROOT].state.phase is Phase.QUEUED:
        engine.turn.schedule()
    return others


def _lose(engine: Engine, action: Action) -> None:
    lease = action.state.lease or _LOST_LEASE
    action.state = action.state._replace(lease=lease)
    failure = Failure(
        kind=FailureKind.SYSTEM,
        code="PLATFORM_RESTARTED",
        message="The platform was restarted while this attempt ran.",
    )
    engine.apply(action, Failed(at=engine.clock.now(), lease=lease, failure=failure))


def _wait(engine: Engine, action: Action, consider: Callable[[Action], None]) -> None:
    if action.state.not_before > engine.clock.now():
        engine.timers.arm(action, "retry", at=action.state.not_before)
    else:
        engine.apply(action, DelayPassed(at=engine.clock.now()))
        consider(action)
