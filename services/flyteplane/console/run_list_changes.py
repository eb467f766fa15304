"""The list of runs as it changes.

The platform says which runs have entered a phase; the first page of the list is then asked for again, no more often
than is of use. The list may be some milliseconds behind what was said, so the phases that were said are kept and win.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from flyteapi.admin.v1.run_service_pb2 import ListRunsRequest, Run, WatchRunsRequest
from flyteplane.console.pacing import pause_after
from flyteplane.console.views.phases import phase_view

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from flyteapi.admin.v1.run_service_pb2 import WatchRunsResponse
    from flyteapi.scheduler.v1.scheduler_service_pb2 import WatchRunPhasesResponse
    from flyteplane.console.calls import Platform

_MOST_REMEMBERED: Final = 1000


class RunListWatch:
    """Follows one list for one reader."""

    def __init__(self, platform: Platform, request: ListRunsRequest) -> None:
        self._platform = platform
        self._request = request
        self._said: dict[str, WatchRunPhasesResponse.RunPhase] = {}
        self._changed = asyncio.Event()
        self._failure: BaseException | None = None

    async def pages(self) -> AsyncGenerator[Sequence[Run], None]:
        """The first page, each time a run in its project and domain changes. Raises what the watch raises."""
        reading = asyncio.ensure_future(self._read())
        try:
            while True:
                await self._changed.wait()
                if self._failure is not None:
                    raise self._failure
                self._changed.clear()
                begun = time.monotonic()
                yield await self._page()
                await asyncio.sleep(pause_after(time.monotonic() - begun))
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _page(self) -> Sequence[Run]:
        found = (await self._platform.runs.ListRuns(self._request)).runs
        for run in found:
            said = self._said.get(run.id.name)
            if said is not None and said.run == run.id and said.phase > run.phase:
                _advance(run, said)
        return found

    async def _read(self) -> None:
        try:
            request = WatchRunsRequest(project=self._request.project, domain=self._request.domain)
            async for part in self._platform.runs.WatchRuns(request):
                self._note(part)
        except Exception as error:
            self._failure = error
            self._changed.set()

    def _note(self, part: WatchRunsResponse) -> None:
        for change in part.changes:
            self._said.pop(change.run.name, None)
            self._said[change.run.name] = change
        while len(self._said) > _MOST_REMEMBERED:
            del self._said[next(iter(self._said))]
        self._changed.set()


def _advance(run: Run, said: WatchRunPhasesResponse.RunPhase) -> None:
    """Bring a run of the list up to what was said of it."""
    run.phase = said.phase
    if said.HasField("started_at"):
        run.started_at.CopyFrom(said.started_at)
    if phase_view(said.phase).terminal:
        run.ended_at.CopyFrom(said.time)
        run.error.CopyFrom(said.error)
