"""Turning what somebody asked for into a draft that is known to be sound.

Everything that can be known to be wrong is refused here, before anything is stored: names, settings, the task's
configuration and the inputs. Each refusal names the field, the limit and the mend.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from flyte.spec.digests import inputs_digest
from flyte.spec.names import DEFAULT_QUEUE, VERSION_ANNOTATION
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import NamedValues, Payload
from flyteplane.admin.application.input_rules import check_inputs
from flyteplane.admin.application.notification_rules import NotificationRules
from flyteplane.admin.application.ports import TaskStore
from flyteplane.admin.application.setting_rules import (
    check_place,
    check_run_name,
    check_settings,
    check_task,
)
from flyteplane.admin.domain.notification import Deliveries
from flyteplane.admin.domain.run import NotificationPlan, RunDraft, RunKey, TaskChoice
from flyteplane.admin.domain.task_version import DeployedTask
from flyteplane.foundation.absent import absent_task
from flyteplane.foundation.errors import InvalidArgument, NotFound
from flyteplane.foundation.repetition import check_request_id

_TASKS_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskVersionName:
    """Names a deployed version; an empty version means the newest."""

    project: str
    domain: str
    name: str
    version: str = ""


AskedTask: TypeAlias = TaskSpec | TaskVersionName


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRun:
    """A run as it was asked for; the messages in it are not changed."""

    project: str
    domain: str
    task: AskedTask | None
    created_by: str
    name: str = ""
    request_id: str = ""
    inputs: Payload = field(default_factory=Payload)
    inputs_digest: bytes = b""
    settings: RunSettings = field(default_factory=RunSettings)
    source: RunKey | None = None
    task_version: str = ""
    """Of a task in full that was deployed once; empty for others."""
    trigger: str = ""
    trace_parent: str = ""
    """That of the call by which it was asked for; empty for none. The settings' own is preferred."""


class Admission:
    """Checks runs. Remembers the task versions that passed, because most runs are of a task that ran before."""

    def __init__(self, *, tasks: TaskStore, deliveries: Deliveries | None = None) -> None:
        self._tasks = tasks
        self._notifications = NotificationRules(deliveries or Deliveries())
        self._sound: OrderedDict[bytes, None] = OrderedDict()

    async def draft(self, asked: AskedRun) -> RunDraft:
        """The draft of a run. Raises InvalidArgument, and NotFound for a task version that is not there."""
        check_place(asked.project, domain=asked.domain, field="run")
        if asked.name:
            check_run_name(asked.name)
        check_request_id(asked.request_id)
        notifications = self.check_settings(asked.settings)
        choice, spec = await self._choose(asked.task)
        check_inputs(asked.inputs, spec=spec, digest=asked.inputs_digest)
        settings = RunSettings()
        settings.CopyFrom(asked.settings)
        settings.ClearField("trace_parent")
        return RunDraft(
            project=asked.project,
            domain=asked.domain,
            name=asked.name,
            request_id=asked.request_id,
            task=choice,
            inputs=asked.inputs.SerializeToString(deterministic=True),
            inputs_digest=asked.inputs_digest or _inputs_digest(asked.inputs, spec),
            settings=settings.SerializeToString(deterministic=True),
            labels=dict(asked.settings.labels),
            queue=spec.queue or asked.settings.queue or DEFAULT_QUEUE,
            task_version=choice.version or asked.task_version or asked.settings.annotations.get(VERSION_ANNOTATION, ""),
            created_by=asked.created_by,
            source=asked.source,
            trigger=asked.trigger,
            notifications=notifications,
            trace_parent=asked.settings.trace_parent or asked.trace_parent,
        )

    def check_settings(self, settings: RunSettings) -> tuple[NotificationPlan, ...]:
        """Check the settings of a run; returns what is sent when it ends. Raises InvalidArgument."""
        check_settings(settings)
        return self._notifications.plan(settings)

    def sound_task(self, spec: TaskSpec) -> TaskChoice:
        """A task given in full, checked. Raises InvalidArgument."""
        content = spec.SerializeToString(deterministic=True)
        digest = hashlib.sha256(content).digest()
        if digest not in self._sound:
            check_task(spec)
            self._sound[digest] = None
            if len(self._sound) > _TASKS_REMEMBERED:
                self._sound.popitem(last=False)
        return TaskChoice(name=spec.name, digest=digest, spec=content)

    async def _choose(self, task: AskedTask | None) -> tuple[TaskChoice, TaskSpec]:
        if task is None:
            raise InvalidArgument(
                "a run needs a task",
                reason="TASK_MISSING",
                field="task",
                mend="Give a spec or name a deployed version.",
            )
        if isinstance(task, TaskSpec):
            return self.sound_task(task), task
        found = await self._tasks.get(project=task.project, domain=task.domain, name=task.name, version=task.version)
        if found is None:
            raise unknown_task(task)
        return _deployed_choice(found, newest=not task.version), TaskSpec.FromString(found.spec)


def _inputs_digest(inputs: Payload, spec: TaskSpec) -> bytes:
    """The digest of inputs that came without one, where a cache will ask for it."""
    if not spec.cache.enabled or inputs.WhichOneof("place") == "reference":
        return b""
    return inputs_digest(NamedValues.FromString(inputs.inline), spec.cache.ignored_inputs)


def unknown_task(task: TaskVersionName) -> NotFound:
    """The refusal of a version that nobody deployed."""
    return absent_task(f"{task.project}/{task.domain}/{task.name}", version=task.version)


def _deployed_choice(task: DeployedTask, *, newest: bool) -> TaskChoice:
    return TaskChoice(name=task.name, digest=task.digest, spec=task.spec, newest=newest, version=task.version)
