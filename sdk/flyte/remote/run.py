"""A run on the platform: its phase, its results, and what can be done to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from flyte.client.channel import Connection, connection
from flyte.client.init import current_domain, current_project, current_settings
from flyte.client.known_console import known_console
from flyte.errors import BaseRuntimeError
from flyte.remote.action import ROOT, ActionDetails, optional_moment
from flyte.remote.failures import error_from_proto
from flyte.remote.filters import Order, SortBy, seconds_of
from flyte.remote.listing import TimeFilter, list_runs
from flyte.remote.message_view import MessageView
from flyte.remote.payloads import fetch_payload
from flyte.remote.phases import is_terminal, phase_from_proto
from flyte.remote.run_details import RunDetails, run_id
from flyte.remote.values import ActionInputs, ActionOutputs, Deserializers, decode_values, deserialised
from flyte.remote.watching import watch_run
from flyte.spec.phases import ActionPhase
from flyte.syncify import EitherIteratorMethod, syncify
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteapi.scheduler.v1.event_pb2 import Event
from flyteapi.task.v1.value_pb2 import Payload

if TYPE_CHECKING:
    from pathlib import Path

    from flyte.authoring.bundles import CodeBundle
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec
    from flyteapi.task.v1.value_pb2 import Value

WaitFor = Literal["terminal", "running"]

_ORDERS: Final[Mapping[str, Callable[[api.Run], Any]]] = {
    **{field: seconds_of(field) for field in ("created_at", "started_at", "ended_at")},
    "updated_at": lambda run: max(seconds_of(field)(run) for field in ("created_at", "started_at", "ended_at")),
    "name": lambda run: run.id.name,
    "task_name": lambda run: run.task_name,
    "phase": lambda run: run.phase,
}


class Run(MessageView):
    """A run, as far as this process knows it. `sync`, `wait` and `outputs` bring what it knows up to date."""

    def __init__(self, message: api.Run, *, types: TaskTypes | None = None) -> None:
        self._message = message
        self._types = types
        self._next_sequence = 1
        self._outputs: Payload | None = None
        self._task: TaskSpec | None = None

    def __repr__(self) -> str:
        return f"Run(name={self.name!r}, task={self.task_name!r}, phase={self.phase.name})"

    @property
    def message(self) -> api.Run:
        """What the platform said of the run last."""
        return self._message

    @property
    def name(self) -> str:
        """The name, unique in project and domain."""
        return self._message.id.name

    @property
    def project(self) -> str:
        """The project."""
        return self._message.id.project

    @property
    def domain(self) -> str:
        """The domain."""
        return self._message.id.domain

    @property
    def task_name(self) -> str:
        """The full name of the task of the root action."""
        return self._message.task_name

    @property
    def url(self) -> str:
        """Where people can look at the run: an address of the console, or `flyte://...` where none is known.

        The platform says where its console is when `flyte.remote.User.get` asks who calls.
        """
        settings = current_settings()
        console = known_console(settings.endpoint if settings is not None else None)
        place = f"{self.project}/{self.domain}/{self.name}"
        return f"{console}/runs/{place}" if console else f"flyte://{place}"

    @property
    def phase(self) -> ActionPhase:
        """The phase that was seen last."""
        return phase_from_proto(self._message.phase)

    @property
    def raw_phase(self) -> int:
        """The phase as the platform sends it."""
        return self._message.phase

    @property
    def start_time(self) -> datetime:
        """When the run was accepted, in UTC."""
        return self._message.created_at.ToDatetime(tzinfo=UTC)

    @property
    def started_at(self) -> datetime | None:
        """When its code ran first, in UTC; None before."""
        return optional_moment(self._message, "started_at")

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, in UTC; None before."""
        return optional_moment(self._message, "ended_at")

    @property
    def duration(self) -> timedelta:
        """From its acceptance to its end, or to now."""
        return (self.ended_at or datetime.now(UTC)) - self.start_time

    def done(self) -> bool:
        """Tell whether the run had ended when it was looked at last."""
        return is_terminal(self._message.phase)

    @syncify.class_method
    @classmethod
    async def get(cls, name: str, *, project: str | None = None, domain: str | None = None) -> Run:
        """Return a run by name. Raises RuntimeUserError with code NotFound if there is none."""
        return cls(await _fetch(connection(), run_id(name, project=project, domain=domain)))

    @syncify.iterator_class_method
    @classmethod
    async def listall(
        cls,
        in_phase: tuple[ActionPhase | str, ...] | None = None,
        task_name: str | None = None,
        task_version: str | None = None,
        created_by_subject: str | None = None,
        sort_by: SortBy | None = None,
        limit: int = 100,
        project: str | None = None,
        domain: str | None = None,
        created_at: TimeFilter | None = None,
        updated_at: TimeFilter | None = None,
        with_labels: Mapping[str, str] | None = None,
        with_label_keys: Sequence[str] | None = None,
        paused_actions_only: bool = False,
    ) -> AsyncIterator[Run]:
        """Yield runs, the newest first, at most `limit`. Conditions hold together.

        `updated_at` is when a run changed its phase last; `paused_actions_only` leaves runs that wait for an answer.
        Raises ValueError for an order that there is not; any other than the newest first reads the whole list.
        """
        order = Order(sort_by, ("created_at", "desc"), _ORDERS)
        order.check(of="Run.listall")
        messages = list_runs(
            connection(),
            limit=order.needed(limit),
            project=project or current_project(),
            domain=domain or current_domain(),
            in_phase=in_phase,
            task_name=task_name or "",
            created_by=created_by_subject or "",
            created_at=created_at,
            updated_at=updated_at,
            labels=with_labels,
            label_keys=with_label_keys or (),
            task_version=task_version or "",
            paused_only=paused_actions_only,
        )
        async for message in order.of(messages, limit=limit):
            yield cls(message)

    @syncify.method
    async def sync(self) -> Run:
        """Ask the platform how the run is now, and return it."""
        self._message = await _fetch(connection(), self._message.id)
        return self

    @syncify.method
    async def wait(self, quiet: bool = False, wait_for: WaitFor = "terminal") -> None:
        """Wait until the run has ended, or runs. A platform that restarts meanwhile is waited for.

        The end may be a failure: `phase` and `raise_for_status` tell.
        """
        await self._wait(connection(), wait_for=wait_for)

    async def _wait(self, platform: Connection, *, wait_for: WaitFor = "terminal") -> None:
        if self._is_reached(wait_for):
            return
        async for piece in watch_run(
            platform, self._message.id, from_sequence=self._next_sequence, root_only=True, must_answer=False
        ):
            for event in piece.events:
                if event.action == ROOT:
                    self.apply(event)
            self._next_sequence = piece.next_sequence or self._next_sequence
            if piece.resync or piece.ended:
                await self._sync_unless_ended(platform)
            if self._is_reached(wait_for):
                return

    def _is_reached(self, wait_for: WaitFor) -> bool:
        return self.done() or (wait_for == "running" and self.phase is ActionPhase.RUNNING)

    async def _sync_unless_ended(self, platform: Connection) -> None:
        if not self.done():
            self._message = await _fetch(platform, self._message.id)

    def apply(self, event: Event) -> None:
        """Take in an event of the root action."""
        changed = api.Run()
        changed.CopyFrom(self._message)
        changed.phase = event.phase
        if is_terminal(event.phase):
            changed.ended_at.CopyFrom(event.time)
            if event.HasField("error"):
                changed.error.CopyFrom(event.error)
            if event.HasField("outputs"):
                self._outputs = event.outputs
        self._message = changed

    @EitherIteratorMethod
    async def watch(self, cache_data_on_done: bool = False) -> AsyncIterator[ActionDetails]:
        """Yield the root action's details whenever its phase changes, until the run has ended."""
        platform = connection()
        shown: tuple[int, int] | None = None
        async for _ in self._root_events(platform):
            # By now it may be further than the event says: the events that follow then show nothing new.
            details = await ActionDetails.fetch(platform, self._root_id())
            if shown != (shown := (details.attempts, details.raw_phase)):
                yield details

    async def _root_events(self, platform: Connection) -> AsyncIterator[Event]:
        async for piece in watch_run(platform, self._message.id):
            for event in piece.events:
                if event.action == ROOT:
                    self.apply(event)
                    yield event
            if piece.resync or piece.ended:
                await self._sync_unless_ended(platform)

    @syncify.method
    async def outputs(self) -> ActionOutputs:
        """Wait for the end and return the outputs. Raises the run's error if it did not succeed."""
        return await self._read_outputs(connection(), types=self._types.outputs if self._types else None)

    @syncify.method
    async def typed_outputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the outputs by name, read as the given types; `deserializers` then change values of a type."""
        values = (await self._read_outputs(connection(), types=types)).named_outputs
        return deserialised(values, types, deserializers)

    async def _read_outputs(self, platform: Connection, *, types: Mapping[str, Any] | None) -> ActionOutputs:
        await self._wait(platform)
        self._raise_unless_succeeded()
        if self._outputs is None:
            self._outputs = (await self._data(platform)).outputs
        values = decode_values(await fetch_payload(platform, self._outputs), types=types)
        return ActionOutputs.of(values)

    @syncify.method
    async def inputs(self) -> ActionInputs:
        """Return the inputs of the root action."""
        return await self._read_inputs(connection(), types=self._types.inputs if self._types else None)

    @syncify.method
    async def typed_inputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the inputs by name, read as the given types; `deserializers` then change values of a type."""
        return deserialised(await self._read_inputs(connection(), types=types), types, deserializers)

    async def _read_inputs(self, platform: Connection, *, types: Mapping[str, Any] | None) -> ActionInputs:
        data = await self._data(platform)
        return ActionInputs(data=decode_values(await fetch_payload(platform, data.inputs), types=types))

    async def _data(self, platform: Connection) -> api.GetActionDataResponse:
        request = api.GetActionDataRequest(action=self._root_id())
        return await platform.read(platform.runs.GetActionData, request)

    def _root_id(self) -> ActionId:
        return ActionId(run=self._message.id, name=ROOT)

    @syncify.method
    async def details(self) -> RunDetails:
        """Return the run with its task and root action."""
        return await RunDetails.fetch(connection(), self._message.id)

    @syncify.method
    async def abort(self, reason: str = "Manually aborted from the SDK api.") -> None:
        """Abort the run with everything below it. A run that has ended stays as it ended."""
        platform = connection()
        request = api.AbortRunRequest(run=self._message.id, reason=reason)
        answer = await platform.change(platform.runs.AbortRun, request)
        self._message = await _fetch(platform, self._message.id)
        if not self.done():  # what is read may be behind what was answered
            self._message.phase, self._message.error.message = answer.phase, reason

    @syncify.method
    async def raise_for_status(self) -> None:
        """Wait for the end and raise the run's error if it did not succeed."""
        await self._wait(connection())
        self._raise_unless_succeeded()

    def error(self) -> BaseRuntimeError | None:
        """Return why the run did not succeed; None if it did or has not ended."""
        if not self.done() or self.phase is ActionPhase.SUCCEEDED:
            return None
        return error_from_proto(self._message.error, phase=self.phase, subject=f"Run {self.name}")

    def _raise_unless_succeeded(self) -> None:
        error = self.error()
        if error is not None:
            raise error

    @syncify.method
    async def first_failure(self) -> ActionDetails | None:
        """Return the action that failed first, the deepest one where failures passed upwards; None if none failed."""
        from flyte.remote.listing import first_failed_action

        platform = connection()
        found = await first_failed_action(platform, self._message.id)
        return None if found is None else await ActionDetails.fetch(platform, found.id)

    @syncify.method
    async def download_code(
        self, dest: str | Path | None = None, extract: bool = True, attempt: int | None = None
    ) -> Path:
        """Write the code that the run was submitted with to a folder, by default `./RUN-code`, and return the folder.

        With `extract=False` the archive is written there instead, and its path returned. All attempts have the same.

        Raises RuntimeUserError (CodeBundleNotFound) if the code is part of the image, FileExistsError if the folder is
        not empty.
        """
        from flyte.remote.code import download_code

        platform = connection()
        details = await ActionDetails.fetch(platform, self._root_id())
        return await download_code(platform, details, dest=dest, extract=extract)

    @syncify.method
    async def code_bundle(self) -> CodeBundle | None:
        """Return what is known of the code of the run; None if it is part of the image or came pickled."""
        return (await ActionDetails.fetch(connection(), self._root_id())).code_bundle

    @syncify.method
    async def get_debug_url(self) -> str | None:
        """Return where the run can be debugged in a browser: None, because this platform has no such place."""
        return None

    @syncify.method
    async def input_literals(self) -> dict[str, Value]:
        """Return the inputs as they travel: by name, as typed values of the API."""
        return await (await ActionDetails.fetch(connection(), self._root_id())).input_literals.aio()

    @syncify.method
    async def output_literals(self) -> dict[str, Value]:
        """Wait for the end and return the outputs as they travel. Raises the run's error if it did not succeed."""
        platform = connection()
        await self._wait(platform)
        self._raise_unless_succeeded()
        return await (await ActionDetails.fetch(platform, self._root_id())).output_literals.aio()

    @syncify.method
    async def get_report(self, attempt: int | None = None) -> str:
        """Return the HTML report of the root's attempt, see `Action.get_report`."""
        from flyte.remote.reports import fetch_report

        platform = connection()
        details = await ActionDetails.fetch(platform, self._root_id())
        return await fetch_report(platform, details, attempt=attempt)

    @syncify.iterator_method
    async def get_logs(
        self, attempt: int | None = None, filter_system: bool = False, show_ts: bool = False
    ) -> AsyncIterator[str]:
        """Yield what the root action wrote, line by line, until it has ended; see `Action.get_logs`."""
        from flyte.remote.shown_logs import lines_of

        async for line in lines_of(self._root_id(), attempt=attempt, show_ts=show_ts):
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
        """Print what the root action writes until it has ended; see `Action.show_logs`."""
        from flyte.remote.shown_logs import show_logs_of

        await show_logs_of(self._root_id(), attempt=attempt, max_lines=max_lines, show_ts=show_ts, raw=raw)


@dataclass(frozen=True, slots=True)
class TaskTypes:
    """The types of a task's inputs and outputs, for runs whose task is known in this process."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


async def _fetch(platform: Connection, run: RunId) -> api.Run:
    return (await platform.read(platform.runs.GetRun, api.GetRunRequest(run=run))).run


__all__ = ["Run", "RunDetails", "TaskTypes", "WaitFor"]
