"""Aborting a run, or a part of it.

The abort of a run is one durable mark: with the scheduler, or on the outbox entry while the scheduler has not taken the
run yet. In the second case the run is handed over and aborted at once, so that it has one history like any other.
"""

from flyte.spec.child_names import ROOT_ACTION
from flyteplane.admin.application.outbox import Outbox
from flyteplane.admin.application.ports import RunStore, Scheduler
from flyteplane.admin.application.read_runs import unknown_run
from flyteplane.admin.application.setting_rules import check_reason
from flyteplane.admin.domain.run import RunKey, RunPhase
from flyteplane.foundation.errors import NotFound


class AbortRun:
    """The use case. One instance serves all calls."""

    def __init__(self, *, runs: RunStore, outbox: Outbox, scheduler: Scheduler) -> None:
        self._runs = runs
        self._outbox = outbox
        self._scheduler = scheduler

    async def __call__(self, run: RunKey, *, action: str, reason: str) -> RunPhase:
        """Abort a run (action empty or "a0") or the subtree of one action; returns the phase that it has now.

        Durable when it returns. Aborting again, or what has ended, changes nothing. Raises InvalidArgument, NotFound,
        Unavailable.
        """
        check_reason(reason)
        record = await self._runs.get(run)
        if record is None:
            raise unknown_run(run)
        if action not in ("", ROOT_ACTION):
            return await self._scheduler.abort(run, action=action, reason=reason)
        if record.progress.phase.is_terminal:
            return record.progress.phase
        return await self._abort_whole(run, reason)

    async def _abort_whole(self, run: RunKey, reason: str) -> RunPhase:
        delivery = self._outbox.under_way(run)
        if delivery is not None and await self._runs.ask_abort(run, reason=reason):
            delivery.hurry()
            return RunPhase.ABORTED
        try:
            return await self._scheduler.abort(run, action=ROOT_ACTION, reason=reason)
        except NotFound:
            # Another admin process may hold it in its outbox.
            if await self._runs.ask_abort(run, reason=reason):
                return RunPhase.ABORTED
            record = await self._runs.get(run)
            if record is None:
                raise
            if record.progress.phase.is_terminal:
                return record.progress.phase
            # Neither in the outbox nor over: it was taken since the scheduler was asked.
            return await self._scheduler.abort(run, action=ROOT_ACTION, reason=reason)
