"""The state of one call, shared by its two ends.

A call ends once: with the servicer's answer or error, by the client's cancellation, by its deadline, or with the
server. Whoever ends it sets the status; everything later is ignored, and the servicer's task is cancelled if it still
runs.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import grpc

from flyteplane.rpc.inprocess.lane import Lane

MetadataPairs: TypeAlias = tuple[tuple[str, str | bytes], ...]

CANCELLED_BY_CLIENT: Final = "Locally cancelled by application!"
CANCELLED_BY_COLLECTION: Final = "Cancelled upon garbage collection!"


class Exchange:
    """One call from its start to its status."""

    __slots__ = (
        "_callbacks",
        "_deadline",
        "_greeted",
        "_timer",
        "_waiting",
        "cancelled_locally",
        "code",
        "details",
        "initial_metadata",
        "invocation_metadata",
        "loop",
        "method",
        "requests",
        "response",
        "responses",
        "task",
        "trailing_metadata",
    )

    def __init__(self, method: str, *, loop: asyncio.AbstractEventLoop, metadata: MetadataPairs) -> None:
        self.method = method
        self.loop = loop
        self.invocation_metadata = metadata
        self.requests: Lane | None = None
        self.responses: Lane | None = None
        self.response: Any = None
        self.code: grpc.StatusCode | None = None
        self.details = ""
        self.initial_metadata: MetadataPairs = ()
        self.trailing_metadata: MetadataPairs = ()
        self.cancelled_locally = False
        self.task: asyncio.Task[None] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._greeted = False
        self._callbacks: list[Callable[[], object]] | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def done(self) -> bool:
        return self.code is not None

    def set_timeout(self, timeout_s: float | None) -> None:
        """End the call with DEADLINE_EXCEEDED after so many seconds; None for never."""
        if timeout_s is not None:
            self._deadline = self.loop.time() + timeout_s
            self._timer = self.loop.call_later(max(timeout_s, 0.0), self._expire)

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(self._deadline - self.loop.time(), 0.0)

    def finish(self, code: grpc.StatusCode, details: str = "", trailing: MetadataPairs = ()) -> bool:
        """End the call from the server's side: the client receives what was sent before the status."""
        if self.code is not None:
            return False
        self.code = code
        self.details = details
        if trailing:
            self.trailing_metadata = (*self.trailing_metadata, *trailing)
        if self._timer is not None:
            self._timer.cancel()
        if self.requests is not None:
            self.requests.discard()
        if self.responses is not None:
            self.responses.close()
        self._wake()
        if self._callbacks is not None:
            for callback in self._callbacks:
                self.loop.call_soon(callback)
        return True

    def cancel(self, details: str) -> bool:
        """End the call from the client's side."""
        if self.code is not None:
            return False
        self.cancelled_locally = True
        self.abandon(grpc.StatusCode.CANCELLED, details)
        return True

    def abandon(self, code: grpc.StatusCode, details: str) -> None:
        """End the call at once: drop what was not received and cancel the servicer."""
        if self.finish(code, details):
            if self.responses is not None:
                self.responses.discard()
            if self.task is not None:
                self.task.cancel()

    def _expire(self) -> None:
        self.abandon(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    async def ended(self) -> None:
        """Return once the call has a status."""
        while self.code is None:
            await self._woken()

    def send_initial_metadata(self, metadata: MetadataPairs) -> None:
        self.initial_metadata = (*self.initial_metadata, *metadata)
        self._greeted = True
        self._wake()

    async def initial_metadata_sent(self) -> None:
        """Return once the servicer has sent initial metadata, or the call has ended."""
        while self.code is None and not self._greeted:
            await self._woken()

    async def _woken(self) -> None:
        waiting = self.loop.create_future()
        self._waiting.append(waiting)
        await waiting

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Have `callback` called on the loop once the call has ended."""
        if self.code is not None:
            self.loop.call_soon(callback)
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    def error(self) -> BaseException | None:
        """What the client raises for the status: CancelledError if it cancelled itself, None if all is well."""
        if self.cancelled_locally:
            return asyncio.CancelledError()
        if self.code is None or self.code is grpc.StatusCode.OK:
            return None
        return grpc.aio.AioRpcError(
            self.code,
            grpc.aio.Metadata(*self.initial_metadata),
            grpc.aio.Metadata(*self.trailing_metadata),
            details=self.details,
            debug_error_string=f"{self.method}: {self.code.name}: {self.details}",
        )
