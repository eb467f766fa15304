"""What every view of an action can tell: who it is, where it stands."""

from __future__ import annotations

from abc import abstractmethod

from flyte.remote.message_view import MessageView
from flyte.remote.phases import is_terminal, phase_of
from flyte.spec.phases import ActionPhase
from flyteapi.common.v1.identity_pb2 import ActionId
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState


class ActionView(MessageView):
    """An action, as the platform last told of it."""

    @property
    @abstractmethod
    def state(self) -> ActionState:
        """What the platform said of the action last."""

    @property
    def action_id(self) -> ActionId:
        """The identity."""
        return self.state.id

    @property
    def name(self) -> str:
        """The name inside the run."""
        return self.state.id.name

    @property
    def run_name(self) -> str:
        """The name of the run."""
        return self.state.id.run.name

    @property
    def parent_name(self) -> str:
        """The name of the action that called it, empty for the root."""
        return self.state.header.parent

    @property
    def task_name(self) -> str:
        """The full name of its task."""
        return self.state.header.task_name

    @property
    def phase(self) -> ActionPhase:
        """The phase that was seen last; a question that waits for its answer is paused."""
        return phase_of(self.state)

    @property
    def raw_phase(self) -> int:
        """The phase as the platform sends it."""
        return self.state.phase

    @property
    def relation(self) -> str:
        """What it is to its run: "root" or "child"."""
        return "child" if self.parent_name else "root"

    def done(self) -> bool:
        """Tell whether the action had ended when it was looked at last."""
        return is_terminal(self.state.phase)
