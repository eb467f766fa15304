"""Why an action is not running, or where it runs: one sentence for people, and the facts behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.scheduler_service_pb2 import ExplainActionResponse
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.domain.phases import CacheStatus, Phase
from flyteplane.scheduler.domain.state import ActionState

if TYPE_CHECKING:
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action

#: What an attempt waits for before its worker speaks, by phase.
_BEFORE_IT_RUNS: Final = {
    Phase.WAITING_FOR_RESOURCES: ("cluster", "Its pod waits for a place on cluster {cluster}."),
    Phase.INITIALIZING: ("worker", "Its worker is being started on cluster {cluster}."),
}
_ASKS_CACHE: Final = "It waits for the cache to say whether its result is there."
#: What an action waits for that has not joined its queue, by what the cache has said.
_BEFORE_IT_QUEUES: Final = {
    CacheStatus.MISS: "It waits for an equal call, which computes the result for both.",
    CacheStatus.SKIPPED: "It waits for an equal call to end, and computes after it.",
    CacheStatus.FAILED: "It waits for the cache, which cannot be asked now; with serialize it is needed.",
}


def explain_ended(state: ActionState) -> ExplainActionResponse:
    """An action that nothing can change any more."""
    return ExplainActionResponse(
        phase=wire.phase_of(state.phase),
        summary=f"It has ended: {state.phase.name}.{_noted(state) if state.phase is Phase.SUCCEEDED else ''}",
        worker=state.worker,
        cluster=state.cluster,
        resource_class=state.resource_class,
    )


def explain_living(engine: Engine, action: Action) -> ExplainActionResponse:
    """An action of a living run."""
    state = action.state
    if state.phase.terminal:
        return explain_ended(state)
    answer = ExplainActionResponse(
        phase=wire.phase_of(state.phase),
        queue=action.queue,
        worker=state.worker,
        cluster=state.cluster,
        resource_class=state.resource_class,
        not_before=wire.timestamp(state.not_before),
    )
    if state.not_before:
        answer.waits_for, answer.summary = "retry", f"It waits for its retry: {state.reason}"
    elif action.attempt is not None:
        _explain_attempt(engine, action, answer)
    else:
        _explain_waiting(engine, action, answer)
    return answer


def _explain_attempt(engine: Engine, action: Action, answer: ExplainActionResponse) -> None:
    attempt, state = action.attempt, action.state
    assert attempt is not None
    if action.task.asks:
        answer.waits_for = "answer"
        answer.summary = f"It waits for somebody's answer: {action.task.spec.condition.prompt}"
        return
    answer.node, said = attempt.placement.whereabouts(attempt.lease)
    if state.phase is Phase.RUNNING:
        lent = " and waits for its children" if attempt.waiting else ""
        answer.summary = f"It runs on {state.worker or 'a worker'}{lent}.{_noted(state)}"
        return
    answer.cluster_message = said
    if action.task.reusable:
        answer.waits_for, answer.summary = "pool", "It waits for a slot on a replica of its pool; see `flyte get pool`."
        if said:
            answer.summary += f" The pool says: {said}"
        return
    answer.waits_for, sentence = _BEFORE_IT_RUNS[state.phase]
    answer.summary = sentence.format(cluster=state.cluster)
    if said:
        answer.summary += f" The cluster says: {said}"


def _noted(state: ActionState) -> str:
    """What is out of the ordinary about the worker, as a sentence."""
    return f" It was placed {state.reason}." if state.reason else ""


def _explain_waiting(engine: Engine, action: Action, answer: ExplainActionResponse) -> None:
    wait = engine.admission.position(action)
    if wait is None:
        answer.waits_for = "cache"
        answer.summary = _BEFORE_IT_QUEUES.get(action.state.cache_status, _ASKS_CACHE)
        return
    answer.waits_for, answer.ahead_in_queue, answer.summary = wait.kind, wait.ahead, wait.message
    if not answer.resource_class:
        answer.resource_class = wait.resource_class
