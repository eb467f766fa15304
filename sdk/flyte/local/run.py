"""A run in this process: `flyte.run` without a platform, or with `mode="local"`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyte.authoring.identity import generate_random_name
from flyte.client.init import domain_or_default, project_or_default
from flyte.io.own_folder import own_temporary_folder
from flyte.local.cache import FileCache, default_cache_path
from flyte.local.controller import ROOT, LocalRunning
from flyte.local.failures import as_raised_by_run
from flyte.local.records import RecordedRun, RunRecords, default_records_path, this_process
from flyte.local.result import LocalResult, LocalRun
from flyte.local.secrets import LocalSecrets, default_secrets_path
from flyte.local.settings import LocalRunSettings
from flyte.local.variables import process_variables
from flyte.remote.values import ActionInputs, ActionOutputs
from flyte.spec.phases import ActionPhase
from flyte.types.interface import interface_codec

if TYPE_CHECKING:
    from flyte.authoring.task import TaskTemplate
    from flyte.client.run_settings import RunContext


async def run_locally(
    task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], *, context: RunContext
) -> LocalRun:
    """Run a task in this process and return when it has ended. Raises its failure, see `as_raised_by_run`."""
    codec = interface_codec(task.interface)
    inputs = codec.encode_inputs(args, kwargs)
    shown = ActionInputs(data=codec.decode_inputs(inputs))
    run, began = _settings(context), datetime.now(UTC)
    records = _process_records(default_records_path())
    record = records.begin(
        RecordedRun(
            name=run.name,
            task_name=task.name,
            project=run.project,
            domain=run.domain,
            folder=run.folder,
            process=this_process(),
            started_at=began.timestamp(),
            inputs=repr(dict(shown)),
        )
    )
    try:
        results = await _carry_out(task, inputs, run, context)
        values = codec.decode_named_outputs(results)
    except asyncio.CancelledError:
        records.end(record, phase=ActionPhase.ABORTED, code="ABORTED", message="The run was interrupted.")
        await _tell(context, run, task_name=task.name, phase=ActionPhase.ABORTED)
        raise
    except Exception as error:
        phase, code = _phase_of(error), _code_of(error)
        records.end(record, phase=phase, code=code, message=str(error))
        await _tell(context, run, task_name=task.name, phase=phase, error=f"{code}: {error}")
        raised = as_raised_by_run(error)
        if raised is error:
            raise
        raise raised from raised.__cause__
    records.end(record, phase=ActionPhase.SUCCEEDED, outputs=repr(values))
    await _tell(context, run, task_name=task.name, phase=ActionPhase.SUCCEEDED)
    return LocalRun(
        LocalResult(
            name=run.name,
            task_name=task.name,
            project=run.project,
            domain=run.domain,
            folder=Path(run.folder),
            report=Path(run.folder, ROOT, "report.html"),
            started_at=began,
            ended_at=datetime.now(UTC),
            inputs=shown,
            outputs=ActionOutputs.of(values),
            sent_inputs=inputs,
            sent_outputs=results,
        )
    )


async def _carry_out(
    task: TaskTemplate[Any, Any, Any], inputs: bytes, run: LocalRunSettings, context: RunContext
) -> bytes:
    from flyte.authoring.context import custom_context

    with custom_context(**context.custom_context):
        return await LocalRunning(run).run_root(task, inputs)


async def _tell(
    context: RunContext, run: LocalRunSettings, *, task_name: str, phase: ActionPhase, error: str = ""
) -> None:
    if context.notifications is not None:
        from flyte.local.notifying import send_notifications

        await asyncio.to_thread(
            send_notifications, context.notifications, run, task_name=task_name, phase=phase, error=error
        )


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
    folder = own_temporary_folder() / "metadata"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
