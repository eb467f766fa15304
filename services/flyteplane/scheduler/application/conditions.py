"""Questions to people: actions that no worker carries out, and that an answer ends.

A condition begins to wait as soon as it is accepted. It takes no slot of its queue and no room anywhere, whoever asked
lends his own slot meanwhile. It is an action like any other otherwise: durable, bounded by its deadline, ended with its
parent, and a parent that is tried again is given the answer that is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.worker_service_pb2 import AttemptEnded, AttemptStarted, WorkerReport
from flyteapi.task.v1.value_pb2 import NamedValue, NamedValues, Payload, Value
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder
    from flyteapi.task.v1.task_spec_pb2 import Condition
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.ports import RunKey
    from flyteplane.scheduler.application.queries import Queries

#: The longest text that an answer may be.
MOST_ANSWER_CHARACTERS: Final = 64 * 1024
_KINDS: Final = {"bool": "bool", "int": "int", "float": "float", "str": "string"}


class Conditions:
    """Implements `Placement` for conditions: there is nobody to speak to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def place(self, action: Action) -> None:
        """See the port. It waits for its answer from now on."""
        self._engine.receive((WorkerReport(lease=action.state.lease, started=AttemptStarted()),), placement=self)

    def adopt(self, action: Action) -> bool:
        """See the port. A question needs nobody to keep it."""
        return True

    def send(self, lease: int, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""

    def stop(self, lease: int, reason: str) -> None:
        """See the port."""

    def finished(self, lease: int) -> None:
        """See the port."""

    def whereabouts(self, lease: int) -> tuple[str, str]:
        """See the port."""
        return "", ""

    async def close(self) -> None:
        """See the port."""


class Signals:
    """Takes answers."""

    def __init__(self, *, engine: Engine, queries: Queries) -> None:
        self._engine = engine
        self._queries = queries

    async def __call__(self, key: RunKey, name: str, answer: Value) -> None:
        """Answers a condition; the answer is durable when this returns. The same answer again does nothing.

        Raises NotFound, InvalidArgument, and FailedPrecondition for one that has ended in another way.
        """
        found = await self._queries.get(key, name)
        if not found.task.HasField("condition"):
            raise InvalidArgument(
                f"action {name} is no condition: its task is {found.task.name}",
                field="action",
                mend="Name an action that `flyte get condition` lists.",
            )
        outputs = Payload(inline=_outputs_of(found.task.condition, answer))
        run = self._engine.runs.get(key)
        action = run.actions.get(name) if run is not None else None
        if action is not None and action.attempt is not None:
            ended = WorkerReport(lease=action.attempt.lease, ended=AttemptEnded(outputs=outputs))
            self._engine.receive((ended,), placement=action.attempt.placement)
        await self._engine.turn.durable()
        await self._refuse_other_end(key, name, outputs)

    async def _refuse_other_end(self, key: RunKey, name: str, outputs: Payload) -> None:
        if (await self._queries.data(key, name)).outputs == outputs:
            return
        raise FailedPrecondition(
            f"condition {name} has ended before this answer came",
            reason="CONDITION_ENDED",
            mend="`flyte get action` says how it ended; a new run asks anew.",
        )


def _outputs_of(condition: Condition, answer: Value) -> bytes:
    """The outputs of a condition with this answer, serialised. Raises InvalidArgument for one of another type."""
    kind, wanted = answer.WhichOneof("kind"), _KINDS[condition.data_type]
    if kind == "int" and wanted == "float":
        answer = Value(float=answer.int)
    elif kind != wanted:
        raise InvalidArgument(
            f"the condition asks for a {condition.data_type}, and the answer is a {kind or 'value of no type'}",
            field="answer",
            limit=f"a {condition.data_type}",
        )
    if kind == "string" and len(answer.string) > MOST_ANSWER_CHARACTERS:
        raise InvalidArgument(
            f"the answer has {len(answer.string)} characters",
            field="answer",
            limit=f"{MOST_ANSWER_CHARACTERS} characters",
            mend="Keep long text in a file and answer with its name.",
        )
    return NamedValues(values=[NamedValue(name="o0", value=answer)]).SerializeToString()
