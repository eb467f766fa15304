"""Conditions of runs: questions that tasks ask with `flyte.new_condition`, and their answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

from flyte.authoring.condition import DATA_TYPES
from flyte.client.channel import connection
from flyte.errors import RuntimeUserError
from flyte.remote.action import ROOT, ActionDetails, action_id
from flyte.remote.action_view import ActionView
from flyte.remote.listing import list_actions
from flyte.remote.phases import is_terminal
from flyte.syncify import syncify
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState
from flyteapi.task.v1.task_spec_pb2 import Condition as Question
from flyteapi.task.v1.value_pb2 import Value

ConditionPayload: TypeAlias = bool | int | float | str

_TYPES = {kind.__name__: kind for kind in DATA_TYPES}
_NAMED: dict[type, str] = {kind: f"{'an' if kind is int else 'a'} {kind.__name__}" for kind in DATA_TYPES}


class Condition(ActionView):
    """A question that a task of a run waits to have answered; an action of its own, below the one that asks."""

    def __init__(self, state: ActionState, question: Question) -> None:
        self._state = state
        self._question = question

    def _shown(self) -> ActionState:
        return self._state

    def __repr__(self) -> str:
        return f"Condition(run={self.run_name!r}, name={self.name!r}, phase={self.phase.name})"

    @property
    def state(self) -> ActionState:
        """What the platform said of it last."""
        return self._state

    @property
    def name(self) -> str:
        """The name that the task gave it."""
        return self._state.header.short_name

    @property
    def action_name(self) -> str:
        """The name of its action."""
        return self._state.id.name

    @property
    def prompt(self) -> str:
        """What is asked."""
        return self._question.prompt

    @property
    def description(self) -> str:
        """More about it; empty if the task said nothing."""
        return self._question.description

    @property
    def expected_type(self) -> type:
        """The type of the answer: bool, int, float or str."""
        return _TYPES[self._question.data_type]

    @syncify.class_method
    @classmethod
    async def get(
        cls,
        name: str,
        /,
        run_name: str,
        action_name: str | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> Condition | None:
        """Return the newest condition of this name in a run, or of its action `action_name`; None if there is none."""
        found = None
        async for state in _states(run_name, action_name, project=project, domain=domain):
            if name in (state.header.short_name, state.id.name):
                found = state
        return None if found is None else await _with_question(found)

    @syncify.iterator_class_method
    @classmethod
    async def listall(
        cls,
        /,
        run_name: str,
        action_name: str | None = None,
        limit: int = 100,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> AsyncIterator[Condition]:
        """Yield the conditions of a run, or of one of its actions, that wait for an answer; at most `limit`."""
        left = limit
        async for state in _states(run_name, action_name, project=project, domain=domain):
            if left <= 0:
                return
            if not is_terminal(state.phase):
                left -= 1
                yield await _with_question(state)

    @syncify.method
    async def signal(self, payload: ConditionPayload) -> None:
        """Answer it. The same answer again does nothing.

        Raises TypeError for an answer of another type, RuntimeUserError for a condition that has ended in another way.
        """
        platform = connection()
        request = api.SignalActionRequest(action=self.action_id, answer=_answer(payload, self.expected_type))
        await platform.change(platform.runs.SignalAction, request)


def _answer(payload: ConditionPayload, expected: type) -> Value:
    if expected is float and type(payload) is int:
        payload = float(payload)
    if type(payload) is not expected:
        raise TypeError(f"The condition asks for {_NAMED[expected]}, got {payload!r}.")
    match payload:
        case bool():
            return Value(bool=payload)
        case int() if -(2**63) <= payload < 2**63:
            return Value(int=payload)
        case int():
            raise TypeError(f"The answer {payload} does not fit into 64 bits.")
        case float():
            return Value(float=payload)
        case _:
            return Value(string=payload)


async def _states(
    run_name: str, action_name: str | None, *, project: str | None, domain: str | None
) -> AsyncIterator[ActionState]:
    run = action_id(run_name, ROOT, project=project, domain=domain).run
    async for state in list_actions(connection(), run, parent=action_name or "", in_phase=None):
        if state.header.is_condition:
            yield state


async def _with_question(state: ActionState) -> Condition:
    details = await ActionDetails.fetch(connection(), state.id)
    if not details.task.HasField("condition"):
        raise RuntimeUserError("NotACondition", f"Action {state.id.name} is no condition.")
    return Condition(details.state, details.task.condition)
