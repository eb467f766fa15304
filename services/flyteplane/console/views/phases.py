"""Phases for people: name, and whether anything may still change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flyteapi.common.v1 import phase_pb2


@dataclass(frozen=True, slots=True)
class PhaseView:
    """A phase as pages show it. `code` is a CSS class and the value of a filter; `text` is read by people."""

    number: int
    code: str
    text: str
    terminal: bool


_TEXTS: Final = {
    phase_pb2.PHASE_QUEUED: ("queued", "Queued"),
    phase_pb2.PHASE_WAITING_FOR_RESOURCES: ("waiting", "Waiting for resources"),
    phase_pb2.PHASE_INITIALIZING: ("initializing", "Initializing"),
    phase_pb2.PHASE_RUNNING: ("running", "Running"),
    phase_pb2.PHASE_SUCCEEDED: ("succeeded", "Succeeded"),
    phase_pb2.PHASE_FAILED: ("failed", "Failed"),
    phase_pb2.PHASE_ABORTED: ("aborted", "Aborted"),
    phase_pb2.PHASE_TIMED_OUT: ("timed-out", "Timed out"),
}

PHASES: Final = tuple(
    PhaseView(int(number), code, text, number >= phase_pb2.PHASE_SUCCEEDED) for number, (code, text) in _TEXTS.items()
)
_BY_NUMBER: Final = {phase.number: phase for phase in PHASES}
_BY_CODE: Final = {phase.code: phase for phase in PHASES}
_UNKNOWN: Final = PhaseView(0, "unknown", "Unknown", False)


def phase_view(number: int) -> PhaseView:
    """A phase of a message; one that this console does not know counts as not ended."""
    return _BY_NUMBER.get(number, _UNKNOWN)


def phase_of_code(code: str) -> PhaseView | None:
    """The phase that a filter names; None for no such phase."""
    return _BY_CODE.get(code)
