"""The scheduler behind the port of the use cases."""

from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING, Final

from flyte.spec.child_names import ROOT_ACTION
from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import (
    AbortActionRequest,
    AcceptRunRequest,
    GetActionDataRequest,
    GetActionRequest,
    ListPausedRunsRequest,
    RunSettings,
    WatchRunPhasesRequest,
    WatchRunPhasesResponse,
)
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.admin.application.ports import PhaseBatch, PhaseChange
from flyteplane.admin.domain.run import RunKey, RunPhase, RunProgress, Submission
from flyteplane.rpc.client import translated_errors

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceAsyncStub

#: A call that takes longer is given up and, if it changes something, tried again.
CALL_TIMEOUT_S: Final = 10.0
#: Present state is worth a short wait only: the mirror has it too.
LOOK_TIMEOUT_S: Final = 2.0


class RemoteScheduler:
    """See `ports.Scheduler`."""

    def __init__(self, stub: "SchedulerServiceAsyncStub") -> None:
        self._stub = stub

    async def accept(self, submission: Submission) -> None:
        settings = RunSettings.FromString(submission.settings)
        # They are admin's to send, and whoever has the address of a webhook can post there.
        settings.ClearField("notifications")
        request = AcceptRunRequest(
            run=run_id(submission.run),
            digest=submission.digest,
            task=TaskSpec.FromString(submission.task_spec),
            inputs=Payload.FromString(submission.inputs),
            inputs_digest=submission.inputs_digest,
            settings=settings,
        )
        with translated_errors():
            await self._stub.AcceptRun(request, timeout=CALL_TIMEOUT_S)

    async def abort(self, run: RunKey, *, action: str, reason: str) -> RunPhase:
        request = AbortActionRequest(action=_action_id(run, action), reason=reason)
        with translated_errors():
            response = await self._stub.AbortAction(request, timeout=CALL_TIMEOUT_S)
        return RunPhase.of(response.phase)

    async def progress(self, run: RunKey) -> RunProgress:
        with translated_errors():
            response = await self._stub.GetAction(
                GetActionRequest(action=_action_id(run, ROOT_ACTION)), timeout=LOOK_TIMEOUT_S
            )
        action = response.action
        return RunProgress(
            phase=RunPhase.of(action.phase),
            started_at_us=_microseconds(action.started_at) if action.HasField("started_at") else None,
            ended_at_us=_microseconds(action.ended_at) if action.HasField("ended_at") else None,
            error=action.error.SerializeToString() if action.HasField("error") else b"",
        )

    async def task_of(self, run: RunKey, *, action: str) -> TaskSpec:
        with translated_errors():
            response = await self._stub.GetAction(
                GetActionRequest(action=_action_id(run, action)), timeout=CALL_TIMEOUT_S
            )
        return response.task

    async def inputs_of(self, run: RunKey, *, action: str) -> Payload:
        with translated_errors():
            response = await self._stub.GetActionData(
                GetActionDataRequest(action=_action_id(run, action)), timeout=CALL_TIMEOUT_S
            )
        return response.inputs

    async def paused(self, *, project: str, domain: str) -> Collection[RunKey]:
        request, found = ListPausedRunsRequest(project=project, domain=domain), set[RunKey]()
        with translated_errors():
            async for part in self._stub.ListPausedRuns(request, timeout=CALL_TIMEOUT_S):
                found |= {RunKey(run.project, run.domain, run.name) for run in part.runs}
        return found

    async def phases(self, cursor: int) -> AsyncIterator[PhaseBatch]:
        with translated_errors():
            async for response in self._stub.WatchRunPhases(WatchRunPhasesRequest(cursor=cursor)):
                yield PhaseBatch(changes=[_change(change) for change in response.changes], cursor=response.cursor)


def run_id(run: RunKey) -> RunId:
    """The message that names a run."""
    return RunId(project=run.project, domain=run.domain, name=run.name)


def _action_id(run: RunKey, action: str) -> ActionId:
    return ActionId(run=run_id(run), name=action)


def _change(change: WatchRunPhasesResponse.RunPhase) -> PhaseChange:
    phase = RunPhase.of(change.phase)
    return PhaseChange(
        run=RunKey(change.run.project, change.run.domain, change.run.name),
        progress=RunProgress(
            phase=phase,
            started_at_us=_microseconds(change.started_at) if change.HasField("started_at") else None,
            ended_at_us=_microseconds(change.time) if phase.is_terminal else None,
            error=change.error.SerializeToString() if change.HasField("error") else b"",
        ),
    )


def _microseconds(time: "Timestamp") -> int:
    return time.seconds * 1_000_000 + time.nanos // 1000
