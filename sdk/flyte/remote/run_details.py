"""A run with its task and its root action, as they were when they were asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from flyte.client.channel import Connection, connection
from flyte.client.init import current_domain, current_project
from flyte.remote.action import ROOT, ActionDetails
from flyte.remote.message_view import MessageView
from flyte.remote.phases import is_terminal, phase_from_proto
from flyte.remote.values import ActionInputs, ActionOutputs, Deserializers
from flyte.spec.phases import ActionPhase
from flyte.syncify import EitherMethod, syncify
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import ActionId, RunId

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec
    from flyteapi.task.v1.value_pb2 import Value


class RunDetails(MessageView):
    """A run with its task and its root action."""

    def _shown(self) -> api.Run:
        return self.run

    def __init__(self, run: api.Run, task: TaskSpec, root: ActionDetails) -> None:
        self.run = run
        self.task = task
        self.action_details = root

    @classmethod
    async def fetch(cls, platform: Connection, run: RunId) -> RunDetails:
        """Ask the platform for a run."""
        answer, root = await asyncio.gather(
            platform.read(platform.runs.GetRun, api.GetRunRequest(run=run)),
            ActionDetails.fetch(platform, ActionId(run=run, name=ROOT)),
        )
        return cls(answer.run, answer.task, root)

    @syncify.class_method
    @classmethod
    async def get(cls, name: str | None = None, *, project: str | None = None, domain: str | None = None) -> RunDetails:
        """Return the details of a run by name. Raises ValueError without one."""
        if not name:
            raise ValueError("RunDetails.get needs the name of a run.")
        return await cls.fetch(connection(), run_id(name, project=project, domain=domain))

    @syncify.class_method
    @classmethod
    async def get_details(cls, run_id: RunId) -> RunDetails:
        """Return the details of a run by its identity."""
        return await cls.fetch(connection(), run_id)

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.run.id.name

    @property
    def task_name(self) -> str:
        """The full name of its task."""
        return self.run.task_name

    @property
    def action_id(self) -> ActionId:
        """The identity of the root action."""
        return self.action_details.action_id

    @property
    def phase(self) -> ActionPhase:
        """The phase of the run."""
        return phase_from_proto(self.run.phase)

    def done(self) -> bool:
        """Tell whether the run has ended."""
        return is_terminal(self.run.phase)

    @EitherMethod
    async def inputs(self) -> ActionInputs:
        """Return the inputs of the root action."""
        return await self.action_details.inputs.aio()

    @EitherMethod
    async def typed_inputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the inputs by name, read as the given types."""
        return await self.action_details.typed_inputs.aio(types, deserializers)

    @EitherMethod
    async def typed_outputs(self, types: dict[str, Any], deserializers: Deserializers | None = None) -> dict[str, Any]:
        """Return the outputs by name, read as the given types. Raises the run's error if it did not succeed."""
        return await self.action_details.typed_outputs.aio(types, deserializers)

    @EitherMethod
    async def input_literals(self) -> dict[str, Value]:
        """Return the inputs as they travel: by name, as typed values of the API."""
        return await self.action_details.input_literals.aio()

    @EitherMethod
    async def output_literals(self) -> dict[str, Value]:
        """Return the outputs as they travel; empty while the run has not succeeded."""
        return await self.action_details.output_literals.aio()

    @EitherMethod
    async def outputs(self) -> ActionOutputs:
        """Return the outputs of the root action. Raises its error if it did not succeed."""
        return await self.action_details.outputs.aio()

    def __repr__(self) -> str:
        return f"RunDetails(name={self.name!r}, task={self.task_name!r}, phase={self.phase.name})"


def run_id(name: str, *, project: str | None = None, domain: str | None = None) -> RunId:
    """Return the identity of a run in the current project and domain, or in the given ones."""
    return RunId(project=project or current_project(), domain=domain or current_domain(), name=name)
