"""Somebody who follows a run over all changes of leaders, and misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, cast

from flyteplane.foundation.errors import PlatformError

if TYPE_CHECKING:
    from tests.state.fleet.process import Process, Service
    from tests.state.fleet.world import FleetWorld

    from flyteapi.scheduler.v1.scheduler_service_pb2 import WatchRunResponse
    from flyteplane.scheduler.application.ports import RunKey


class Follower:
    """Begins again where the last stream broke off."""

    def __init__(self, world: FleetWorld, key: RunKey) -> None:
        self._world = world
        self._key = key
        self.next = 1
        """Sequence of the next event."""
        self.ended = False

    async def follow(self) -> None:
        """Returns once the run has ended and all was read."""
        while not self.ended:
            process = self._world.leader()
            if process is None or process.service is None or self._key not in self._world.checker.run_ids:
                await self._world.clock.sleep(0.7)
                continue
            reading = asyncio.ensure_future(self._read(process, process.service))
            await self._world.until_it_ends(reading, process)
            await self._world.clock.sleep(0.1)

    async def _read(self, process: Process, service: Service) -> None:
        stream = service.scheduler.watching.watch(self._key, from_sequence=self.next)
        with suppress(PlatformError):
            async with aclosing(cast("Any", stream)) as messages:
                async for message in cast("AsyncIterator[WatchRunResponse]", messages):
                    if process.serving is not service:
                        return
                    self._take(message)

    def _take(self, message: WatchRunResponse) -> None:
        checker = self._world.checker
        stored = checker.log[checker.run_ids[self._key]]
        for event in message.events:
            checker.expect(event.sequence == self.next, f"a watcher got {event.sequence} for {self.next}")
            durable = event.sequence <= len(stored) and stored[event.sequence - 1] == event
            checker.expect(durable, f"a watcher was given event {event.sequence} before it was durable")
            self.next = event.sequence + 1
        if message.ended:
            self.ended = True
            checker.expect(self.next == len(stored) + 1, f"a watcher of {self._key} missed something")
