"""One action of a run: its phase, attempts, inputs and outputs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from flyte.client.channel import Connection, connection
from flyte.client.init import current_domain, current_project
from flyte.errors import ActionNotFoundError, BaseRuntimeError, RuntimeUserError
from flyte.remote.action_view import ActionView
from flyte.remote.failures import error_from_proto
from flyte.remote.filters import SortBy, check_order, refuse_filters
from flyte.remote.listing import TimeFilter, list_actions
from flyte.remote.payloads import fetch_payload
from flyte.remote.values import ActionInputs, ActionOutputs, Deserializers, decode_values, deserialised
from flyte.remote.watching import watch_run
from flyte.spec.phases import ActionPhase
from flyte.syncify import EitherIteratorMethod, EitherMethod, syncify
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState, AttemptState, ExplainActionResponse

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

ROOT = "a0"
"""Name of the root action of every run."""


class Action(ActionView):
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
    def raw_phase(self) -> int:
        """The phase as the platform sends it."""
        return self._state.phase

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
        """Yield the actions of a run in the order of their acceptance.

        Raises ValueError for an order or a condition that this platform does not keep.
        """
        check_order(sort_by, keeps=("created_at", "asc"), of="Action.listall")
        refuse_filters({"created_at": created_at, "updated_at": updated_at}, of="Action.listall")
        run = action_id(for_run_name, ROOT, project=project, domain=domain).run
        async for state in list_actions(connection(), run, parent=parent_name or "", in_phase=in_phase):
            yield cls(state)

    @EitherMethod
    async def sync(self) -> Action:
        """Ask the platform how the action is now, and return it."""
        self._state = (await ActionDetails.fetch(connection(), self._state.id)).state
        return self

    @EitherMethod
    async def wait(self, quiet: bool = False, wait_for: Literal["terminal", "running"] = "terminal") -> None:
        """Wait until the action has ended, or runs. A platform that restarts meanwhile is waited for."""
        platform = connection()
        if self._is_reached(wait_for):
            return
        async for piece in watch_run(platform, self._state.id.run, must_answer=False):
            for event in piece.events:
                if event.action == self.name:
                    self._state.phase = event.phase
            if piece.resync or piece.ended or self._is_reached(wait_for):
                self._state = (await ActionDetails.fetch(platform, self._state.id)).state
            if self._is_reached(wait_for):
                return

    def _is_reached(self, wait_for: str) -> bool:
        return self.done() or (wait_for == "running" and self.phase is ActionPhase.RUNNING)

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
    async def abort(self, reason: str = "Manually aborted from the SDK.") -> None:
        """Abort the action with everything below it. One that has ended stays as it ended."""
        platform = connection()
        request = api.AbortRunRequest(run=self._state.id.run, action=self.name, reason=reason)
        self._state.phase = (await platform.call(platform.runs.AbortRun, request)).phase

    @syncify.iterator_method
    async def get_logs(
        self, attempt: int | None = None, filter_system: bool = False, show_ts: bool = False
    ) -> AsyncIterator[str]:
        """Yield what the action wrote, line by line, until it has ended."""
        from flyte.remote.logs import stream_lines

        async for line in stream_lines(connection(), self._state.id, attempt=attempt, follow=True, must_answer=False):
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
        """Print what the action writes until it has ended."""
        from flyte.remote.logs import print_lines

        await print_lines(connection(), self._state.id, attempt=attempt, must_answer=False)


class ActionDetails(ActionView):
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
            return cls(await platform.call(platform.runs.GetAction, api.GetActionRequest(action=action)))
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

    @property
    def state(self) -> ActionState:
        """The summary of the action."""
        return self._message.action

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
        return ActionInputs(await self._values(connection(), "inputs"))

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
        return ActionOutputs(values.values(), values.keys())

    @EitherMethod
    async def typed_inputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the inputs by name, read as the given types; `deserializers` then change values of a type."""
        return deserialised(await self._values(connection(), "inputs", types=types), types, deserializers)

    @EitherMethod
    async def typed_outputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the outputs by name, read as the given types; `deserializers` then change values of a type."""
        return deserialised(await self._values(connection(), "outputs", types=types), types, deserializers)

    async def _values(
        self, platform: Connection, which: Literal["inputs", "outputs"], *, types: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        if self._data is None:
            request = api.GetActionDataRequest(action=self.action_id)
            self._data = await platform.call(platform.runs.GetActionData, request)
        return decode_values(await fetch_payload(platform, getattr(self._data, which)), types=types)


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
