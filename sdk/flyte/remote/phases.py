"""Phases as the platform sends them and as users see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from flyte.spec.phases import ActionPhase
from flyteapi.common.v1.phase_pb2 import Phase
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState


def phase_from_proto(phase: Phase.ValueType) -> ActionPhase:
    """Return the phase; one that this SDK does not know counts as queued, that is, as not terminal."""
    try:
        return ActionPhase[Phase.Name(phase).removeprefix("PHASE_")]
    except (KeyError, ValueError):
        return ActionPhase.QUEUED


Phases: TypeAlias = Iterable[ActionPhase | str] | ActionPhase | str | None
"""Phases as members or as text in any case, several or one."""


def phases_from(given: Phases) -> list[ActionPhase]:
    """Return the phases that are meant. Raises ValueError for a text that names none in which an action can be."""
    several = (given,) if isinstance(given, ActionPhase | str) else given or ()
    return [_phase_from(phase) for phase in several]


def _phase_from(given: ActionPhase | str) -> ActionPhase:
    phase = ActionPhase.__members__.get(given.strip().upper().replace("-", "_"))
    if phase is None or phase is ActionPhase.RECOVERED:
        known = ", ".join(phase for phase in ActionPhase if phase is not ActionPhase.RECOVERED)
        raise ValueError(f"{given!r} is no phase of an action. The phases are: {known}")
    return phase


def phases_to_proto(phases: Iterable[ActionPhase]) -> list[Phase.ValueType]:
    """Return the phases as the platform knows them: an action that is paused runs."""
    sent = (ActionPhase.RUNNING if phase is ActionPhase.PAUSED else phase for phase in phases)
    return [Phase.Value(phase.to_protobuf_name()) for phase in dict.fromkeys(sent)]


def phase_of(state: ActionState) -> ActionPhase:
    """Return the phase of an action: a question that waits for its answer is paused."""
    phase = phase_from_proto(state.phase)
    return ActionPhase.PAUSED if phase is ActionPhase.RUNNING and state.header.is_condition else phase


def is_terminal(phase: Phase.ValueType) -> bool:
    """Tell whether nothing more will happen to an action in this phase."""
    return phase_from_proto(phase).is_terminal
