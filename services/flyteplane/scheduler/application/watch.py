"""Watching a run's event log: what is stored first, then live, in order and without a gap.

A watcher's memory is bounded: one that does not keep up is told to resync at the sequence that it has reached, and
loses nothing, as the log is in the store. Watchers never hold the engine up.

That a report was written anew is no part of the log: who watches is told of it, and looks at the report itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.event_pb2 import EventBatch
from flyteapi.scheduler.v1.scheduler_service_pb2 import WatchRunResponse
from flyteplane.foundation.absent import absent_living_run
from flyteplane.rpc.message_size import pieces
from flyteplane.scheduler.domain.phases import ROOT

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.event_pb2 import Event
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Run
    from flyteplane.scheduler.application.ports import Records, RunKey

#: Events that may wait for one watcher.
MOST_WAITING: Final = 20_000
#: Events in one message.
MOST_IN_MESSAGE: Final = 500
#: Segments read from the store at once.
PAGE: Final = 50
#: Time in which events of children are collected for one message. Ends of runs are never held back.
COLLECT_S: Final = 0.02


class Watcher:
    """One reader of a living run."""

    def __init__(self, *, root_only: bool = False) -> None:
        self._root_only = root_only
        self._events: list[Event] = []
        self._reports: dict[str, None] = {}
        self._wake: asyncio.Future[None] | None = None
        self._collected: asyncio.Future[None] | None = None
        self.ended = False
        self.overrun = False

    @property
    def has_events(self) -> bool:
        """True if something waits to be taken."""
        return bool(self._events)

    def publish(self, events: Sequence[Event]) -> None:
        """Adds stored events. Called by the engine."""
        if self.overrun:
            return
        if self._root_only:
            events = [event for event in events if event.action == ROOT]
            if not events:
                return
        self._events.extend(events)
        if len(self._events) > MOST_WAITING:
            self.overrun = True
            self._events.clear()
        self._notify()

    def report_written(self, action: str) -> None:
        """The report of an action was written anew."""
        if not self._root_only:
            self._reports[action] = None
            self._notify()

    def end(self) -> None:
        """The run has ended and all its events were published."""
        self.ended = True
        self._notify()
        if self._collected is not None and not self._collected.done():
            self._collected.set_result(None)

    async def take(self) -> list[Event]:
        """Waits for events; an empty list means that the run has ended, that the reader was too slow, or that reports
        were written."""
        while not (self._events or self._reports or self.ended or self.overrun):
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        events, self._events = self._events, []
        return events

    def take_reports(self) -> Sequence[str]:
        """The actions whose reports were written since this was asked last."""
        reports, self._reports = tuple(self._reports), {}
        return reports

    async def collect(self) -> None:
        """Gives events of children a moment to become one message; returns at once when the run ends."""
        loop = asyncio.get_running_loop()
        done = self._collected = loop.create_future()
        timer = loop.call_later(COLLECT_S, lambda: None if done.done() else done.set_result(None))
        try:
            if not self.ended:
                await done
        finally:
            timer.cancel()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class Watching:
    """Opens watches."""

    def __init__(self, *, engine: Engine, records: Records) -> None:
        self._engine = engine
        self._records = records

    async def watch(
        self, key: RunKey, *, from_sequence: int, root_only: bool = False
    ) -> AsyncIterator[WatchRunResponse]:
        """The messages of one watch. Raises NotFound."""
        stream = self._watch(key, from_sequence=from_sequence, root_only=root_only)
        async with aclosing(stream) as messages:
            async for message in messages:
                if root_only and message.events:
                    of_root = [event for event in message.events if event.action == ROOT]
                    if not of_root:
                        continue
                    yield WatchRunResponse(events=of_root, next_sequence=message.next_sequence)
                    continue
                yield message

    async def _watch(
        self, key: RunKey, *, from_sequence: int, root_only: bool
    ) -> AsyncGenerator[WatchRunResponse, None]:
        following = max(from_sequence, 1)
        run = self._engine.runs.get(key)
        if run is None:
            ended = self._engine.ended_runs.get(key)
            stream = self._stored(key, following) if ended is None else self._of_ended(ended, following)
            async for message in stream:
                yield message
            return
        watcher = Watcher(root_only=root_only)
        run.watchers.add(watcher)
        for action in run.reports:
            watcher.report_written(action)
        try:
            async for message in self._catch_up(run, following, until=run.published + 1):
                following = message.next_sequence
                yield message
            async for message in self._live(watcher, following):
                yield message
        finally:
            run.watchers.discard(watcher)

    async def _live(self, watcher: Watcher, following: int) -> AsyncIterator[WatchRunResponse]:
        while True:
            events = [event for event in await watcher.take() if event.sequence >= following]
            for message in _messages(events):
                following = message.next_sequence
                yield message
            for reports in pieces(watcher.take_reports(), size=len, most=MOST_IN_MESSAGE):
                yield WatchRunResponse(reports=reports, next_sequence=following)
            if watcher.overrun:
                yield WatchRunResponse(resync=True, next_sequence=following)
                return
            if watcher.ended and not watcher.has_events:
                yield WatchRunResponse(ended=True, next_sequence=following)
                return
            await watcher.collect()

    async def _catch_up(self, run: Run, following: int, *, until: int) -> AsyncIterator[WatchRunResponse]:
        """Events from `following` to before `until`, which the watcher will not be given."""
        recent = list(run.recent)
        if recent and recent[0].sequence <= following:
            events = [event for event in recent if following <= event.sequence < until]
            for message in _messages(events):
                yield message
            return
        async for message in self._from_store(run.row.id, following, until=until):
            yield message

    async def _of_ended(self, run: Run, following: int) -> AsyncIterator[WatchRunResponse]:
        async for message in self._catch_up(run, following, until=run.published + 1):
            following = message.next_sequence
            yield message
        yield WatchRunResponse(ended=True, next_sequence=following)

    async def _stored(self, key: RunKey, following: int) -> AsyncIterator[WatchRunResponse]:
        row = await self._records.run(key)
        if row is None:
            raise absent_living_run(str(key))
        async for message in self._from_store(row.id, following, until=1 << 62):
            following = message.next_sequence
            yield message
        yield WatchRunResponse(ended=True, next_sequence=following)

    async def _from_store(self, run_id: int, following: int, *, until: int) -> AsyncIterator[WatchRunResponse]:
        while following < until:
            segments = await self._records.segments(run_id, from_sequence=following, limit=PAGE)
            fresh = [segment for segment in segments if segment.last_sequence >= following]
            if not fresh:
                return
            for segment in fresh:
                batch = EventBatch.FromString(segment.batch)
                events = [event for event in batch.events if following <= event.sequence < until]
                for message in _messages(events):
                    following = message.next_sequence
                    yield message
            if len(segments) < PAGE:
                return


def _messages(events: Sequence[Event]) -> Iterator[WatchRunResponse]:
    """Events in order, as messages of a bounded size."""
    for piece in pieces(events, size=lambda event: event.ByteSize(), most=MOST_IN_MESSAGE):
        yield WatchRunResponse(events=piece, next_sequence=piece[-1].sequence + 1)
