"""Running something again: a run, one of its actions as a run of its own, or only what did not succeed.

The new run is an ordinary one, made of the source's task, inputs and settings where the caller gives no others. What a
recovery takes over is the scheduler's decision; admin names the run to recover from.
"""

from dataclasses import dataclass

from flyte.spec.child_names import ROOT_ACTION
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.admin.application.admission import Admission, AskedRun
from flyteplane.admin.application.create_run import CreateRun
from flyteplane.admin.application.notification_messages import restore_secrets
from flyteplane.admin.application.ports import Scheduler, StoredRun
from flyteplane.admin.application.read_runs import ReadRuns
from flyteplane.admin.domain.run import RunKey, RunRecord
from flyteplane.foundation.errors import InvalidArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRerun:
    """What to run again; None and empty mean "as the source"."""

    source: RunKey
    action: str
    name: str
    request_id: str
    recover: bool
    force_actions: tuple[str, ...]
    inputs: Payload | None
    inputs_digest: bytes
    settings: RunSettings | None
    created_by: str
    trace_parent: str = ""
    """That of the call; empty for none."""


class RerunRun:
    """The use case. One instance serves all calls."""

    def __init__(self, *, reads: ReadRuns, scheduler: Scheduler, admission: Admission, create: CreateRun) -> None:
        self._reads = reads
        self._scheduler = scheduler
        self._admission = admission
        self._create = create

    async def __call__(self, asked: AskedRerun) -> StoredRun:
        """Submit the new run. Raises NotFound (source, action) and what `CreateRun` raises."""
        _refuse_contradictions(asked)
        source = await self._reads.taken(asked.source)
        whole = asked.action in ("", ROOT_ACTION)
        task = await self._task_of(source, action=asked.action, whole=whole)
        inputs, inputs_digest = await self._inputs_of(asked, source=source, whole=whole)
        draft = await self._admission.draft(
            AskedRun(
                project=source.key.project,
                domain=source.key.domain,
                name=asked.name,
                request_id=asked.request_id,
                task=task,
                inputs=inputs,
                inputs_digest=inputs_digest,
                settings=_settings(asked, source=source),
                created_by=asked.created_by,
                source=source.key,
                task_version=source.task_version if whole else "",
                trace_parent=asked.trace_parent,
            )
        )
        return await self._create(draft)

    async def _task_of(self, source: RunRecord, *, action: str, whole: bool) -> TaskSpec:
        if whole:
            return TaskSpec.FromString(await self._reads.task_spec(source))
        return await self._scheduler.task_of(source.key, action=action)

    async def _inputs_of(self, asked: AskedRerun, *, source: RunRecord, whole: bool) -> tuple[Payload, bytes]:
        if asked.inputs is not None:
            return asked.inputs, asked.inputs_digest
        inputs = await self._scheduler.inputs_of(source.key, action=asked.action or ROOT_ACTION)
        return inputs, source.inputs_digest if whole else b""


def _refuse_contradictions(asked: AskedRerun) -> None:
    if asked.force_actions and not asked.recover:
        raise InvalidArgument(
            "only a recovery can force actions to run again",
            reason="INVALID_SETTING",
            field="force_actions",
            mend="Set recover, or leave force_actions empty.",
        )
    if asked.recover and asked.action not in ("", ROOT_ACTION):
        raise InvalidArgument(
            "a recovery is of the whole run",
            reason="INVALID_SETTING",
            field="action",
            mend="Leave action empty, or run the action again without recover.",
        )


def _settings(asked: AskedRerun, *, source: RunRecord) -> RunSettings:
    settings = RunSettings()
    if asked.settings is not None:
        # On the copy: the message itself is the caller's, who may not see them.
        settings.CopyFrom(asked.settings)
        restore_secrets(settings, source=RunSettings.FromString(source.settings))
    else:
        settings.ParseFromString(source.settings)
    # A recovery of the source is over; whether this run recovers is for its own caller to say.
    settings.ClearField("recover_from")
    settings.ClearField("force_actions")
    if asked.settings is None:
        # The trace of the source was the source's: this run belongs to that of its own call.
        settings.ClearField("trace_parent")
    if asked.recover:
        key = source.key
        settings.recover_from.CopyFrom(RunId(project=key.project, domain=key.domain, name=key.name))
        settings.force_actions.extend(asked.force_actions)
    return settings
