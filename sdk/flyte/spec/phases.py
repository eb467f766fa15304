"""The phases of an action, as the SDK shows them.

Phases only move forward within an attempt, and an action enters exactly one terminal phase, once.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ActionPhase(StrEnum):
    """Where an action is in its life."""

    QUEUED = "queued"
    WAITING_FOR_RESOURCES = "waiting_for_resources"
    INITIALIZING = "initializing"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    TIMED_OUT = "timed_out"
    RECOVERED = "recovered"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen to the action."""
        return self in _TERMINAL

    @classmethod
    def from_protobuf(cls, pb_phase: int) -> ActionPhase:
        """Return the phase that a message of the platform names. Raises ValueError for one that is none."""
        from flyteapi.common.v1.phase_pb2 import Phase

        name = Phase.Name(pb_phase)  # type: ignore[arg-type]  # whoever calls has a plain number
        member = cls.__members__.get(name.removeprefix("PHASE_"))
        if member is None:
            raise ValueError(f"Cannot convert {name} to ActionPhase")
        return member

    def to_protobuf_name(self) -> str:
        """Return the name of the phase in messages of the platform. Raises ValueError if no action is ever in it."""
        if self in _NEVER_SENT:
            raise ValueError(f"{self.name} is no phase of this platform's messages")
        return f"PHASE_{self.name}"

    def to_protobuf_value(self) -> int:
        """Return the number of the phase in messages of the platform. Raises ValueError as `to_protobuf_name`."""
        from flyteapi.common.v1.phase_pb2 import Phase

        return Phase.Value(self.to_protobuf_name())


_TERMINAL: Final = frozenset(
    {ActionPhase.SUCCEEDED, ActionPhase.FAILED, ActionPhase.ABORTED, ActionPhase.TIMED_OUT, ActionPhase.RECOVERED}
)

_NEVER_SENT: Final = frozenset({ActionPhase.PAUSED, ActionPhase.RECOVERED})
"""Shown to users only: a paused action runs, a recovered one has succeeded."""
