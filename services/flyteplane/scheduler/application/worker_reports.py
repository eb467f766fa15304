"""What workers say of their attempts, handled in the order in which they say it.

A report counts for the attempt that holds its lease, and for no other: whoever speaks under a lease that is over is
told so, and nothing happens. A worker that came back on a new stream says again what it does not know to be heard, so
each report may come twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.worker_service_pb2 import LeaseRevoked, WorkerOrder, WorkerReport
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.domain.state import Aborted, Change, Failed, Started, Succeeded

if TYPE_CHECKING:
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.engine_hooks import EngineHooks
    from flyteplane.scheduler.application.living import Attempt
    from flyteplane.scheduler.application.ports import Placement

#: What may still come when an attempt is over, and is no reason to say so once more.
_TRIFLES: Final = ("log", "heartbeat")


class WorkerReports:
    """Turns reports into changes of the engine's actions."""

    def __init__(self, engine: Engine, hooks: EngineHooks) -> None:
        self._engine = engine
        self._hooks = hooks
        self._handlers: dict[str, Callable[[Attempt, WorkerReport], None]] = {
            "submit": hooks.on_submit,
            "started": self._started,
            "ended": self._ended,
            "log": self._log,
            "trace": self._trace,
            "cancel_call": self._cancel_call,
            "report_update": _report_written,
        }

    def receive(self, reports: Sequence[WorkerReport], *, placement: Placement) -> None:
        """Handles what workers of `placement` say."""
        attempts = self._engine.attempts
        for report in reports:
            kind = report.WhichOneof("report") or ""
            if kind == "declare_task":
                self._hooks.on_declare(report)
            elif (attempt := attempts.get(report.lease)) is None:
                self._without_attempt(kind, report.lease, placement)
            elif handle := self._handlers.get(kind):
                handle(attempt, report)

    def _without_attempt(self, kind: str, lease: int, placement: Placement) -> None:
        if lease and kind not in _TRIFLES:
            order = WorkerOrder(lease=lease, lease_revoked=LeaseRevoked(reason="The attempt is over."))
            # Only then: it may be the end once more that is not durable yet, and is forgotten upon this.
            self._engine.turn.after_commit(partial(placement.send, lease, (order,)))

    def _started(self, attempt: Attempt, _report: WorkerReport) -> None:
        self._begun(attempt, at=self._engine.clock.now())
        self._engine.limits.arm_runtime(attempt)

    def _begun(self, attempt: Attempt, *, at: float) -> None:
        if self._engine.apply(attempt.action, Started(at=at, lease=attempt.lease)):
            self._engine.figures.started(attempt.action)

    def _log(self, attempt: Attempt, report: WorkerReport) -> None:
        action, log = attempt.action, report.log
        number = action.state.attempt
        self._engine.logs.append(action.run.key, action.name, number, log.data, position=log.position)

    def _trace(self, attempt: Attempt, report: WorkerReport) -> None:
        """A call was recorded."""
        action, record = attempt.action, report.trace.SerializeToString()
        if record not in action.traces:
            self._engine.turn.trace(action, record)

    def _ended(self, attempt: Attempt, report: WorkerReport) -> None:
        engine, lease, ended = self._engine, report.lease, report.ended
        now = engine.clock.now()
        if ended.began:
            self._begun(attempt, at=now)
        change: Change
        # Whatever the outcome, this worker has ended by itself: there is nothing to stop.
        engine.attempts.pop(lease, None)
        if ended.WhichOneof("outcome") == "error":
            change = Failed(at=now, lease=lease, failure=wire.failure_from(ended.error))
            engine.figures.failed[change.failure.kind] += 1
        else:
            change = Succeeded(at=now, lease=lease, outputs=ended.outputs.SerializeToString())
        engine.apply(attempt.action, change)
        engine.turn.accept_end(attempt)

    def _cancel_call(self, attempt: Attempt, report: WorkerReport) -> None:
        call = report.cancel_call.call
        child = attempt.calls.get(call)
        if child is None or (attempt, call) not in child.waiters:
            return
        child.waiters = tuple(waiter for waiter in child.waiters if waiter != (attempt, call))
        del attempt.calls[call]
        self._engine.answered(attempt)
        if not any(waiting.action.attempt is waiting for waiting, _ in child.waiters):
            reason = "Its parent no longer waits for it."
            self._engine.apply(child, Aborted(at=self._engine.clock.now(), reason=reason))


def _report_written(attempt: Attempt, _report: WorkerReport) -> None:
    run, name = attempt.action.run, attempt.action.name
    run.reports.add(name)
    for watcher in run.watchers:
        watcher.report_written(name)
