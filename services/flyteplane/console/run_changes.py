"""What changes in a run, taken from its event log a piece at a time.

Whoever looks needs the present state of what changed, not each event: names are collected while the page is brought up
to date, and taken together. A run that changes faster than a page can be read is skipped through: the reader is told
that much has changed, and goes on from where the log stands then.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flyteapi.admin.v1.run_service_pb2 import CountActionsRequest, WatchRunRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from flyteapi.admin.v1.run_service_pb2 import WatchRunResponse
    from flyteapi.common.v1.identity_pb2 import RunId
    from flyteplane.console.calls import Platform

#: Actions of which each is brought up to date by itself.
MOST_NAMED: Final = 100
#: Events between two looks from which on the log is skipped through.
_FLOOD: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed since the last look."""

    names: Sequence[str]
    """Of actions; not all if `many`."""
    many: bool
    next_sequence: int
    report: bool
    """The report that the reader asked about was written anew."""
    ended: bool
    """The run has ended and nothing follows."""


class RunWatch:
    """Follows one run for one reader. `report_of` names the action whose report the reader shows, if any."""

    def __init__(self, platform: Platform, run: RunId, *, from_sequence: int, report_of: str = "") -> None:
        self._platform = platform
        self._run = run
        self._next_sequence = from_sequence
        self._report_of = report_of
        self._report = False
        self._names: dict[str, None] = {}
        self._events = 0
        self._ended = False
        self._resync = False
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def changes(self) -> AsyncGenerator[Changes, None]:
        """What changed, each time something did; the last has `ended`. Raises what the watch raises."""
        try:
            while True:
                if self._reading is None:
                    self._reading = asyncio.ensure_future(self._read())
                await self._changed.wait()
                if self._failure is not None:
                    raise self._failure
                flood = self._resync or self._events > _FLOOD
                if flood and not self._ended:
                    await self._skip()
                taken = self._take(many=flood)
                yield taken
                if taken.ended:
                    return
        finally:
            await self._stop()

    def _take(self, *, many: bool) -> Changes:
        changes = Changes(
            names=list(self._names)[:MOST_NAMED],
            many=many or len(self._names) > MOST_NAMED,
            next_sequence=self._next_sequence,
            report=self._report,
            ended=self._ended,
        )
        self._names.clear()
        self._report = False
        self._events = 0
        self._changed.clear()
        return changes

    async def _skip(self) -> None:
        """Read no more of what there is, and go on from where the log stands now."""
        await self._stop()
        self._resync = False
        found = await self._platform.runs.CountActions(CountActionsRequest(run=self._run))
        self._next_sequence = max(self._next_sequence, found.next_sequence)

    async def _stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
            self._reading = None

    async def _read(self) -> None:
        try:
            request = WatchRunRequest(run=self._run, from_sequence=self._next_sequence)
            async for part in self._platform.runs.WatchRun(request):
                self._note(part)
        except Exception as error:
            self._failure = error
            self._changed.set()

    def _note(self, part: WatchRunResponse) -> None:
        self._names.update(dict.fromkeys(event.action for event in part.events))
        self._events += len(part.events)
        self._next_sequence = max(self._next_sequence, part.next_sequence)
        self._ended = self._ended or part.ended
        self._resync = self._resync or part.resync
        report = self._report_of in part.reports
        self._report = self._report or report
        if part.events or part.ended or part.resync or report:
            self._changed.set()
