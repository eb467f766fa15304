"""A scheduler for the tests of admin: it keeps what it took, and fails where and how it is told to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from flyteapi.common.v1 import phase_pb2
from flyteapi.common.v1.error_pb2 import TaskError
from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteapi.scheduler.v1 import event_pb2
from flyteapi.scheduler.v1 import scheduler_service_pb2 as pb
from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer
from flyteplane.foundation.errors import AlreadyExists, NotFound, PlatformError

_TERMINAL = frozenset(
    {phase_pb2.PHASE_SUCCEEDED, phase_pb2.PHASE_FAILED, phase_pb2.PHASE_ABORTED, phase_pb2.PHASE_TIMED_OUT}
)


def key_of(run: RunId) -> str:
    return f"{run.project}/{run.domain}/{run.name}"


@dataclass
class HeldRun:
    """A run that the fake took."""

    request: pb.AcceptRunRequest
    phase: phase_pb2.Phase.ValueType = phase_pb2.PHASE_QUEUED
    aborted_because: str | None = None
    events: list[event_pb2.Event] = field(default_factory=list)


class FakeScheduler(SchedulerServiceServicer):
    """Takes runs and remembers them.

    `fail_before` and `fail_after` hold the errors of the next calls to AcceptRun: before anything was done, or after
    the run was taken, as when the answer is lost. `accepting` is cleared to keep AcceptRun hanging, and
    `telling_the_mirror` to let admin's mirror of phases lag behind.
    """

    def __init__(self) -> None:
        self.runs: dict[str, HeldRun] = {}
        self.accept_calls = 0
        self.fail_before: deque[PlatformError] = deque()
        self.fail_after: deque[PlatformError] = deque()
        self.fail_look: PlatformError | None = None
        self.away: PlatformError | None = None
        self.accepting = asyncio.Event()
        self.accepting.set()
        self.accept_entered = asyncio.Event()
        self.cursors_seen: list[int] = []
        self.telling_the_mirror = asyncio.Event()
        self.telling_the_mirror.set()
        self.paused: list[RunId] = []
        self.signals: list[pb.SignalActionRequest] = []
        self._changes: list[pb.WatchRunPhasesResponse] = []
        self._changed = asyncio.Event()

    async def AcceptRun(self, request: pb.AcceptRunRequest, context: Any) -> pb.AcceptRunResponse:
        self.accept_calls += 1
        self.accept_entered.set()
        await self.accepting.wait()
        if self.away is not None:
            raise self.away
        if self.fail_before:
            raise self.fail_before.popleft()
        created = self._take(request)
        if self.fail_after:
            raise self.fail_after.popleft()
        return pb.AcceptRunResponse(created=created)

    def _take(self, request: pb.AcceptRunRequest) -> bool:
        held = self.runs.get(key_of(request.run))
        if held is None:
            self.runs[key_of(request.run)] = HeldRun(request)
            return True
        if held.request.digest != request.digest:
            raise AlreadyExists("another run has this name", reason="RUN_EXISTS")
        return False

    async def AbortAction(self, request: pb.AbortActionRequest, context: Any) -> pb.AbortActionResponse:
        held = self._held(request.action)
        if held.phase not in _TERMINAL:
            held.phase, held.aborted_because = phase_pb2.PHASE_ABORTED, request.reason
        return pb.AbortActionResponse(phase=held.phase)

    async def GetAction(self, request: pb.GetActionRequest, context: Any) -> pb.GetActionResponse:
        held = self._held(request.action)
        return pb.GetActionResponse(
            action=pb.ActionState(id=request.action, phase=held.phase, attempt=1),
            task=held.request.task,
            attempts=[pb.AttemptState(attempt=1, phase=held.phase, worker="w1")],
        )

    async def ListActions(self, request: pb.ListActionsRequest, context: Any) -> pb.ListActionsResponse:
        held = self._held(ActionId(run=request.run))
        state = pb.ActionState(id=ActionId(run=request.run, name="a0"), phase=held.phase)
        return pb.ListActionsResponse(actions=[state], next_page_token=f"after-{request.page_size}-{request.parent}")

    async def CountActions(self, request: pb.CountActionsRequest, context: Any) -> pb.CountActionsResponse:
        self._held(ActionId(run=request.run))
        return pb.CountActionsResponse(next_sequence=1)

    async def GetActionData(self, request: pb.GetActionDataRequest, context: Any) -> pb.GetActionDataResponse:
        return pb.GetActionDataResponse(inputs=self._held(request.action).request.inputs)

    async def WatchRun(self, request: pb.WatchRunRequest, context: Any) -> AsyncIterator[pb.WatchRunResponse]:
        held = self._held(ActionId(run=request.run))
        for event in held.events:
            if event.sequence >= request.from_sequence:
                yield pb.WatchRunResponse(events=[event], next_sequence=event.sequence + 1)
        yield pb.WatchRunResponse(next_sequence=len(held.events) + 1, ended=True)

    async def WatchRunPhases(
        self, request: pb.WatchRunPhasesRequest, context: Any
    ) -> AsyncIterator[pb.WatchRunPhasesResponse]:
        self.cursors_seen.append(request.cursor)
        sent = 0
        if request.only_new:
            sent = len(self._changes)
            yield pb.WatchRunPhasesResponse(cursor=sent)
        while True:
            if self.away is not None:
                raise self.away
            if not request.only_new:
                await self.telling_the_mirror.wait()
            for change in self._changes[sent:]:
                sent += 1
                if change.cursor > request.cursor:
                    yield change
            self._changed.clear()
            await self._changed.wait()

    async def ListPausedRuns(
        self, request: pb.ListPausedRunsRequest, context: Any
    ) -> AsyncIterator[pb.ListPausedRunsResponse]:
        if self.away is not None:
            raise self.away
        for run in self.paused:
            if request.project in ("", run.project) and request.domain in ("", run.domain):
                yield pb.ListPausedRunsResponse(runs=[run])

    async def StreamLogs(self, request: pb.StreamLogsRequest, context: Any) -> AsyncIterator[pb.StreamLogsResponse]:
        self._held(request.action)
        for piece in (b"first\n", b"second\n"):
            yield pb.StreamLogsResponse(data=piece, attempt=request.attempt or 1)

    async def ExplainAction(self, request: pb.ExplainActionRequest, context: Any) -> pb.ExplainActionResponse:
        return pb.ExplainActionResponse(phase=self._held(request.action).phase, summary="waits for room")

    async def SignalAction(self, request: pb.SignalActionRequest, context: Any) -> pb.SignalActionResponse:
        self._held(request.action)
        self.signals.append(request)
        return pb.SignalActionResponse()

    def say(
        self, run: RunId, phase: phase_pb2.Phase.ValueType, *, at_s: int = 100, error: TaskError | None = None
    ) -> int:
        """Tell the watchers of phases that a run changed; returns the cursor behind that."""
        held = self.runs.get(key_of(run))
        if held is not None:
            held.phase = phase
        cursor = len(self._changes) + 1
        change = pb.WatchRunPhasesResponse.RunPhase(run=run, phase=phase, time=Timestamp(seconds=at_s), error=error)
        self._changes.append(pb.WatchRunPhasesResponse(changes=[change], cursor=cursor))
        self._changed.set()
        return cursor

    def drop_watchers(self, error: PlatformError) -> None:
        """End every stream of phases with an error, and answer nothing else either."""
        self.away = error
        self._changed.set()

    def _held(self, action: ActionId) -> HeldRun:
        if self.fail_look is not None:
            raise self.fail_look
        if self.away is not None:
            raise self.away
        held = self.runs.get(key_of(action.run))
        if held is None:
            raise NotFound(f"no run {key_of(action.run)}", reason="RUN_NOT_FOUND")
        return held
