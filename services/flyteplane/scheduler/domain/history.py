"""How much of the past is kept."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLimits:
    """For how long runs are kept after their end."""

    keep_s: float = 0.0
    """0: for ever."""
    with_data: bool = False
    """Whether what their attempts wrote into the platform's store goes with them."""


FOR_EVER: Final = HistoryLimits()
