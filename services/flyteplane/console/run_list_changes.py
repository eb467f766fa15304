"""The list of runs as it changes.

The platform says which runs have entered a phase; the first page of the list is then asked for again, no more often
than is of use. The list may be some milliseconds behind what was said, so the phases that were said are kept and win.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.admin.v1.run_service_pb2 import ListRunsRequest, Run, WatchRunsRequest
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

    async def changes(self) -> AsyncGenerator[WatchRunsResponse, None]:
        """What the platform says of runs in the list's project and domain. Raises what the watch raises."""
        request = WatchRunsRequest(project=self._request.project, domain=self._request.domain)
        async for part in self._platform.runs.WatchRuns(request):
            self._note(part)
            yield part

    async def page(self) -> Sequence[Run]:
        """The first page as it is now."""
        found = (await self._platform.runs.ListRuns(self._request)).runs
        for run in found:
            said = self._said.get(run.id.name)
            if said is not None and said.run == run.id and said.phase > run.phase:
                _advance(run, said)
        return found

    def _note(self, part: WatchRunsResponse) -> None:
        for change in part.changes:
            self._said.pop(change.run.name, None)
            self._said[change.run.name] = change
        while len(self._said) > _MOST_REMEMBERED:
            del self._said[next(iter(self._said))]


def _advance(run: Run, said: WatchRunPhasesResponse.RunPhase) -> None:
    """Bring a run of the list up to what was said of it."""
    run.phase = said.phase
    if said.HasField("started_at"):
        run.started_at.CopyFrom(said.started_at)
    if phase_view(said.phase).terminal:
        run.ended_at.CopyFrom(said.time)
        run.error.CopyFrom(said.error)
