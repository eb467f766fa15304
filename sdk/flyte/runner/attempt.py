"""One attempt as the worker holds it, and what its task may know of itself."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from flyteapi.scheduler.v1.worker_service_pb2 import Assign, DeclareRun
from flyteapi.task.v1.task_spec_pb2 import TaskSpec

from flyte.authoring.bundles import CheckpointPaths, CodeBundle, RawDataPath
from flyte.authoring.identity import ActionID, GroupData
from flyte.authoring.task_context import TaskContext
from flyte.runner.controller import AttemptController
from flyte.runner.output_capture import AttemptOutput

_CHECKPOINT = "checkpoint"


class Attempt:
    """An attempt that was assigned and is not over."""

    __slots__ = (
        "assign",
        "cancel_reason",
        "context",
        "controller",
        "entered",
        "lease",
        "output",
        "over",
        "revoked",
        "run",
        "spec",
        "task",
        "tasks",
    )

    def __init__(
        self,
        lease: int,
        *,
        assign: Assign,
        run: DeclareRun,
        spec: TaskSpec,
        output: AttemptOutput,
        controller: AttemptController,
        context: contextvars.Context,
    ) -> None:
        self.lease = lease
        self.assign = assign
        self.run = run
        self.spec = spec
        self.output = output
        self.controller = controller
        self.context = context
        self.task: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        """Tasks that user code has started on the worker's loop."""
        self.cancel_reason: str | None = None
        self.revoked = False
        self.entered = False
        self.over = False


def attempt_prefix(run: DeclareRun, assign: Assign) -> str:
    """Where an attempt keeps its data; ends in "/"."""
    return f"{run.data_prefix}{assign.action}/{assign.attempt}/"


def custom_context_of(run: DeclareRun, assign: Assign) -> Mapping[str, str]:
    """The custom context of an invocation: its own, or the run's."""
    return MappingProxyType(dict(assign.custom_context or run.custom_context))


def variables_of(run: DeclareRun, assign: Assign, spec: TaskSpec) -> dict[str, str]:
    """Environment variables of an attempt: the run's, the image's and the task's own, and what the platform says."""
    variables = {**run.env, **spec.image.env, **spec.env}
    variables["FLYTE_PROJECT"] = run.run.project
    variables["FLYTE_DOMAIN"] = run.run.domain
    variables["FLYTE_RUN_NAME"] = run.run.name
    variables["FLYTE_ACTION_NAME"] = assign.action
    variables["FLYTE_ATTEMPT_NUMBER"] = str(assign.attempt - 1)
    if assign.attempt_token:
        variables["FLYTE_ATTEMPT_TOKEN"] = assign.attempt_token
    return variables


def task_context(
    run: DeclareRun, assign: Assign, spec: TaskSpec, *, bundle_path: str, custom_context: Mapping[str, str], report: Any
) -> TaskContext:
    """What `flyte.ctx()` returns in the attempt."""
    prefix = attempt_prefix(run, assign)
    action = ActionID(
        name=assign.action, run_name=run.run.name, project=run.run.project, domain=run.run.domain
    )
    return TaskContext(
        action=action,
        task_action=action,
        version=spec.cache.version,
        raw_data_path=RawDataPath(path=prefix),
        output_path=prefix,
        run_base_dir=run.data_prefix,
        report=report,
        group_data=GroupData(assign.group) if assign.group else None,
        checkpoint_paths=_checkpoints(run, assign),
        code_bundle=_code_bundle(spec, bundle_path),
        custom_context=custom_context,
        run_start_time=_moment(run),
        attempt_number=assign.attempt - 1,
    )


def _checkpoints(run: DeclareRun, assign: Assign) -> CheckpointPaths:
    before = f"{run.data_prefix}{assign.action}/{assign.attempt - 1}/{_CHECKPOINT}" if assign.attempt > 1 else None
    return CheckpointPaths(before, f"{attempt_prefix(run, assign)}{_CHECKPOINT}")


def _code_bundle(spec: TaskSpec, bundle_path: str) -> CodeBundle | None:
    from pathlib import Path

    digest = spec.entrypoint.bundle_digest
    if not digest:
        return None
    return CodeBundle(computed_version=digest, downloaded_path=Path(bundle_path) if bundle_path else None)


def _moment(run: DeclareRun) -> datetime | None:
    return run.start_time.ToDatetime(tzinfo=UTC) if run.HasField("start_time") else None
