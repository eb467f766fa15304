"""Calls of a `LeaderChannel`: each waits for a leader, goes there, and ends when the leader is gone.

They have what generated stubs and our clients use of `grpc.aio` calls: awaiting, iterating, reading, writing,
cancelling, and the status at the end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator
from typing import TYPE_CHECKING, Any

import grpc

from flyteplane.rpc.gate import LEADER_CHANGED

if TYPE_CHECKING:
    from flyteplane.rpc.leader_channel import Connection, LeaderChannel

#: Makes the call on a connection; the second argument is the time that is left, or None.
MakeCall = Callable[["Connection", float | None], Any]


class _Followed:
    """What both forms share: the wait for a leader, and the end of the call when the leader is gone."""

    def __init__(self, channel: LeaderChannel, make: MakeCall, *, timeout: float | None) -> None:
        self._channel = channel
        self._make = make
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._connection: Connection | None = None
        self._call: Any = None
        self._moved = False
        self._entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when there is a leader, and the call is made."""

    def _left_s(self) -> float | None:
        return None if self._deadline is None else self._deadline - time.monotonic()

    async def _begin(self, other_than: Connection | None = None) -> Any:
        connection = await self._channel.ready(left_s=self._left_s(), other_than=other_than)
        self._connection = connection
        connection.enter(self)
        self._call = self._make(connection, self._left_s())
        self._call.add_done_callback(lambda _: connection.exit(self))
        if not self._entered.done():
            self._entered.set_result(None)
        return self._call

    def moved(self) -> None:
        """The leader is gone: whoever waits for this call is told so."""
        self._moved = True
        if self._call is not None:
            self._call.cancel()

    def _ended_by_move(self) -> bool:
        """Whether a cancellation is the work of `moved` and not of our own caller."""
        task = asyncio.current_task()
        return self._moved and (task is None or not task.cancelling())

    def _leader_changed(self) -> grpc.aio.AioRpcError:
        return self._channel.unavailable(LEADER_CHANGED, "has changed its leader; ask again")

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call back with this call when it has ended."""
        raise NotImplementedError


class FollowedUnary(_Followed):
    """A call with one response.

    Args:
        repeat: which failures say that nothing was done, so that the next leader may be asked.
    """

    def __init__(
        self,
        channel: LeaderChannel,
        make: MakeCall,
        *,
        timeout: float | None,
        repeat: Callable[[grpc.aio.AioRpcError], bool] = lambda _: False,
    ) -> None:
        super().__init__(channel, make, timeout=timeout)
        self._repeat = repeat
        self._task = asyncio.get_running_loop().create_task(self._run())
        # Whoever never awaits the call has no interest in why it failed.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _run(self) -> Any:
        refused: Connection | None = None
        while True:
            call = await self._begin(other_than=refused)
            try:
                return await call
            except grpc.aio.AioRpcError as error:
                if not self._repeat(error):
                    raise
                refused = self._connection
            except asyncio.CancelledError:
                if self._ended_by_move():
                    raise self._leader_changed() from None
                call.cancel()
                raise

    def __await__(self) -> Generator[Any, None, Any]:
        return self._task.__await__()

    async def write(self, message: Any) -> None:
        """Send a message of a call whose requests are a stream."""
        await (await self._made()).write(message)

    async def done_writing(self) -> None:
        """Say that there are no more messages."""
        await (await self._made()).done_writing()

    async def _made(self) -> Any:
        """The call, once there is a leader to make it to."""
        if self._call is None:
            await asyncio.wait([self._task, self._entered], return_when=asyncio.FIRST_COMPLETED)
        if self._call is None:
            await self._task
        return self._call

    def cancel(self) -> bool:
        """Give the call up."""
        return self._task.cancel()

    def cancelled(self) -> bool:
        """Whether it was given up."""
        return self._task.cancelled()

    def done(self) -> bool:
        """Whether it has ended."""
        return self._task.done()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._task.add_done_callback(lambda _: callback(self))

    async def code(self) -> grpc.StatusCode:
        """The status, once the call has ended."""
        await asyncio.wait([self._task])
        if self._task.cancelled():
            return grpc.StatusCode.CANCELLED
        error = self._task.exception()
        return error.code() if isinstance(error, grpc.aio.AioRpcError) else grpc.StatusCode.OK

    async def initial_metadata(self) -> Any:
        """What the servicer sent first."""
        return await (await self._made()).initial_metadata()

    async def trailing_metadata(self) -> Any:
        """What the servicer sent with the end."""
        await asyncio.wait([self._task])
        error = None if self._task.cancelled() else self._task.exception()
        if isinstance(error, grpc.aio.AioRpcError):
            return error.trailing_metadata()
        return () if self._call is None else await self._call.trailing_metadata()


class FollowedStream(_Followed):
    """A call whose responses are a stream; its requests may be one too."""

    def __init__(self, channel: LeaderChannel, make: MakeCall, *, timeout: float | None) -> None:
        super().__init__(channel, make, timeout=timeout)
        self._begun = asyncio.get_running_loop().create_task(self._begin())
        # Whoever never reads has no interest in why there is nothing to read.
        self._begun.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def read(self) -> Any:
        """The next message, or `grpc.aio.EOF`. Raises AioRpcError when the call has failed."""
        return await self._translated(lambda call: call.read())

    async def write(self, message: Any) -> None:
        """Send a message."""
        await self._translated(lambda call: call.write(message))

    async def done_writing(self) -> None:
        """Say that there are no more messages."""
        await self._translated(lambda call: call.done_writing())

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    async def _translated(self, use: Callable[[Any], Any]) -> Any:
        call = await asyncio.shield(self._begun)
        try:
            return await use(call)
        except asyncio.CancelledError:
            if self._ended_by_move():
                raise self._leader_changed() from None
            raise

    def cancel(self) -> bool:
        """Give the call up."""
        if self._call is None:
            return self._begun.cancel()
        return bool(self._call.cancel())

    def cancelled(self) -> bool:
        """Whether it was given up."""
        return self._begun.cancelled() or (self._call is not None and self._call.cancelled())

    def done(self) -> bool:
        """Whether it has ended."""
        if self._call is not None:
            return bool(self._call.done())
        return self._begun.done()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        def begun(task: asyncio.Task[Any]) -> None:
            if task.cancelled() or task.exception() is not None:
                callback(self)
            else:
                task.result().add_done_callback(lambda _: callback(self))

        self._begun.add_done_callback(begun)

    async def code(self) -> grpc.StatusCode:
        """The status, once the call has ended."""
        try:
            call = await asyncio.shield(self._begun)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.UNAVAILABLE if self._moved else await call.code()

    async def initial_metadata(self) -> Any:
        """What the servicer sent first."""
        return await self._translated(lambda call: call.initial_metadata())

    async def trailing_metadata(self) -> Any:
        """What the servicer sent with the end."""
        try:
            call = await asyncio.shield(self._begun)
        except grpc.aio.AioRpcError as error:
            return error.trailing_metadata()
        return await call.trailing_metadata()
