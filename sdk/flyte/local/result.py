"""What a run in this process leaves behind: it has the surface of `flyte.remote.Run`.

Only a run that has succeeded is returned, a failure is raised by `flyte.run`. What a task prints goes to the output of
this process, so there are no logs to ask for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyte.remote.values import ActionInputs, ActionOutputs, Deserializers, decode_values, deserialised, named_values
from flyte.spec.phases import ActionPhase
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyteapi.task.v1.value_pb2 import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalResult:
    """What is known of a local run that has succeeded. Inputs and outputs also in the form in which they travel."""

    name: str
    task_name: str
    project: str
    domain: str
    folder: Path
    report: Path
    started_at: datetime
    ended_at: datetime
    inputs: ActionInputs
    outputs: ActionOutputs
    sent_inputs: bytes
    sent_outputs: bytes


class _InlineRun:
    """A run that has ended in this process. It has the surface of `flyte.remote.Run`; programs print its class."""

    def __init__(self, result: LocalResult) -> None:
        self._result = result

    def __repr__(self) -> str:
        return f"LocalRun(name={self.name!r}, phase={self.phase.name})"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"A local run has no {name!r}: of runs on a platform only (flyte up, or flyte.init(endpoint=...))"
            if not name.startswith("_")
            else name
        )

    @property
    def name(self) -> str:
        """The name."""
        return self._result.name

    @property
    def task_name(self) -> str:
        """The full name of the task."""
        return self._result.task_name

    @property
    def project(self) -> str:
        """The project."""
        return self._result.project

    @property
    def domain(self) -> str:
        """The domain."""
        return self._result.domain

    @property
    def url(self) -> str:
        """The folder with the run's data."""
        return str(self._result.folder)

    @property
    def phase(self) -> ActionPhase:
        """SUCCEEDED: a local run that fails raises its error from `flyte.run`."""
        return ActionPhase.SUCCEEDED

    @property
    def raw_phase(self) -> int:
        """The phase as a platform would send it."""
        return self.phase.to_protobuf_value()

    @property
    def start_time(self) -> datetime:
        """When it began, in UTC."""
        return self._result.started_at

    @property
    def started_at(self) -> datetime:
        """When it began, in UTC."""
        return self._result.started_at

    @property
    def ended_at(self) -> datetime:
        """When it ended, in UTC."""
        return self._result.ended_at

    @property
    def duration(self) -> timedelta:
        """How long it took."""
        return self.ended_at - self.start_time

    def done(self) -> bool:
        """Tell whether the run has ended: always."""
        return True

    def error(self) -> None:
        """Return why the run did not succeed: it did."""

    @syncify.method
    async def wait(self, quiet: bool = False, wait_for: str = "terminal") -> None:
        """Return at once: the run has ended."""

    @syncify.method
    async def sync(self) -> _InlineRun:
        """Return the run."""
        return self

    @syncify.method
    async def raise_for_status(self) -> None:
        """Return: the run has succeeded."""

    @syncify.method
    async def first_failure(self) -> None:
        """Return the action that failed first: what failed here was tried again and succeeded."""

    @syncify.method
    async def abort(self, reason: str = "Manually aborted from the SDK api.") -> None:
        """Return: a run that has ended stays as it ended."""

    @syncify.method
    async def inputs(self) -> ActionInputs:
        """Return the inputs of the root action."""
        return self._result.inputs

    @syncify.method
    async def outputs(self) -> ActionOutputs:
        """Return the outputs of the root action."""
        return self._result.outputs

    @syncify.method
    async def typed_inputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the inputs by name, read as the given types; `deserializers` then change values of a type."""
        return deserialised(decode_values(self._result.sent_inputs, types=types), types, deserializers)

    @syncify.method
    async def typed_outputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the outputs by name, read as the given types; `deserializers` then change values of a type."""
        return deserialised(decode_values(self._result.sent_outputs, types=types), types, deserializers)

    @syncify.method
    async def input_literals(self) -> dict[str, Value]:
        """Return the inputs as they would travel to a platform."""
        return named_values(self._result.sent_inputs)

    @syncify.method
    async def output_literals(self) -> dict[str, Value]:
        """Return the outputs as they would travel to a platform."""
        return named_values(self._result.sent_outputs)

    @syncify.method
    async def get_report(self, attempt: int | None = None) -> str:
        """Return the HTML report of the last attempt of the root action, whatever `attempt` says.

        Raises RuntimeUserError (ReportNotFound) if it has written none.
        """
        try:
            return self.get_report_path().read_text()
        except FileNotFoundError:
            from flyte.errors import RuntimeUserError

            raise RuntimeUserError(
                "ReportNotFound", f"Task {self.task_name} has written no report: set report=True, and log something."
            ) from None

    @syncify.iterator_method
    async def get_logs(
        self, attempt: int | None = None, filter_system: bool = False, show_ts: bool = False
    ) -> AsyncIterator[str]:
        """Yield nothing: what the task wrote went to the output of this process."""
        lines: tuple[str, ...] = ()
        for line in lines:
            yield line

    @syncify.method
    async def show_logs(
        self,
        attempt: int | None = None,
        max_lines: int = 100,
        show_ts: bool = False,
        raw: bool = False,
        filter_system: bool = False,
    ) -> None:
        """Print nothing: what the task wrote went to the output of this process."""

    @syncify.method
    async def code_bundle(self) -> None:
        """Return the code bundle: there is none, the code of this process ran."""

    @syncify.method
    async def get_debug_url(self) -> None:
        """Return where the run can be debugged in a browser: nowhere."""

    def get_report_path(self) -> Path:
        """Return where the report of the root action is, if its task writes one."""
        return self._result.report


LocalRun = _InlineRun
"""How the SDK itself calls it."""
