"""What is seen of the scheduler's work: figures for Prometheus, and spans of what has ended.

Both are taken from what the engine knows anyway. The hot path pays some hundred nanoseconds an action for the figures;
for spans it pays nothing unless the run is traced and a collector is named, and then for taking down what is known:
the spans themselves are made on the exporter's thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flyte.spec.trace_context import TraceContext, attempt_context
from flyteplane.observe import Distribution, DistributionReading, Metrics, Reading, get_logger
from flyteplane.observe.spans import NoSpans, Spans
from flyteplane.scheduler.application.traced_calls import spans_of_calls
from flyteplane.scheduler.domain.failures import FailureKind
from flyteplane.scheduler.domain.phases import ROOT, CacheStatus, Phase
from flyteplane.scheduler.domain.trace_spans import TracedAction, TracedRun, spans_of_action, spans_of_run

if TYPE_CHECKING:
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.domain.failures import Failure
    from flyteplane.scheduler.domain.queueing.admission import Admission
    from flyteplane.scheduler.domain.state import ActionState

_log = get_logger("scheduler.work")

#: Bounds in seconds for waits that people notice.
WAIT_BOUNDS_S: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observers:
    """Where it is told."""

    metrics: Metrics = field(default_factory=Metrics)
    spans: Spans = field(default_factory=NoSpans)


class Figures:
    """What the scheduler counts. Belongs to the event loop."""

    def __init__(self) -> None:
        self.queue_wait = Distribution(WAIT_BOUNDS_S)
        self.start_fresh = Distribution(WAIT_BOUNDS_S)
        self.start_warm = Distribution(WAIT_BOUNDS_S)
        self.commit = Distribution()
        self.ended: Counter[Phase] = Counter()
        self.cache: Counter[CacheStatus] = Counter()
        self.failed: Counter[FailureKind] = Counter()
        """Attempts, by whose fault it was."""
        self.failed_starts = 0
        self.stuck = 0
        """See `auditing`."""

    def placed(self, before: ActionState, at: float) -> None:
        """An action that stood so was placed."""
        self.queue_wait.observe(at - max(before.queued_at, before.not_before))

    def started(self, action: Action) -> None:
        """The present attempt has begun."""
        state = action.state
        (self.start_warm if action.task.reusable else self.start_fresh).observe(state.started_at - state.placed_at)

    def lost(self, action: Action, failure: Failure) -> None:
        """The worker of the present attempt is gone, or was never had."""
        self.failed[failure.kind] += 1
        if not action.state.started_at:
            self.failed_starts += 1
        # Its code only: messages of clusters may quote what the task wrote.
        _log.warning("attempt_lost", **facts_of(action), worker=action.state.worker, code=failure.code)

    def finished(self, state: ActionState) -> None:
        """An action has ended so."""
        self.ended[state.phase] += 1
        if state.cache_status:
            self.cache[state.cache_status] += 1

    def readings(self) -> Iterator[Reading | DistributionReading]:
        """What was counted."""
        words = "From the moment in which an action may run until it is placed."
        yield DistributionReading("queue_wait_seconds", words, self.queue_wait)
        words = "From placed to the first line of the task, on a fresh worker or a warm replica."
        yield DistributionReading("start_seconds", words, self.start_fresh, {"worker": "fresh"})
        yield DistributionReading("start_seconds", words, self.start_warm, {"worker": "warm"})
        yield DistributionReading("commit_seconds", "Commits of the scheduler's store.", self.commit)
        for phase in _ENDS:
            labels = {"phase": phase.name}
            yield Reading("actions_ended", "Actions that have ended.", self.ended[phase], labels, grows=True)
        for status in CacheStatus:
            if status:
                labels = {"status": status.name.lower()}
                yield Reading("cache_outcomes", "Ended cached actions.", self.cache[status], labels, grows=True)
        for kind in FailureKind:
            labels = {"fault": kind.name.lower()}
            yield Reading("attempts_failed", "Attempts that workers failed.", self.failed[kind], labels, grows=True)
        words = "Attempts whose worker was lost, or could not be had, before their task began."
        yield Reading("starts_failed", words, self.failed_starts, grows=True)
        yield Reading("stuck_actions", "Actions that nothing will move any more. Always 0.", self.stuck)


_ENDS: Final = (Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED, Phase.TIMED_OUT)


def queue_readings(admission: Admission[Action]) -> Iterator[Reading]:
    """How full queues are."""
    for name in admission.queue_names():
        figures, labels = admission.figures(name), {"queue": name}
        yield Reading("queue_waiting", "Actions that wait in a queue.", figures.waiting, labels)
        yield Reading("queue_running", "Actions that hold a slot of a queue.", figures.running, labels)


class RunTracing:
    """Tells of actions of traced runs once they have ended."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def finished(self, action: Action) -> None:
        """The action has ended. Its state is a value that changes no more, and so are its traced calls."""
        if action.name == ROOT:
            code = action.state.failure.code if action.state.failure is not None else ""
            _log.info("run_ended", **facts_of(action), phase=action.state.phase.name, code=code)
        if not self._spans.wanted:
            return
        trace = action.run.trace
        if trace is None or not trace.sampled:
            return
        facts = TracedAction(
            trace=trace,
            run=action.run.key.name,
            name=action.name,
            parent=action.parent.name if action.parent is not None else "",
            task=action.task.spec.name,
            queue=action.queue,
            # Outputs may be large, and are nobody's business here.
            state=action.state._replace(outputs=None),
        )
        self._spans.offer(partial(spans_of_action, facts))
        if action.traces:
            below = attempt_context(trace, facts.run, facts.name, facts.state.attempt)
            self._spans.offer(partial(spans_of_calls, tuple(action.traces), below=below))
        if action.name == ROOT:
            self._spans.offer(partial(spans_of_run, _run_facts(action, trace)))


def facts_of(action: Action) -> dict[str, Any]:
    """What lines about an action say of it, with the same names in every service."""
    facts = {"run": action.run.key_text, "action": action.name, "attempt": action.state.attempt}
    trace = action.run.trace
    return facts if trace is None else {**facts, "trace": trace.trace_id}


def _run_facts(root: Action, trace: TraceContext) -> TracedRun:
    key, state = root.run.key, root.state
    return TracedRun(
        trace=trace,
        run=key.name,
        project=key.project,
        domain=key.domain,
        task=root.task.spec.name,
        state=state._replace(outputs=None),
    )
