"""A run in this process: `flyte.run` without a platform, or with `mode="local"`."""

from __future__ import annotations

import asyncio
import functools
import os
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyte.authoring.identity import generate_random_name
from flyte.client.init import domain_or_default, project_or_default
from flyte.local.cache import FileCache, default_cache_path
from flyte.local.controller import ROOT, LocalRunning
from flyte.local.records import RecordedRun, RunRecords, default_records_path, this_process
from flyte.local.secrets import LocalSecrets, default_secrets_path
from flyte.local.settings import LocalRunSettings
from flyte.local.variables import process_variables
from flyte.remote.values import ActionInputs, ActionOutputs
from flyte.spec.phases import ActionPhase
from flyte.syncify import syncify
from flyte.types.interface import interface_codec

if TYPE_CHECKING:
    from flyte.authoring.task import TaskTemplate
    from flyte.client.run_settings import RunContext


class LocalRun:
    """A run that has ended in this process. It has the surface of `flyte.remote.Run`."""

    def __init__(self, *, name: str, folder: Path, inputs: ActionInputs, outputs: ActionOutputs) -> None:
        self.name = name
        self._folder = folder
        self._inputs = inputs
        self._outputs = outputs

    def __repr__(self) -> str:
        return f"LocalRun(name={self.name!r}, phase={self.phase.name})"

    @property
    def url(self) -> str:
        """The folder with the run's data."""
        return str(self._folder)

    @property
    def phase(self) -> ActionPhase:
        """SUCCEEDED: a local run that fails raises its error from `flyte.run`."""
        return ActionPhase.SUCCEEDED

    def done(self) -> bool:
        """Tell whether the run has ended: always."""
        return True

    @syncify.method
    async def wait(self, quiet: bool = False, wait_for: str = "terminal") -> None:
        """Return at once: the run has ended."""

    @syncify.method
    async def sync(self) -> LocalRun:
        """Return the run."""
        return self

    @syncify.method
    async def raise_for_status(self) -> None:
        """Return: the run has succeeded."""

    @syncify.method
    async def inputs(self) -> ActionInputs:
        """Return the inputs of the root action."""
        return self._inputs

    @syncify.method
    async def outputs(self) -> ActionOutputs:
        """Return the outputs of the root action."""
        return self._outputs

    def get_report_path(self) -> Path:
        """Return where the report of the root action is, if its task writes one."""
        return self._folder / ROOT / "report.html"


async def run_locally(
    task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], *, context: RunContext
) -> LocalRun:
    """Run a task in this process and return when it has ended. Raises what the task raised."""
    codec = interface_codec(task.interface)
    inputs = codec.encode_inputs(args, kwargs)
    shown = ActionInputs(codec.decode_inputs(inputs))
    run = _settings(context)
    records = _process_records(default_records_path())
    record = records.begin(
        RecordedRun(
            name=run.name,
            task_name=task.name,
            project=run.project,
            domain=run.domain,
            folder=run.folder,
            process=this_process(),
            started_at=time.time(),
            inputs=repr(dict(shown)),
        )
    )
    try:
        values = codec.decode_named_outputs(await _carry_out(task, inputs, run, context))
    except asyncio.CancelledError:
        records.end(record, phase=ActionPhase.ABORTED, code="ABORTED", message="The run was interrupted.")
        raise
    except Exception as error:
        records.end(record, phase=_phase_of(error), code=_code_of(error), message=str(error))
        raise
    outputs = ActionOutputs(values.values(), values.keys())
    records.end(record, phase=ActionPhase.SUCCEEDED, outputs=repr(values))
    return LocalRun(name=run.name, folder=Path(run.folder), inputs=shown, outputs=outputs)


async def _carry_out(
    task: TaskTemplate[Any, Any, Any], inputs: bytes, run: LocalRunSettings, context: RunContext
) -> bytes:
    from flyte.authoring.context import custom_context

    with custom_context(**context.custom_context):
        return await LocalRunning(run).run_root(task, inputs)


def _phase_of(error: Exception) -> ActionPhase:
    from flyte.errors import TaskTimeoutError

    return ActionPhase.TIMED_OUT if isinstance(error, TaskTimeoutError) else ActionPhase.FAILED


def _code_of(error: Exception) -> str:
    from flyte.wire.errors import error_code

    return error_code(error)


def _settings(context: RunContext) -> LocalRunSettings:
    name = context.name or generate_random_name()
    project, domain = context.project or project_or_default(), context.domain or domain_or_default()
    base = Path(context.run_base_dir) if context.run_base_dir else _data_folder()
    return LocalRunSettings(
        name=name,
        project=project,
        domain=domain,
        folder=str(base / name),
        start_time=context.run_start_time or datetime.now(UTC),
        cache=_process_cache(default_cache_path()),
        reservations_folder=default_cache_path().with_name("reservations"),
        secrets=LocalSecrets(default_secrets_path()),
        variables=process_variables,
        env_vars=context.env_vars,
        raw_data_path=context.raw_data_path,
        overwrite_cache=context.overwrite_cache,
        disable_cache=context.disable_run_cache,
        cache_scope="" if context.cache_lookup_scope == "global" else f"{project}/{domain}",
    )


@functools.cache
def _process_cache(path: Path) -> FileCache:
    return FileCache(path)


@functools.cache
def _process_records(path: Path) -> RunRecords:
    return RunRecords(path)


def _data_folder() -> Path:
    """Return the folder for the data of runs, which nobody else can write to."""
    own = Path(tempfile.gettempdir()) / f"flyte-{os.getuid()}"
    own.mkdir(mode=0o700, exist_ok=True)
    if own.is_symlink() or own.stat().st_uid != os.getuid():
        return Path(tempfile.mkdtemp(prefix=own.name))
    return own / "runs"
