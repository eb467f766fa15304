"""Phases as the platform sends them and as users see them."""

from __future__ import annotations

from collections.abc import Iterable

from flyte.spec.phases import ActionPhase
from flyteapi.common.v1.phase_pb2 import Phase


def phase_from_proto(phase: Phase.ValueType) -> ActionPhase:
    """Return the phase; one that this SDK does not know counts as queued, that is, as not terminal."""
    try:
        return ActionPhase[Phase.Name(phase).removeprefix("PHASE_")]
    except (KeyError, ValueError):
        return ActionPhase.QUEUED


def phases_to_proto(phases: Iterable[ActionPhase | str] | ActionPhase | str | None) -> list[Phase.ValueType]:
    """Return phases given as members or as text in any case, several or one.

    Raises ValueError for a text that names no phase of the platform.
    """
    several = (phases,) if isinstance(phases, ActionPhase | str) else phases or ()
    return [_phase_to_proto(phase) for phase in several]


def _phase_to_proto(phase: ActionPhase | str) -> Phase.ValueType:
    name = phase.name if isinstance(phase, ActionPhase) else phase.strip().upper().replace("-", "_")
    try:
        return Phase.Value(f"PHASE_{name}")
    except ValueError:
        known = ", ".join(known.removeprefix("PHASE_").lower() for known in Phase.keys()[1:])
        raise ValueError(f"{phase!r} is no phase of an action. The phases are: {known}") from None


def is_terminal(phase: Phase.ValueType) -> bool:
    """Tell whether nothing more will happen to an action in this phase."""
    return phase_from_proto(phase).is_terminal
