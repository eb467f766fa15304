"""One attempt as the worker holds it, and what its task may know of itself."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from flyte.authoring.bundles import CheckpointPaths, CodeBundle, RawDataPath
from flyte.authoring.checkpoint import Checkpoint
from flyte.authoring.identity import ActionID, GroupData
from flyte.authoring.task_context import TaskContext
from flyte.runner.controller import AttemptController
from flyte.runner.output_capture import AttemptOutput
from flyteapi.scheduler.v1.worker_service_pb2 import Assign, DeclareRun
from flyteapi.task.v1.task_spec_pb2 import TaskSpec

if TYPE_CHECKING:
    from flyte.spec.masking import Mask
    from flyte.spec.trace_context import TraceContext

_CHECKPOINT: Final = "checkpoint"


class RunOfTask:
    """What all attempts of one task in one run have in common, worked out once."""

    def __init__(self, run: DeclareRun, spec: TaskSpec, *, bundle_path: str) -> None:
        self.run = run
        self.spec = spec
        self.project = run.run.project
        self.domain = run.run.domain
        self.run_name = run.run.name
        self.data_prefix = run.data_prefix
        self.bundle_digest = spec.entrypoint.bundle_digest
        self.custom_context: Mapping[str, str] = MappingProxyType(dict(run.custom_context))
        self._trace = _trace_of_run(run)
        self._bundle_path = bundle_path
        self._variables = {
            **spec.image.env,
            **run.env,
            **spec.env,
            "FLYTE_PROJECT": self.project,
            "FLYTE_DOMAIN": self.domain,
            "FLYTE_RUN_NAME": self.run_name,
        }

    def prefix(self, assign: Assign) -> str:
        """Where an attempt keeps its data; ends in "/"."""
        return f"{self.data_prefix}{assign.action}/{assign.attempt}/"

    def trace_of(self, assign: Assign) -> TraceContext | None:
        """The span in which the code of an attempt runs; None where the run is not traced."""
        if self._trace is None:
            return None
        from flyte.spec.trace_context import attempt_context

        return attempt_context(self._trace, self.run_name, assign.action, assign.attempt)

    def custom_context_of(self, assign: Assign) -> Mapping[str, str]:
        """The custom context of an invocation: its own, or the run's."""
        return MappingProxyType(dict(assign.custom_context)) if assign.custom_context else self.custom_context

    def variables(self, assign: Assign) -> dict[str, str]:
        """Environment variables of an attempt: the platform's, before the task's, the run's and the image's."""
        variables = self._variables.copy()
        variables["FLYTE_ACTION_NAME"] = assign.action
        variables["FLYTE_ATTEMPT_NUMBER"] = str(assign.attempt - 1)
        if (trace := self.trace_of(assign)) is not None:
            from flyte.spec.trace_context import TRACE_PARENT_VARIABLE

            variables[TRACE_PARENT_VARIABLE] = str(trace)
        return variables

    def task_context(self, assign: Assign, *, custom_context: Mapping[str, str], report: Any) -> TaskContext:
        """What `flyte.ctx()` returns in an attempt."""
        prefix = self.prefix(assign)
        before = self._checkpoints_before(assign)
        action = ActionID(name=assign.action, run_name=self.run_name, project=self.project, domain=self.domain)
        return TaskContext(
            action=action,
            task_action=action,
            version=self.run.version or self.bundle_digest,
            raw_data_path=RawDataPath(path=prefix),
            output_path=prefix,
            run_base_dir=self.data_prefix,
            report=report,
            group_data=GroupData(assign.group) if assign.group else None,
            checkpoint_paths=CheckpointPaths(before[0] if before else None, prefix + _CHECKPOINT),
            checkpoint=Checkpoint(prefix + _CHECKPOINT, sources=before),
            code_bundle=self._code_bundle,
            custom_context=custom_context,
            run_start_time=self._start_time,
            attempt_number=assign.attempt - 1,
        )

    def _checkpoints_before(self, assign: Assign) -> Sequence[str]:
        """Where the attempts before may have left checkpoints, the latest first."""
        if assign.attempt <= 1:
            return ()
        numbers = range(assign.attempt - 1, 0, -1)
        return [f"{self.data_prefix}{assign.action}/{number}/{_CHECKPOINT}" for number in numbers]

    @cached_property
    def _code_bundle(self) -> CodeBundle | None:
        if not self.bundle_digest:
            return None
        path = Path(self._bundle_path) if self._bundle_path else None
        return CodeBundle(computed_version=self.bundle_digest, downloaded_path=path)

    @cached_property
    def _start_time(self) -> datetime | None:
        if not self.run.HasField("start_time"):
            return None
        since_epoch = self.run.start_time
        return datetime.fromtimestamp(since_epoch.seconds, UTC) + timedelta(microseconds=since_epoch.nanos // 1000)


def _trace_of_run(run: DeclareRun) -> TraceContext | None:
    if not run.trace_parent:
        return None
    # Most runs are not traced, and pods start sooner without it.
    from flyte.spec.trace_context import TraceContext

    return TraceContext.parse(run.trace_parent)


class Attempt:
    """An attempt that was assigned and is not over."""

    __slots__ = (
        "assign",
        "cancel_reason",
        "common",
        "context",
        "controller",
        "entered",
        "lease",
        "mask",
        "output",
        "over",
        "revoked",
        "task",
        "tasks",
        "variables",
    )

    def __init__(
        self,
        lease: int,
        *,
        assign: Assign,
        common: RunOfTask,
        output: AttemptOutput,
        mask: Mask | None,
        controller: AttemptController,
        context: contextvars.Context,
    ) -> None:
        self.lease = lease
        self.assign = assign
        self.common = common
        self.output = output
        self.mask = mask
        """Recognises the values of the attempt's secrets; None if it has none."""
        self.controller = controller
        self.context = context
        self.variables = common.variables(assign)
        self.task: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        """Tasks that user code has started on the worker's loop."""
        self.cancel_reason: str | None = None
        self.revoked = False
        self.entered = False
        self.over = False
