"""RunService: submit, look, watch, abort, run again.

What concerns runs as submitted goes to the use cases. What concerns actions is the scheduler's own answer, passed on
as it is: same content, same statuses, message by message, nothing held back.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc

from flyteapi.admin.v1 import run_service_pb2 as pb
from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceServicer
from flyteapi.scheduler.v1 import scheduler_service_pb2 as scheduler_pb
from flyteplane.admin.application.abort_run import AbortRun
from flyteplane.admin.application.admission import Admission, AskedRun, AskedTask, TaskVersionName
from flyteplane.admin.application.create_run import CreateRun
from flyteplane.admin.application.phase_mirror import PhaseMirror
from flyteplane.admin.application.read_runs import ReadRuns
from flyteplane.admin.application.rerun_run import AskedRerun, RerunRun
from flyteplane.admin.servicer.context import CallerOf, Context
from flyteplane.admin.servicer.notification_messages import notification_states
from flyteplane.admin.servicer.run_messages import (
    is_in_place,
    log_of_undelivered,
    phase_message,
    run_filter,
    run_key,
    run_message,
)
from flyteplane.observe.spans import current_trace

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceAsyncStub

#: For what the scheduler answers from memory or with a few reads.
_LOOK_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUseCases:
    """What RunService calls."""

    admission: Admission
    create: CreateRun
    reads: ReadRuns
    abort: AbortRun
    rerun: RerunRun
    mirror: PhaseMirror


class RunServicer(RunServiceServicer):
    """See `run_service.proto`."""

    def __init__(self, *, runs: RunUseCases, scheduler: "SchedulerServiceAsyncStub", caller_of: CallerOf) -> None:
        self._runs = runs
        self._scheduler = scheduler
        self._caller_of = caller_of

    async def CreateRun(self, request: pb.CreateRunRequest, context: Context) -> pb.CreateRunResponse:
        asked = AskedRun(
            project=request.run.project,
            domain=request.run.domain,
            name=request.run.name,
            request_id=request.request_id,
            task=_asked_task(request),
            inputs=request.inputs,
            inputs_digest=request.inputs_digest,
            settings=request.settings,
            created_by=self._caller_of(context),
            trace_parent=str(current_trace() or ""),
        )
        stored = await self._runs.create(await self._runs.admission.draft(asked))
        return pb.CreateRunResponse(run=run_message(stored.record), created=stored.created)

    async def GetRun(self, request: pb.GetRunRequest, context: Context) -> pb.GetRunResponse:
        record = await self._runs.reads.get(run_key(request.run))
        response = pb.GetRunResponse(run=run_message(record))
        response.task.ParseFromString(await self._runs.reads.task_spec(record))
        response.run.notifications.extend(notification_states(record, await self._runs.reads.notifications(record)))
        return response

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        page = await self._runs.reads.list(run_filter(request), size=request.page_size, token=request.page_token)
        return pb.ListRunsResponse(runs=[run_message(run) for run in page.runs], next_page_token=page.next_token)

    async def WatchRuns(self, request: pb.WatchRunsRequest, context: Context) -> AsyncIterator[pb.WatchRunsResponse]:
        begun = False
        async for part in self._scheduler.WatchRunPhases(scheduler_pb.WatchRunPhasesRequest(only_new=True)):
            changes = [change for change in part.changes if is_in_place(change.run, request)]
            if not begun:
                # A run that ended before the watch began is in no change to come: lists have to know of it first.
                await self._runs.mirror.has_reached(part.cursor)
            if changes or not begun:
                yield pb.WatchRunsResponse(changes=changes)
            begun = True

    async def WatchRun(self, request: pb.WatchRunRequest, context: Context) -> AsyncIterator[pb.WatchRunResponse]:
        record = await self._runs.reads.taken(run_key(request.run))
        try:
            async for part in self._scheduler.WatchRun(
                scheduler_pb.WatchRunRequest(
                    run=request.run, from_sequence=request.from_sequence, root_only=request.root_only
                )
            ):
                yield pb.WatchRunResponse(
                    events=part.events,
                    resync=part.resync,
                    next_sequence=part.next_sequence,
                    ended=part.ended,
                    reports=part.reports,
                )
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND or not record.progress.phase.is_terminal:
                raise
            yield log_of_undelivered(record)

    async def AbortRun(self, request: pb.AbortRunRequest, context: Context) -> pb.AbortRunResponse:
        phase = await self._runs.abort(run_key(request.run), action=request.action, reason=request.reason)
        return pb.AbortRunResponse(phase=phase_message(phase))

    async def RerunRun(self, request: pb.RerunRunRequest, context: Context) -> pb.RerunRunResponse:
        asked = AskedRerun(
            source=run_key(request.source),
            action=request.action,
            name=request.name,
            request_id=request.request_id,
            recover=request.recover,
            force_actions=tuple(request.force_actions),
            inputs=request.inputs if request.HasField("inputs") else None,
            inputs_digest=request.inputs_digest,
            settings=request.settings if request.HasField("settings") else None,
            created_by=self._caller_of(context),
            trace_parent=str(current_trace() or ""),
        )
        stored = await self._runs.rerun(asked)
        return pb.RerunRunResponse(run=run_message(stored.record), created=stored.created)

    async def GetAction(self, request: pb.GetActionRequest, context: Context) -> pb.GetActionResponse:
        found = await self._scheduler.GetAction(
            scheduler_pb.GetActionRequest(action=request.action), timeout=_LOOK_TIMEOUT_S
        )
        return pb.GetActionResponse(action=found.action, task=found.task, attempts=found.attempts)

    async def ListActions(self, request: pb.ListActionsRequest, context: Context) -> pb.ListActionsResponse:
        page = await self._scheduler.ListActions(
            scheduler_pb.ListActionsRequest(
                run=request.run,
                parent=request.parent,
                phases=request.phases,
                page_size=request.page_size,
                page_token=request.page_token,
                names=request.names,
                group=request.group if request.HasField("group") else None,
            ),
            timeout=_LOOK_TIMEOUT_S,
        )
        return pb.ListActionsResponse(actions=page.actions, next_page_token=page.next_page_token)

    async def CountActions(self, request: pb.CountActionsRequest, context: Context) -> pb.CountActionsResponse:
        found = await self._scheduler.CountActions(
            scheduler_pb.CountActionsRequest(run=request.run, parents=request.parents), timeout=_LOOK_TIMEOUT_S
        )
        return pb.CountActionsResponse(counts=found.counts, next_sequence=found.next_sequence)

    async def GetActionData(self, request: pb.GetActionDataRequest, context: Context) -> pb.GetActionDataResponse:
        found = await self._scheduler.GetActionData(
            scheduler_pb.GetActionDataRequest(action=request.action), timeout=_LOOK_TIMEOUT_S
        )
        response = pb.GetActionDataResponse(inputs=found.inputs)
        if found.HasField("outputs"):
            response.outputs.CopyFrom(found.outputs)
        return response

    async def StreamLogs(self, request: pb.StreamLogsRequest, context: Context) -> AsyncIterator[pb.StreamLogsResponse]:
        await self._runs.reads.taken(run_key(request.action.run))
        async for part in self._scheduler.StreamLogs(
            scheduler_pb.StreamLogsRequest(action=request.action, attempt=request.attempt, follow=request.follow)
        ):
            yield pb.StreamLogsResponse(data=part.data, attempt=part.attempt)

    async def ExplainAction(self, request: pb.ExplainActionRequest, context: Context) -> pb.ExplainActionResponse:
        found = await self._scheduler.ExplainAction(
            scheduler_pb.ExplainActionRequest(action=request.action), timeout=_LOOK_TIMEOUT_S
        )
        return pb.ExplainActionResponse(explanation=found)

    async def SignalAction(self, request: pb.SignalActionRequest, context: Context) -> pb.SignalActionResponse:
        await self._scheduler.SignalAction(
            scheduler_pb.SignalActionRequest(action=request.action, answer=request.answer), timeout=_LOOK_TIMEOUT_S
        )
        return pb.SignalActionResponse()


def _asked_task(request: pb.CreateRunRequest) -> AskedTask | None:
    kind = request.WhichOneof("task")
    if kind == "spec":
        return request.spec
    if kind == "deployed":
        wanted = request.deployed
        return TaskVersionName(
            project=wanted.project or request.run.project,
            domain=wanted.domain or request.run.domain,
            name=wanted.name,
            version=wanted.version,
        )
    return None
