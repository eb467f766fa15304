"""One action of a run: its phase, attempts, inputs and outputs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from flyte.client.channel import Connection, connection
from flyte.client.init import current_domain, current_project
from flyte.errors import ActionNotFoundError, BaseRuntimeError, RuntimeUserError
from flyte.remote.action_view import ActionView
from flyte.remote.failures import error_from_proto
from flyte.remote.filters import Order, SortBy, seconds_of
from flyte.remote.listing import TimeFilter, changed_at, list_actions
from flyte.remote.payloads import fetch_payload
from flyte.remote.phase_times import PhaseTransitionInfo, phase_durations, phase_transitions
from flyte.remote.values import (
    ActionInputs,
    ActionOutputs,
    Deserializers,
    decode_values,
    deserialised,
    named_values,
)
from flyte.remote.watching import watch_run
from flyte.spec.child_names import ROOT_ACTION
from flyte.spec.phases import ActionPhase
from flyte.syncify import EitherIteratorMethod, EitherMethod, Settled, syncify
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteapi.scheduler.v1.event_pb2 import ActionHeader
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState, AttemptState, ExplainActionResponse

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

    from flyte.authoring.bundles import CodeBundle
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec
    from flyteapi.task.v1.value_pb2 import Value

ROOT = ROOT_ACTION
"""Name of the root action of every run."""

_ORDERS: Final[Mapping[str, Callable[[ActionState], Any]]] = {
    **{field: seconds_of(field) for field in ("created_at", "started_at", "ended_at")},
    "updated_at": lambda state: changed_at(state).ToNanoseconds(),
    "name": lambda state: state.id.name,
    "task_name": lambda state: state.header.task_name,
    "phase": lambda state: state.phase,
}


class Action(ActionView, Settled):
    """An action, as far as this process knows it; `sync` and `wait` bring that up to date."""

    def _shown(self) -> ActionState:
        return self._state

    def __init__(self, state: ActionState) -> None:
        self._state = state

    def __repr__(self) -> str:
        return f"Action(run={self.run_name!r}, name={self.name!r}, task={self.task_name!r}, phase={self.phase.name})"

    @property
    def state(self) -> ActionState:
        """What the platform said of the action last."""
        return self._state

    @property
    def start_time(self) -> datetime | None:
        """When its code ran first, in UTC; None before."""
        return optional_moment(self._state, "started_at")

    @property
    def duration(self) -> timedelta | None:
        """How long it took from the first start of its code to its end, or to now; None before it started."""
        if self.start_time is None:
            return None
        return (optional_moment(self._state, "ended_at") or datetime.now(UTC)) - self.start_time

    @syncify.class_method
    @classmethod
    async def get(
        cls,
        uri: str | None = None,
        /,
        run_name: str | None = None,
        name: str | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> Action:
        """Return an action by run and name, the root by default, or by its URI `flyte://PROJECT/DOMAIN/RUN/ACTION`.

        Raises ActionNotFoundError if there is none, ValueError without a run.
        """
        platform = connection()
        found = await ActionDetails.fetch(platform, _named(uri, run_name, name, project=project, domain=domain))
        return cls(found.state)

    @syncify.iterator_class_method
    @classmethod
    async def listall(
        cls,
        for_run_name: str,
        in_phase: tuple[ActionPhase | str, ...] | None = None,
        parent_name: str | None = None,
        sort_by: SortBy | None = None,
        created_at: TimeFilter | None = None,
        updated_at: TimeFilter | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> AsyncIterator[Action]:
        """Yield the actions of a run in the order of their acceptance, or in another.

        `updated_at` is when an action changed its phase last. Raises ValueError for an order that there is not.
        """
        order = Order(sort_by, ("created_at", "asc"), _ORDERS)
        order.check(of="Action.listall")
        run = action_id(for_run_name, ROOT, project=project, domain=domain).run
        listed = list_actions(
            connection(),
            run,
            parent=parent_name or "",
            in_phase=in_phase,
            created_at=created_at,
            updated_at=updated_at,
        )
        async for state in order.of(listed):
            yield cls(state)

    @EitherMethod
    async def sync(self) -> Action:
        """Ask the platform how the action is now, and return it."""
        self._state = (await ActionDetails.fetch(connection(), self._state.id)).state
        return self

    @EitherMethod
    async def wait(self, quiet: bool = False, wait_for: Literal["terminal", "running"] = "terminal") -> Action:
        """Wait until the action has ended, or runs, and return it. A platform that restarts meanwhile is waited for."""
        platform = connection()
        if self._is_reached(wait_for):
            return self
        async for piece in watch_run(platform, self._state.id.run, must_answer=False):
            for event in piece.events:
                if event.action == self.name:
                    self._state.phase = event.phase
            if piece.resync or piece.ended or self._is_reached(wait_for):
                self._state = (await ActionDetails.fetch(platform, self._state.id)).state
            if self._is_reached(wait_for):
                break
        return self

    def _is_reached(self, wait_for: str) -> bool:
        return self.done() or (wait_for == "running" and self.phase in (ActionPhase.RUNNING, ActionPhase.PAUSED))

    @EitherIteratorMethod
    async def watch(
        self, cache_data_on_done: bool = False, wait_for: Literal["terminal", "running"] = "terminal"
    ) -> AsyncIterator[ActionDetails]:
        """Yield the action's details whenever its phase changes, until it has ended, or runs."""
        platform = connection()
        async for piece in watch_run(platform, self._state.id.run):
            if not any(event.action == self.name for event in piece.events) and not (piece.resync or piece.ended):
                continue
            details = await ActionDetails.fetch(platform, self._state.id)
            self._state = details.state
            yield details
            if self._is_reached(wait_for):
                return

    @EitherMethod
    async def details(self) -> ActionDetails:
        """Return the action with its task and attempts."""
        return await ActionDetails.fetch(connection(), self._state.id)

    @syncify.method
    async def get_report(self, attempt: int | None = None) -> str:
        """Return the HTML report of an attempt, counted from 1, as it was last flushed; by default of the latest.

        Raises RuntimeUserError with code ReportNotFound if there is none.
        """
        from flyte.remote.reports import fetch_report

        platform = connection()
        details = await ActionDetails.fetch(platform, self._state.id)
        return await fetch_report(platform, details, attempt=attempt)

    @syncify.method
    async def download_code(
        self, dest: str | Path | None = None, extract: bool = True, attempt: int | None = None
    ) -> Path:
        """Write the code that the action ran with to a folder, see `Run.download_code`; all attempts have the same."""
        from flyte.remote.code import download_code

        platform = connection()
        details = await ActionDetails.fetch(platform, self._state.id)
        return await download_code(platform, details, dest=dest, extract=extract)

    @syncify.method
    async def abort(self, reason: str = "Manually aborted from the SDK.") -> None:
        """Abort the action with everything below it. One that has ended stays as it ended."""
        platform = connection()
        request = api.AbortRunRequest(run=self._state.id.run, action=self.name, reason=reason)
        answer = await platform.change(platform.runs.AbortRun, request)
        self._state = (await ActionDetails.fetch(platform, self._state.id)).state
        if not self.done():  # what is read may be behind what was answered
            self._state.phase = answer.phase

    @syncify.iterator_method
    async def get_logs(
        self, attempt: int | None = None, filter_system: bool = False, show_ts: bool = False
    ) -> AsyncIterator[str]:
        """Yield what the action wrote, line by line, until it has ended; the platform itself writes no lines to it."""
        from flyte.remote.shown_logs import lines_of

        async for line in lines_of(self._state.id, attempt=attempt, show_ts=show_ts):
            yield line

    @syncify.method
    async def show_logs(
        self,
        attempt: int | None = None,
        max_lines: int = 30,
        show_ts: bool = False,
        raw: bool = False,
        filter_system: bool = False,
    ) -> None:
        """Print what the action writes until it has ended; in a terminal the last `max_lines` in a box, unless `raw`.

        The platform itself writes no lines to it that `filter_system` would leave out.
        """
        from flyte.remote.shown_logs import show_logs_of

        await show_logs_of(self._state.id, attempt=attempt, max_lines=max_lines, show_ts=show_ts, raw=raw)


class ActionDetails(ActionView, Settled):
    """An action with its task and all its attempts."""

    def _shown(self) -> api.GetActionResponse:
        return self._message

    def __init__(self, message: api.GetActionResponse) -> None:
        self._message = message
        self._data: api.GetActionDataResponse | None = None

    def __repr__(self) -> str:
        return f"ActionDetails(run={self.run_name!r}, name={self.name!r}, phase={self.phase.name})"

    @classmethod
    async def fetch(cls, platform: Connection, action: ActionId) -> ActionDetails:
        """Ask the platform for an action. Raises ActionNotFoundError if there is none."""
        try:
            return cls(await platform.read(platform.runs.GetAction, api.GetActionRequest(action=action)))
        except RuntimeUserError as error:
            if error.code == "NotFound":
                raise ActionNotFoundError(str(error)) from None
            raise

    @syncify.class_method
    @classmethod
    async def get(
        cls,
        uri: str | None = None,
        /,
        run_name: str | None = None,
        name: str | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> ActionDetails:
        """Return the details of an action, named as for `Action.get`."""
        platform = connection()
        return await cls.fetch(platform, _named(uri, run_name, name, project=project, domain=domain))

    @syncify.class_method
    @classmethod
    async def get_details(cls, action_id: ActionId) -> ActionDetails:
        """Return the details of an action by its identity."""
        return await cls.fetch(connection(), action_id)

    @syncify.iterator_class_method
    @classmethod
    async def watch(cls, action_id: ActionId) -> AsyncIterator[ActionDetails]:
        """Yield an action's details now and whenever its phase changes, until it has ended."""
        details = await cls.fetch(connection(), action_id)
        async for changed in details.watch_updates.aio():
            yield changed

    @EitherIteratorMethod
    async def watch_updates(self, cache_data_on_done: bool = False) -> AsyncIterator[ActionDetails]:
        """Yield the details now and whenever the phase changes, until the action has ended."""
        yield self
        if not self.done():
            async for changed in Action(self.state).watch.aio(cache_data_on_done):
                yield changed

    @property
    def state(self) -> ActionState:
        """The summary of the action."""
        return self._message.action

    @property
    def status(self) -> ActionState:
        """The summary of the action: phase, attempts, times, error, cache status."""
        return self.state

    @property
    def metadata(self) -> ActionHeader:
        """What never changes about the action: parent, task, group, queue."""
        return self.state.header

    @property
    def code_bundle(self) -> CodeBundle | None:
        """The code it ran with; None if that is part of the image or came pickled."""
        from flyte.remote.code import code_bundle_of

        return code_bundle_of(self)

    def logs_available(self, attempt: int | None = None) -> bool:
        """Tell whether an attempt, counted from 1, by default the latest, has got so far as to write something."""
        states = {one.attempt: one for one in self.attempt_states}
        chosen = states.get(attempt if attempt is not None else max(states, default=0))
        return chosen is not None and chosen.HasField("placed_at")

    def get_phase_transitions(self, attempt: int | None = None) -> list[PhaseTransitionInfo]:
        """Return the phases in order with their times, of all attempts or of one, counted from 1."""
        return phase_transitions(self.state, self.attempt_states, attempt=attempt)

    @property
    def phase_durations(self) -> dict[ActionPhase, timedelta]:
        """How long the action was in each phase, all attempts together."""
        return phase_durations(self.get_phase_transitions())

    @property
    def queued_time(self) -> timedelta | None:
        """How long it waited to be placed; None if it never did."""
        return self.phase_durations.get(ActionPhase.QUEUED)

    @property
    def waiting_for_resources_time(self) -> timedelta | None:
        """How long it waited for resources; None if it is not known apart from the rest of the waiting."""
        return self.phase_durations.get(ActionPhase.WAITING_FOR_RESOURCES)

    @property
    def initializing_time(self) -> timedelta | None:
        """How long its workers took to start; None if none did."""
        return self.phase_durations.get(ActionPhase.INITIALIZING)

    @property
    def running_time(self) -> timedelta | None:
        """How long its code ran; None if it never did."""
        return self.phase_durations.get(ActionPhase.RUNNING)

    @property
    def task(self) -> TaskSpec:
        """The resolved configuration of its task."""
        return self._message.task

    @property
    def is_running(self) -> bool:
        """Whether its code runs."""
        return self.phase is ActionPhase.RUNNING

    @property
    def attempts(self) -> int:
        """How many attempts were made."""
        return self.state.attempt

    @property
    def attempt_states(self) -> Sequence[AttemptState]:
        """The attempts, in order."""
        return self._message.attempts

    @property
    def runtime(self) -> timedelta:
        """How long it took from the first start of its code to its end, or to now."""
        return Action(self.state).duration or timedelta(0)

    @property
    def error_info(self) -> BaseRuntimeError | None:
        """Why it did not succeed; None if it did or has not ended."""
        if not self.done() or self.phase is ActionPhase.SUCCEEDED:
            return None
        return error_from_proto(self.state.error, phase=self.phase, subject=f"Action {self.name}")

    @property
    def abort_info(self) -> BaseRuntimeError | None:
        """Why it was aborted; None if it was not."""
        return self.error_info if self.phase is ActionPhase.ABORTED else None

    @property
    def error_message(self) -> str | None:
        """The message of the error, None if there is none."""
        return None if (error := self.error_info) is None else str(error)

    @syncify.method
    async def explain(self) -> ExplainActionResponse:
        """Ask the platform what the action waits for, or where it runs."""
        platform = connection()
        request = api.ExplainActionRequest(action=self.action_id)
        return (await platform.call(platform.runs.ExplainAction, request)).explanation

    @EitherMethod
    async def inputs(self) -> ActionInputs:
        """Return the inputs."""
        return ActionInputs(data=await self._values(connection(), "inputs"))

    @EitherMethod
    async def outputs(self) -> ActionOutputs:
        """Return the outputs. Raises the action's error if it failed, RuntimeUserError if it has not ended."""
        if (error := self.error_info) is not None:
            raise error
        if not self.done():
            raise RuntimeUserError(
                "NotDone", f"Action {self.name} is {self.phase.name}: its outputs are there when it has succeeded."
            )
        values = await self._values(connection(), "outputs")
        return ActionOutputs.of(values)

    @EitherMethod
    async def typed_inputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the inputs by name, read as the given types; `deserializers` then change values of a type."""
        return deserialised(await self._values(connection(), "inputs", types=types), types, deserializers)

    @EitherMethod
    async def typed_outputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the outputs by name, read as the given types; `deserializers` then change values of a type."""
        return deserialised(await self._values(connection(), "outputs", types=types), types, deserializers)

    @EitherMethod
    async def input_literals(self) -> dict[str, Value]:
        """Return the inputs as they travel: by name, as typed values of the API."""
        return await self._literals(connection(), "inputs")

    @EitherMethod
    async def output_literals(self) -> dict[str, Value]:
        """Return the outputs as they travel; empty while the action has not succeeded."""
        return await self._literals(connection(), "outputs")

    async def _literals(self, platform: Connection, which: Literal["inputs", "outputs"]) -> dict[str, Value]:
        return named_values(await self._content(platform, which))

    async def _values(
        self, platform: Connection, which: Literal["inputs", "outputs"], *, types: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return decode_values(await self._content(platform, which), types=types)

    async def _content(self, platform: Connection, which: Literal["inputs", "outputs"]) -> bytes:
        if self._data is None or not self._data.HasField("outputs"):
            request = api.GetActionDataRequest(action=self.action_id)
            self._data = await platform.read(platform.runs.GetActionData, request)
        return await fetch_payload(platform, getattr(self._data, which))


def action_id(run_name: str, name: str, *, project: str | None = None, domain: str | None = None) -> ActionId:
    """Return the identity of an action in the current project and domain, or in the given ones."""
    run = RunId(project=project or current_project(), domain=domain or current_domain(), name=run_name)
    return ActionId(run=run, name=name)


def _named(
    uri: str | None, run_name: str | None, name: str | None, *, project: str | None, domain: str | None
) -> ActionId:
    if uri is not None:
        scheme, _, rest = uri.partition("://")
        parts = rest.split("/")
        if scheme != "flyte" or len(parts) not in (3, 4) or not all(parts):
            raise ValueError(f"{uri!r} names no action. Write flyte://PROJECT/DOMAIN/RUN/ACTION, or give run_name.")
        return action_id(parts[2], parts[3] if len(parts) == 4 else ROOT, project=parts[0], domain=parts[1])
    if not run_name:
        raise ValueError("An action is found by its run: give run_name.")
    return action_id(run_name, name or ROOT, project=project, domain=domain)


def moment(stamp: Timestamp) -> datetime:
    """Return a time of the platform, in UTC."""
    return stamp.ToDatetime(tzinfo=UTC)


def optional_moment(message: Message, field: str) -> datetime | None:
    """Return a time of a message, in UTC; None if it is not set."""
    return moment(getattr(message, field)) if message.HasField(field) else None
