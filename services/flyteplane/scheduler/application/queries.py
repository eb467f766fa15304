"""What can be asked of the scheduler, and aborting. Living runs are answered from memory, ended ones from the store."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteapi.scheduler.v1.event_pb2 import ActionHeader
from flyteapi.scheduler.v1.scheduler_service_pb2 import (
    ActionState as ActionStateMessage,
)
from flyteapi.scheduler.v1.scheduler_service_pb2 import (
    CountActionsResponse,
    ExplainActionResponse,
    GetActionDataResponse,
    GetActionResponse,
    ListActionsResponse,
    RunSettings,
)
from flyteplane.foundation.absent import absent_living_run
from flyteplane.foundation.errors import InvalidArgument, NotFound
from flyteplane.rpc.list_pages import LARGEST_PAGE_SIZE, page_size
from flyteplane.rpc.message_size import fitting
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.counting import EndedCounts, count_living
from flyteplane.scheduler.application.explaining import explain_ended, explain_living
from flyteplane.scheduler.application.intake import queue_of
from flyteplane.scheduler.application.orders import data_prefix_of
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.domain.state import Aborted, ActionState, AttemptRecord

if TYPE_CHECKING:
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.ports import ActionFilter, ActionRow, Records, RunKey, RunRow
    from flyteplane.scheduler.application.tasks import Tasks

#: Actions that one request may name: as many as one page may hold.
_MOST_NAMED: Final = LARGEST_PAGE_SIZE


class Queries:
    """Reads of runs and actions.

    Args:
        data_prefix: under which attempts keep data, unless their run says otherwise.
    """

    def __init__(self, *, engine: Engine, records: Records, tasks: Tasks, data_prefix: str) -> None:
        self._engine = engine
        self._records = records
        self._tasks = tasks
        self._data_prefix = data_prefix
        self._counts = EndedCounts(records)

    async def get(self, key: RunKey, name: str) -> GetActionResponse:
        """One action with its task and attempts. Raises NotFound."""
        run = await self._run(key)
        row = await self._action(run, name)
        state = wire.state_of(row)
        task = await self._tasks.load(row.task_digest)
        attempts = [wire.attempt_message(record) for record in state.history]
        if state.attempt and state.attempt > len(state.history):
            attempts.append(wire.attempt_message(_present(state)))
        settings = self._settings(run)
        prefix = data_prefix_of(key, settings, platform=self._data_prefix)
        for attempt in attempts:
            attempt.data_prefix = f"{prefix}{name}/{attempt.attempt}/"
        action = await self._message(run, row, settings=settings)
        return GetActionResponse(action=action, task=task.spec, attempts=attempts)

    async def data(self, key: RunKey, name: str) -> GetActionDataResponse:
        """Inputs and outputs of an action. Raises NotFound."""
        row = await self._row(key, name)
        return GetActionDataResponse(inputs=wire.payload(row.inputs), outputs=wire.payload(row.outputs))

    async def page(self, key: RunKey, where: ActionFilter, *, asked: int, page_token: str) -> ListActionsResponse:
        """Actions in order of acceptance, `asked` of them or 100. Raises NotFound, InvalidArgument."""
        limit = page_size(asked)
        _refuse_many(where.names, field="names")
        run = await self._run(key)
        settings = self._settings(run)
        after = _position(page_token)
        rows = await self._records.actions(run.id, after=after, limit=limit + 1, where=where)
        messages = [await self._message(run, row, settings=settings) for row in rows[:limit]]
        page = fitting(messages, size=lambda message: message.ByteSize())
        token = _token(rows[len(page) - 1].ordinal) if len(rows) > len(page) else ""
        return ListActionsResponse(actions=page, next_page_token=token)

    async def count(self, key: RunKey, *, parents: Sequence[str]) -> CountActionsResponse:
        """How many actions there are. Raises NotFound, InvalidArgument."""
        _refuse_many(parents, field="parents")
        run = self._engine.runs.get(key)
        if run is not None:
            counts, following = count_living(run, parents), run.published + 1
        else:
            row = await self._run(key)
            counts, following = await self._counts.of(row.id, parents), 0
        response = CountActionsResponse(next_sequence=following)
        for parent, group, phase, count in counts:
            response.counts.add(parent=parent, group=group, phase=wire.phase_of(Phase(phase)), count=count)
        return response

    def paused(self, *, project: str, domain: str) -> Sequence[RunKey]:
        """Runs in which somebody is asked for an answer now; empty words stand for everywhere.

        They are read off the attempts that there are, of which a question that waits has one.
        """
        asking = (attempt.action.run.key for attempt in self._engine.attempts.values() if attempt.action.task.asks)
        return [key for key in dict.fromkeys(asking) if project in ("", key.project) and domain in ("", key.domain)]

    async def explain(self, key: RunKey, name: str) -> ExplainActionResponse:
        """Why an action is where it is. Raises NotFound."""
        run = self._engine.runs.get(key)
        action = run.actions.get(name) if run is not None else None
        if action is None:
            return explain_ended(wire.state_of(await self._row(key, name)))
        return explain_living(self._engine, action)

    async def abort(self, key: RunKey, name: str, *, reason: str) -> Phase:
        """Aborts an action and all below it; returns, once durable, how it ended. Raises NotFound."""
        run = self._engine.runs.get(key)
        action = run.actions.get(name) if run is not None else None
        if action is None:
            return Phase((await self._row(key, name)).phase)
        if not action.state.phase.terminal:
            self._engine.apply(action, Aborted(at=self._engine.clock.now(), reason=reason or "Aborted."))
        await self._engine.turn.durable()
        return action.state.phase

    async def log_attempts(self, key: RunKey, name: str) -> tuple[int, bool]:
        """The latest attempt of an action and whether it has ended. Raises NotFound."""
        row = await self._row(key, name)
        return row.attempt, Phase(row.phase).terminal

    async def _run(self, key: RunKey) -> RunRow:
        run = self._engine.runs.get(key)
        row = run.row if run is not None else await self._records.run(key)
        if row is None:
            raise absent_living_run(str(key))
        return row

    def _settings(self, run: RunRow) -> RunSettings:
        living = self._engine.runs.get(run.key)
        return living.settings if living is not None else RunSettings.FromString(run.settings)

    async def _row(self, key: RunKey, name: str) -> ActionRow:
        return await self._action(await self._run(key), name)

    async def _action(self, run: RunRow, name: str) -> ActionRow:
        row = await self._records.action(run.id, name)
        if row is None:
            raise NotFound(
                f"action {name} of run {run.key} does not exist",
                field="action.name",
                mend=f"`flyte get action {run.key.name}` lists the actions that are there.",
            )
        return row

    async def _message(self, run: RunRow, row: ActionRow, *, settings: RunSettings) -> ActionStateMessage:
        key, task = run.key, await self._tasks.load(row.task_digest)
        state = wire.state_of(row)
        message = ActionStateMessage(
            id=ActionId(run=RunId(project=key.project, domain=key.domain, name=key.name), name=row.name),
            header=ActionHeader(
                parent=row.parent,
                task_name=task.spec.name,
                short_name=task.spec.short_name,
                task_digest=row.task_digest,
                group=row.group_label,
                queue=queue_of(task, settings),
                is_condition=task.asks,
            ),
            phase=wire.phase_of(state.phase),
            attempt=state.attempt,
            created_at=wire.timestamp(state.created_at),
            started_at=wire.timestamp(state.first_started_at),
            ended_at=wire.timestamp(state.ended_at),
            cache_status=wire.cache_status_of(state.cache_status),
            reason=state.reason,
            cached_from=state.cached_from,
        )
        if state.failure is not None:
            message.error.CopyFrom(wire.failure_to(state.failure))
        return message


def _refuse_many(names: Sequence[str], *, field: str) -> None:
    if len(names) > _MOST_NAMED:
        raise InvalidArgument(
            f"{len(names)} actions were named", field=field, limit=f"{_MOST_NAMED} actions", mend="Ask again for more."
        )


def _present(state: ActionState) -> AttemptRecord:
    return AttemptRecord(
        attempt=state.attempt,
        phase=state.phase,
        placed_at=state.placed_at,
        started_at=state.started_at,
        ended_at=state.ended_at,
        worker=state.worker,
        failure=state.failure if state.phase.terminal else None,
        cluster=state.cluster,
        resource_class=state.resource_class,
    )


def _token(ordinal: int) -> str:
    return base64.urlsafe_b64encode(str(ordinal).encode()).decode()


def _position(token: str) -> int:
    if not token:
        return 0
    try:
        position = int(base64.urlsafe_b64decode(token.encode()).decode())
    except (ValueError, binascii.Error):
        position = -1
    if not 0 <= position < 1 << 63:
        raise InvalidArgument("the page token was not made by this service", field="page_token")
    return position
