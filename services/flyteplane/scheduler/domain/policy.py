"""The rules of one task that the scheduler enforces: how often and how fast it is tried again, and how long it may
take."""

from dataclasses import dataclass
from typing import Final

#: Delay before the first retry of a task that names no back-off; it doubles up to `DEFAULT_CAP_S`.
DEFAULT_BASE_S: Final = 0.5
DEFAULT_CAP_S: Final = 60.0
#: The same for failures of the infrastructure.
SYSTEM_BASE_S: Final = 0.05
SYSTEM_CAP_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPolicy:
    """Times in seconds; 0 means no limit."""

    retries: int = 0
    backoff_base_s: float = DEFAULT_BASE_S
    backoff_factor: float = 2.0
    backoff_cap_s: float | None = DEFAULT_CAP_S
    max_runtime_s: float = 0.0
    max_queued_s: float = 0.0
    deadline_s: float = 0.0

    def retry_delay_s(self, failures: int) -> float:
        """Delay after the n-th failure of the task (from 1)."""
        return _growing(self.backoff_base_s, self.backoff_factor, self.backoff_cap_s, failures)


def system_delay_s(failures: int) -> float:
    """Delay after the n-th failure of the infrastructure (from 1)."""
    return _growing(SYSTEM_BASE_S, 2.0, SYSTEM_CAP_S, failures)


def _growing(base_s: float, factor: float, cap_s: float | None, failures: int) -> float:
    try:
        delay = base_s * factor ** (failures - 1)
    except OverflowError:
        delay = float("inf")
    return delay if cap_s is None else min(delay, cap_s)
