"""What sending notifications needs from outside."""

from collections.abc import Sequence
from typing import Protocol

from flyte.spec.notifications import Ending, Mail, WebRequest
from flyteplane.admin.domain.notification import DueNotification, NotificationRecord, Outcome
from flyteplane.admin.domain.run import RunKey


class NotTaken(Exception):
    """A notification did not arrive."""

    def __init__(self, problem: str, *, for_good: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(problem)
        self.for_good = for_good
        """Another try would end in the same way."""
        self.retry_after_s = retry_after_s
        """When the receiver wants to be asked again, in seconds; 0: it does not say."""


class NotificationStore(Protocol):
    """Notifications of runs. They are planned with the run and become due with its end, each in that transaction."""

    async def due(self, *, now_us: int, limit: int) -> Sequence[DueNotification]:
        """Those to be tried by now, the one that waits longest first."""

    async def next_try(self) -> int | None:
        """When the next is to be tried; None if none is due."""

    async def note(self, due: DueNotification, outcome: Outcome) -> None:
        """Note a try. Does nothing to one that is no longer due."""

    async def of_run(self, key: RunKey) -> Sequence[NotificationRecord]:
        """Those of a run, by position."""


class Courier(Protocol):
    """Brings a delivery to its receiver."""

    async def bring(self, delivery: Mail | WebRequest, ending: Ending, *, name: str) -> None:
        """Send it. Returns once the receiver has taken it; raises NotTaken.

        Args:
            name: the same for each try of one notification, so that a receiver can tell repetitions.
        """
