"""Removes the outbox entries of runs that the scheduler has taken.

Nobody waits for this, and an entry that stays too long only means that the run is handed over once more after a crash.
So entries are collected for a moment and removed together: a program that submits run after run then pays for one
commit a run instead of two.

A run whose abort was asked for while it was still in the outbox is aborted here, before its entry goes.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from flyte.spec.child_names import ROOT_ACTION
from flyteplane.admin.application.ports import RunStore, Scheduler
from flyteplane.admin.domain.run import RunKey
from flyteplane.foundation.clock import Timer, TimerClock
from flyteplane.foundation.errors import NotFound, PlatformError
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.observe import get_logger

_log = get_logger("admin.outbox")

#: Entries wait this long for company.
COLLECT_S: Final = 0.02
_RETRY_S: Final = 1.0


class Settlement:
    """Collects runs that were taken and settles them. Belongs to the event loop."""

    def __init__(
        self,
        *,
        runs: RunStore,
        scheduler: Scheduler,
        clock: TimerClock,
        on_failure: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self._runs = runs
        self._scheduler = scheduler
        self._clock = clock
        self._taken: list[RunKey] = []
        self._timer: Timer | None = None
        self._tasks = BackgroundTasks("admin.settlement", on_failure=on_failure)

    def add(self, run: RunKey) -> None:
        """The scheduler has this run durably."""
        self._taken.append(run)
        self._set_timer(COLLECT_S)

    async def close(self) -> None:
        """Settle what is known, if the store still takes it; the rest is found again at the next start."""
        if self._timer is not None:
            self._timer.cancel()
        await self._tasks.stop()
        with suppress(PlatformError):
            await self._settle(self._taken)

    def _set_timer(self, delay_s: float) -> None:
        if self._timer is None:
            self._timer = self._clock.call_later(delay_s, self._due)

    def _due(self) -> None:
        self._timer = None
        taken, self._taken = self._taken, []
        self._tasks.start(self._settle_or_retry(taken), name="settle")

    async def _settle_or_retry(self, taken: Sequence[RunKey]) -> None:
        try:
            await self._settle(taken)
        except PlatformError as error:
            _log.warning("outbox_not_settled", entries=len(taken), problem=str(error))
            self._taken.extend(taken)
            self._set_timer(_RETRY_S)

    async def _settle(self, taken: Sequence[RunKey]) -> None:
        if not taken:
            return
        for run, reason in (await self._runs.settle(taken)).items():
            with suppress(NotFound):
                await self._scheduler.abort(run, action=ROOT_ACTION, reason=reason)
            await self._runs.settle_aborted(run)
