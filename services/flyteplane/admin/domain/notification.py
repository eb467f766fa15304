"""Notifications of runs: what is planned when a run is stored, and when one that did not arrive is tried again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from flyte.spec.notifications import Mail, WebRequest
from flyteplane.admin.domain.run import NotificationPlan, RunKey, RunPhase

#: A receiver that is away for longer will not be told.
TRIED_FOR_S: Final = 24 * 3600.0
_FIRST_DELAY_S: Final = 1.0
_LONGEST_DELAY_S: Final = 600.0
_MOST_ERROR_CHARACTERS: Final = 500


class NotificationState(IntEnum):
    """How far one is. The numbers are those of `flyteapi.common.v1.NotificationState` and are stored."""

    WAITING = 1
    DUE = 2
    SENT = 3
    GIVEN_UP = 4
    NOT_NEEDED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line of a rule in the operator's file."""

    phases: frozenset[RunPhase]
    delivery: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """What the operator has set up."""

    named: Mapping[str, Mail | WebRequest] = field(default_factory=dict)
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    web_hosts: tuple[str, ...] = ("*",)
    """Patterns of the hosts that web requests of users may go to."""
    sends_mail: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRecord:
    """One notification of a run as stored."""

    position: int
    plan: NotificationPlan
    state: NotificationState
    attempts: int
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DueNotification:
    """One that is to be sent."""

    sequence: int
    """Of its run."""
    position: int
    named: str
    attempts: int
    """Tries until now."""
    due_since_us: int
    """When the run ended."""
    run: RunKey
    task_name: str
    phase: RunPhase
    error: bytes
    """Serialised `TaskError`; empty if there is none."""
    settings: bytes
    """Serialised `RunSettings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is noted of a try."""

    state: NotificationState
    try_at_us: int | None = None
    """When it is tried again, for one that is still due."""
    error: str = ""


SENT: Final = Outcome(state=NotificationState.SENT)


def mask_of(phases: Iterable[RunPhase]) -> int:
    """Phases as the bits of a number, as they are stored."""
    return sum(1 << int(phase) for phase in set(phases))


def phases_in(mask: int) -> frozenset[RunPhase]:
    """The phases in a number."""
    return frozenset(phase for phase in RunPhase if mask & (1 << int(phase)))


def given_up(error: str) -> Outcome:
    """The outcome of one that will never arrive."""
    return Outcome(state=NotificationState.GIVEN_UP, error=error[:_MOST_ERROR_CHARACTERS])


def after_failure(due: DueNotification, error: str, *, now_us: int, retry_after_s: float, fraction: float) -> Outcome:
    """When one that did not arrive is tried again: after 1 s, doubling up to 10 min, spread by half, for a day.

    Args:
        retry_after_s: what the receiver asks for; 0 if it asks for nothing.
        fraction: randomness in [0, 1) that spreads retries.
    """
    doubled = min(_FIRST_DELAY_S * 2.0 ** min(due.attempts, 16), _LONGEST_DELAY_S)
    delay_s = max(min(retry_after_s, _LONGEST_DELAY_S), doubled * (0.5 + fraction / 2))
    try_at_us = now_us + int(delay_s * 1e6)
    if try_at_us - due.due_since_us > TRIED_FOR_S * 1e6:
        return given_up(error)
    return Outcome(state=NotificationState.DUE, try_at_us=try_at_us, error=error[:_MOST_ERROR_CHARACTERS])
