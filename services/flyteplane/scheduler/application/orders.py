"""What a worker is told about an attempt: the run, the task, and the attempt itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyte.spec.names import VERSION_ANNOTATION
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import Assign, DeclareRun, DeclareTask
from flyteplane.scheduler.application import wire

if TYPE_CHECKING:
    from flyteplane.scheduler.application.living import Action, Run, TaskRecord
    from flyteplane.scheduler.application.ports import RunKey


def data_prefix_of(key: RunKey, settings: RunSettings, *, platform: str) -> str:
    """Where a run keeps data, the attempts of its actions each under ACTION/ATTEMPT/; ends in "/"."""
    prefix = settings.data_prefix or platform
    return f"{prefix.rstrip('/')}/{key}/"


def declare_run(run: Run, *, data_prefix: str) -> DeclareRun:
    """Introduces a run. `data_prefix` is the platform's, for all runs; ends in "/"."""
    settings = run.settings
    project, domain, name = run.key
    return DeclareRun(
        run=RunId(project=project, domain=domain, name=name),
        key=run.key_text,
        env=settings.env,
        custom_context=settings.custom_context,
        data_prefix=data_prefix_of(run.key, settings, platform=data_prefix),
        start_time=wire.timestamp(run.row.created_at),
        labels=settings.labels,
        overwrite_cache=settings.overwrite_cache,
        trace_parent=settings.trace_parent,
        version=settings.annotations.get(VERSION_ANNOTATION, ""),
    )


def declare_task(task: TaskRecord, *, bundle_path: str) -> DeclareTask:
    """Introduces a task version."""
    return DeclareTask(digest=task.digest, spec=task.spec, bundle_path=bundle_path)


def assign(
    action: Action,
    *,
    token: str = "",
    secret_env: Mapping[str, bytes] | None = None,
    secret_files: Mapping[str, bytes] | None = None,
) -> Assign:
    """The present attempt of an action."""
    message = Assign()
    fill_assign(message, action, token=token)
    if secret_env:
        message.secret_env.update(secret_env)
    if secret_files:
        message.secret_files.update(secret_files)
    return message


def fill_assign(message: Assign, action: Action, *, token: str) -> None:
    """Writes the present attempt of an action where it is sent from: inputs may be large, and a copy of them dear."""
    state = action.state
    message.run = action.run.key_text
    message.action = action.name
    message.attempt = state.attempt
    message.task_digest = action.task.digest
    message.attempts_left = max(0, action.task.policy.retries - state.task_failures)
    if action.group:
        message.group = action.group
    if token:
        message.attempt_token = token
    message.inputs.ParseFromString(action.inputs)
    for record in action.traces:
        message.traces.add().ParseFromString(record)
    if action.custom_context:
        message.custom_context.update(RunSettings.FromString(action.custom_context).custom_context)
