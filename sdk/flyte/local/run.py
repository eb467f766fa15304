"""A run in this process: `flyte.run` without a platform, or with `mode="local"`."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyte.authoring.identity import generate_random_name
from flyte.client.init import current_domain, current_project
from flyte.local.cache import FileCache, default_cache_path
from flyte.local.calls import LocalRunSettings
from flyte.local.controller import ROOT, LocalController
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
    from flyte.authoring.context import custom_context

    codec = interface_codec(task.interface)
    inputs = codec.encode_inputs(args, kwargs)
    run = _settings(context)
    with custom_context(**context.custom_context):
        outputs = await LocalController(run).run_root(task, inputs)
    values = codec.decode_named_outputs(outputs)
    return LocalRun(
        name=run.name,
        folder=run.folder,
        inputs=ActionInputs(codec.decode_inputs(inputs)),
        outputs=ActionOutputs(values.values(), values.keys()),
    )


def _settings(context: RunContext) -> LocalRunSettings:
    name = context.name or generate_random_name()
    project, domain = context.project or current_project(), context.domain or current_domain()
    base = Path(context.run_base_dir) if context.run_base_dir else _data_folder()
    return LocalRunSettings(
        name=name,
        project=project,
        domain=domain,
        folder=base / name,
        start_time=context.run_start_time or datetime.now(UTC),
        cache=_process_cache(default_cache_path()),
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


def _data_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"flyte-{os.getuid()}" / "runs"
