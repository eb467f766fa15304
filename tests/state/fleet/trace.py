"""What happened, in order: enough to follow a seed by eye, and to tell whether two runs of it were the same."""

from __future__ import annotations

import hashlib

from flyteplane.foundation.clock import ManualClock


class Trace:
    """Lines with their time."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.lines: list[str] = []

    def __call__(self, what: str) -> None:
        """Notes something."""
        self.lines.append(f"{self._clock.monotonic():10.4f} {what}")

    @property
    def digest(self) -> str:
        """Equal for equal histories."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
