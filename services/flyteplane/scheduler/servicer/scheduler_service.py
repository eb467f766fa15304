"""The scheduler's gRPC face: translates messages to use cases and back, and does nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1 import scheduler_service_pb2 as api
from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.rpc.context import Context
from flyteplane.rpc.message_size import pieces
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.intake import NewRun
from flyteplane.scheduler.application.ports import ActionFilter, RunKey
from flyteplane.scheduler.domain.phases import ROOT, Phase

if TYPE_CHECKING:
    from flyteplane.scheduler.application.scheduler import Scheduler


class SchedulerServicer(SchedulerServiceServicer):
    """Serves `SchedulerService`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def AcceptRun(self, request: api.AcceptRunRequest, context: Context) -> api.AcceptRunResponse:
        """See the proto."""
        new = NewRun(
            key=_key(request.run),
            digest=request.digest,
            task=request.task,
            inputs=request.inputs.SerializeToString(),
            inputs_digest=request.inputs_digest,
            settings=request.settings,
        )
        return api.AcceptRunResponse(created=await self._scheduler.intake.accept_run(new))

    async def AbortAction(self, request: api.AbortActionRequest, context: Context) -> api.AbortActionResponse:
        """See the proto."""
        key, name = _key(request.action.run), request.action.name or ROOT
        phase = await self._scheduler.queries.abort(key, name, reason=request.reason[:1024])
        return api.AbortActionResponse(phase=wire.phase_of(phase))

    async def GetAction(self, request: api.GetActionRequest, context: Context) -> api.GetActionResponse:
        """See the proto."""
        return await self._scheduler.queries.get(_key(request.action.run), request.action.name)

    async def ListActions(self, request: api.ListActionsRequest, context: Context) -> api.ListActionsResponse:
        """See the proto."""
        where = ActionFilter(
            parent=request.parent,
            phases=sorted(set(request.phases)),
            names=request.names,
            group=request.group if request.HasField("group") else None,
        )
        return await self._scheduler.queries.page(
            _key(request.run), where, asked=request.page_size, page_token=request.page_token
        )

    async def CountActions(self, request: api.CountActionsRequest, context: Context) -> api.CountActionsResponse:
        """See the proto."""
        return await self._scheduler.queries.count(_key(request.run), parents=request.parents)

    async def GetActionData(self, request: api.GetActionDataRequest, context: Context) -> api.GetActionDataResponse:
        """See the proto."""
        return await self._scheduler.queries.data(_key(request.action.run), request.action.name)

    async def WatchRun(self, request: api.WatchRunRequest, context: Context) -> AsyncIterator[api.WatchRunResponse]:
        """See the proto."""
        messages = self._scheduler.watching.watch(
            _key(request.run), from_sequence=request.from_sequence, root_only=request.root_only
        )
        async for message in messages:
            yield message

    async def WatchRunPhases(
        self, request: api.WatchRunPhasesRequest, context: Context
    ) -> AsyncIterator[api.WatchRunPhasesResponse]:
        """See the proto."""
        after = request.cursor
        if request.only_new:
            after = await self._scheduler.run_phases.latest()
            yield api.WatchRunPhasesResponse(cursor=after)
        async for changes in self._scheduler.run_phases.watch(after=after):
            response = api.WatchRunPhasesResponse(cursor=changes[-1].cursor)
            for change in changes:
                message = response.changes.add(
                    phase=wire.phase_of(Phase(change.phase)),
                    time=wire.timestamp(change.at),
                    started_at=wire.timestamp(change.started_at),
                )
                message.run.project, message.run.domain, message.run.name = change.key
                if change.error:
                    message.error.ParseFromString(change.error)
            yield response

    async def ListPausedRuns(
        self, request: api.ListPausedRunsRequest, context: Context
    ) -> AsyncIterator[api.ListPausedRunsResponse]:
        """See the proto."""
        found = self._scheduler.queries.paused(project=request.project, domain=request.domain)
        runs = [RunId(project=key.project, domain=key.domain, name=key.name) for key in found]
        for piece in pieces(runs, size=RunId.ByteSize, most=len(runs)):
            yield api.ListPausedRunsResponse(runs=piece)

    async def StreamLogs(
        self, request: api.StreamLogsRequest, context: Context
    ) -> AsyncIterator[api.StreamLogsResponse]:
        """See the proto."""
        key, name = _key(request.action.run), request.action.name or ROOT
        latest, _ = await self._scheduler.queries.log_attempts(key, name)
        attempt = request.attempt or latest or 1
        lasting = request.follow and not request.attempt
        while attempt:
            async for data in self._scheduler.log_of_attempt(key, name, attempt, follow=request.follow):
                yield api.StreamLogsResponse(data=data, attempt=attempt)
            attempt = await self._scheduler.attempt_after(key, name, attempt) if lasting else 0

    async def ExplainAction(self, request: api.ExplainActionRequest, context: Context) -> api.ExplainActionResponse:
        """See the proto."""
        return await self._scheduler.queries.explain(_key(request.action.run), request.action.name)

    async def SignalAction(self, request: api.SignalActionRequest, context: Context) -> api.SignalActionResponse:
        """See the proto."""
        await self._scheduler.signal(_key(request.action.run), request.action.name, request.answer)
        return api.SignalActionResponse()


def _key(run: RunId) -> RunKey:
    if not (run.project and run.domain and run.name):
        raise InvalidArgument("a run is named by project, domain and name", field="run")
    return RunKey(run.project, run.domain, run.name)
