"""What to do after the scheduler answered, or did not answer, an attempt to hand a run to it.

The one question that decides is whether somebody was told already that the run is accepted. Until then a refusal
takes the run back and is passed on. Afterwards the promise "what was acknowledged reaches a terminal phase" holds: a
refusal that cannot pass becomes the run's failure, and a full queue is only a reason to wait.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from flyteplane.foundation.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PlatformError,
    ResourceExhausted,
    Unimplemented,
)

#: The scheduler has understood the request and will say the same again.
_FINAL: Final = (InvalidArgument, NotFound, AlreadyExists, FailedPrecondition, PermissionDenied, Unimplemented)
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 15.0


class Verdict(Enum):
    """What becomes of a run that the scheduler did not take."""

    RETRY = "retry"
    TAKE_BACK = "take back"
    """Remove the run and pass the refusal on: nobody was told that it exists."""
    FAIL = "fail"
    """Let the run end as FAILED with the refusal as its error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict, and for RETRY when to try again."""

    verdict: Verdict
    delay_s: float = 0.0


def after_failure(error: PlatformError, *, acknowledged: bool, attempt: int, fraction: float) -> Decision:
    """Decide what a failed delivery means.

    Args:
        error: what the scheduler, or the way to it, answered.
        acknowledged: somebody may have been told that the run is accepted.
        attempt: how many deliveries were tried since the last start, this one included.
        fraction: randomness in [0, 1) that spreads retries.
    """
    if not acknowledged and isinstance(error, (*_FINAL, ResourceExhausted)):
        return Decision(verdict=Verdict.TAKE_BACK)
    if isinstance(error, _FINAL):
        return Decision(verdict=Verdict.FAIL)
    return Decision(verdict=Verdict.RETRY, delay_s=retry_delay_s(error, attempt=attempt, fraction=fraction))


def retry_delay_s(error: PlatformError, *, attempt: int, fraction: float) -> float:
    """Seconds until the next try: what the error asks for, else doubling from 0.1 s to at most 15 s, spread by half."""
    doubled = min(_FIRST_DELAY_S * 2.0 ** min(attempt - 1, 16), _LONGEST_DELAY_S)
    return max(error.retry_after_s or 0.0, doubled * (0.5 + fraction / 2))
