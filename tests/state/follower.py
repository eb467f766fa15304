"""Somebody who follows a run, whatever becomes of the scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tests.state.world import World

    from flyteapi.scheduler.v1.event_pb2 import Event
    from flyteapi.scheduler.v1.scheduler_service_pb2 import WatchRunResponse
    from flyteplane.scheduler.application.ports import RunKey


class Watch:
    """Somebody who follows a run over all crashes, and begins again where the last stream broke off."""

    def __init__(self, world: World, key: RunKey, *, first: int) -> None:
        self.world = world
        self.key = key
        self.first = self.following = max(first, 1)
        self.events: list[Event] = []
        self.ended = False
        self._task: asyncio.Task[None] | None = None

    def resume(self) -> None:
        """Opens the next stream."""
        if not self.ended:
            self._task = asyncio.ensure_future(self._read())

    async def cut(self) -> None:
        """The stream breaks."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _read(self) -> None:
        stream = self.world.now.scheduler.watching.watch(self.key, from_sequence=self.following)
        async with aclosing(cast("Any", stream)) as messages:
            async for message in cast("AsyncIterator[WatchRunResponse]", messages):
                self._take(message)

    def _take(self, message: WatchRunResponse) -> None:
        checker = self.world.checker
        checker.expect(not message.resync, "a watcher that reads at once was told to resync")
        stored = checker.log[checker.run_ids.get(self.key, 0)]
        for event in message.events:
            checker.expect(event.sequence == self.following, f"a watcher got {event.sequence} for {self.following}")
            durable = event.sequence <= len(stored) and stored[event.sequence - 1] == event
            checker.expect(durable, f"a watcher was given event {event.sequence} before it was durable")
            self.following = event.sequence + 1
            self.events.append(event)
        checker.expect(message.next_sequence == self.following, "a watcher would resume at the wrong place")
        self.ended = message.ended
