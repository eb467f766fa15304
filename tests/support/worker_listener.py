"""A `WorkerSink` that only listens, for tests of clusters whose workers do not speak through the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from flyteapi.scheduler.v1.worker_service_pb2 import WorkerReport
from flyteplane.cluster.ports import WorkerChannel, WorkerExit, WorkerProgress


class Listener:
    """Keeps what it hears of one worker."""

    def __init__(self) -> None:
        self.heard: list[WorkerProgress] = []
        self.exits: list[WorkerExit] = []
        self._changed = asyncio.Event()

    def opened(self, name: str, channel: WorkerChannel) -> None:
        """See the port."""

    def received(self, name: str, reports: Sequence[WorkerReport]) -> None:
        """See the port."""

    def output(self, name: str, data: bytes) -> None:
        """See the port."""

    def progress(self, progress: WorkerProgress) -> None:
        """See the port."""
        self.heard.append(progress)
        self._changed.set()

    def exited(self, exit: WorkerExit) -> None:
        """See the port."""
        self.exits.append(exit)
        self._changed.set()

    async def gone(self, *, within_s: float = 30.0) -> WorkerExit:
        """The worker's only end."""
        await self._until(lambda: bool(self.exits), within_s)
        (exit,) = self.exits
        return exit

    async def hears(self, reason: str, *, within_s: float = 30.0) -> WorkerProgress:
        """The first progress with this reason."""
        await self._until(lambda: any(each.reason == reason for each in self.heard), within_s)
        return next(each for each in self.heard if each.reason == reason)

    async def _until(self, condition: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
