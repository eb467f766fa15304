"""The client's end of an in-process call: the four call objects that stubs return.

A call object that is dropped before its call has ended cancels it, so that a reader who leaves an `async for` does
not leave a servicer running for ever. Over the network that is not certain: cancel what you no longer read.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Generator, Iterable
from typing import Any

import grpc
from grpc.aio import EOF

from flyteplane.observe import get_logger
from flyteplane.rpc.inprocess.exchange import CANCELLED_BY_CLIENT, CANCELLED_BY_COLLECTION, Exchange
from flyteplane.rpc.inprocess.lane import Lane

_log = get_logger("rpc")


class _Call:
    """What the four kinds of calls share."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __del__(self) -> None:
        if not self._exchange.done and not self._exchange.loop.is_closed():
            self._exchange.cancel(CANCELLED_BY_COLLECTION)

    def cancel(self) -> bool:
        return self._exchange.cancel(CANCELLED_BY_CLIENT)

    def cancelled(self) -> bool:
        return self._exchange.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._exchange.done

    def time_remaining(self) -> float | None:
        return self._exchange.time_remaining()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._exchange.add_callback(lambda: callback(self))

    async def initial_metadata(self) -> grpc.aio.Metadata:
        await self._exchange.initial_metadata_sent()
        return grpc.aio.Metadata(*self._exchange.initial_metadata)

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        await self._exchange.ended()
        return grpc.aio.Metadata(*self._exchange.trailing_metadata)

    async def code(self) -> grpc.StatusCode:
        await self._exchange.ended()
        assert self._exchange.code is not None
        return self._exchange.code

    async def details(self) -> str:
        await self._exchange.ended()
        return self._exchange.details

    async def wait_for_connection(self) -> None:
        """Return at once: the server is here."""

    def _raise_for_status(self) -> None:
        error = self._exchange.error()
        if error is not None:
            raise error


class UnaryResponseCall(_Call):
    """A call that is awaited for its one response."""

    def __await__(self) -> Generator[Any, None, Any]:
        return self._respond().__await__()

    async def _respond(self) -> Any:
        try:
            await self._exchange.ended()
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._raise_for_status()
        return self._exchange.response


class StreamResponseCall(_Call):
    """A call whose responses are read, by `read` or by iteration."""

    def __aiter__(self) -> "StreamResponseCall":
        return self

    async def __anext__(self) -> Any:
        response = await self.read()
        if response is EOF:
            raise StopAsyncIteration
        return response

    async def read(self) -> Any:
        """The next response, or `grpc.aio.EOF` after the last one. Raises AioRpcError for the call's status."""
        lane = self._exchange.responses
        assert lane is not None
        try:
            response = await lane.receive()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if response is EOF:
            self._raise_for_status()
        return response


class _StreamRequests(_Call):
    """The part of a call that sends a stream of requests, from an iterator or by `write`."""

    def __init__(self, exchange: Exchange, request_iterator: AsyncIterable[Any] | Iterable[Any] | None) -> None:
        super().__init__(exchange)
        self._pump: asyncio.Task[None] | None = None
        if request_iterator is not None:
            self._pump = exchange.loop.create_task(_pump(exchange, request_iterator))
            exchange.add_callback(self._pump.cancel)

    def _writable(self) -> Lane:
        if self._pump is not None:
            raise grpc.aio.UsageError("The iterator and read/write APIs may not be mixed on a single RPC.")
        lane = self._exchange.requests
        assert lane is not None
        return lane

    async def write(self, request: Any) -> None:
        """Send a request; waits while the servicer is far behind."""
        lane = self._writable()
        if self._exchange.done:
            raise asyncio.InvalidStateError("RPC already finished.")
        if lane.closed:
            raise asyncio.InvalidStateError('RPC is half closed after calling "done_writing".')
        try:
            await lane.send(request)
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._exchange.done:
            self._raise_for_status()

    async def done_writing(self) -> None:
        """Tell the servicer that there will be no more requests. May be called again."""
        self._writable().close()


class StreamUnaryCall(_StreamRequests, UnaryResponseCall):
    """Requests in a stream, one response."""


class StreamStreamCall(_StreamRequests, StreamResponseCall):
    """Requests and responses in streams."""


async def _pump(exchange: Exchange, requests: AsyncIterable[Any] | Iterable[Any]) -> None:
    """Send what the client's iterator gives. An iterator that fails cancels the call."""
    lane = exchange.requests
    assert lane is not None
    try:
        if isinstance(requests, AsyncIterable):
            async for request in requests:
                await lane.send(request)
        else:
            for request in requests:
                await lane.send(request)
    except Exception:
        _log.warning("request_iterator_failed", rpc=exchange.method, exc_info=True)
        exchange.cancel(CANCELLED_BY_CLIENT)
    lane.close()
