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


_TERMINAL: Final = frozenset(
    {ActionPhase.SUCCEEDED, ActionPhase.FAILED, ActionPhase.ABORTED, ActionPhase.TIMED_OUT, ActionPhase.RECOVERED}
)
