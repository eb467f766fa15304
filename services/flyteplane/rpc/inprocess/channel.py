"""The in-process channel: the surface of `grpc.aio.Channel` that generated stubs and careful clients use."""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc

from flyteplane.rpc.inprocess.calls import StreamResponseCall, StreamStreamCall, StreamUnaryCall, UnaryResponseCall
from flyteplane.rpc.inprocess.exchange import Exchange, MetadataPairs

if TYPE_CHECKING:
    from flyteplane.rpc.inprocess.server import InProcessServer


class _MultiCallable:
    """One method of the server, ready to be called. `start` makes a call's exchange and starts the servicer."""

    def __init__(self, server: "InProcessServer", method: str, metadata: MetadataPairs) -> None:
        self._server = server
        self._method = method
        self._metadata = metadata

    def _open(self, timeout: float | None, metadata: Iterable[tuple[str, str | bytes]] | None) -> Exchange:
        pairs = (*self._metadata, *((key, value) for key, value in metadata)) if metadata else self._metadata
        exchange = Exchange(self._method, loop=asyncio.get_running_loop(), metadata=pairs)
        if timeout is not None:
            exchange.set_timeout(timeout)
        return exchange


class UnaryUnary(_MultiCallable):
    """One request, one response."""

    def __call__(
        self, request: Any, *, timeout: float | None = None, metadata: Any = None, **_: Any
    ) -> UnaryResponseCall:
        exchange = self._open(timeout, metadata)
        self._server.start_call(exchange, request)
        return UnaryResponseCall(exchange)


class UnaryStream(_MultiCallable):
    """One request, responses in a stream."""

    def __call__(
        self, request: Any, *, timeout: float | None = None, metadata: Any = None, **_: Any
    ) -> StreamResponseCall:
        exchange = self._open(timeout, metadata)
        self._server.start_call(exchange, request, response_streaming=True)
        return StreamResponseCall(exchange)


class StreamUnary(_MultiCallable):
    """Requests in a stream, one response."""

    def __call__(
        self, request_iterator: Any = None, timeout: float | None = None, metadata: Any = None, **_: Any
    ) -> StreamUnaryCall:
        exchange = self._open(timeout, metadata)
        self._server.start_call(exchange, request_streaming=True)
        return StreamUnaryCall(exchange, request_iterator)


class StreamStream(_MultiCallable):
    """Requests and responses in streams."""

    def __call__(
        self, request_iterator: Any = None, timeout: float | None = None, metadata: Any = None, **_: Any
    ) -> StreamStreamCall:
        exchange = self._open(timeout, metadata)
        self._server.start_call(exchange, request_streaming=True, response_streaming=True)
        return StreamStreamCall(exchange, request_iterator)


class InProcessChannel(grpc.aio.Channel):
    """Calls the servicers of one `InProcessServer`. Serialisers are accepted and not used."""

    def __init__(self, server: "InProcessServer", metadata: MetadataPairs = ()) -> None:
        self._server = server
        self._metadata = metadata

    def unary_unary(self, method: str, *_: Any, **__: Any) -> Any:
        return UnaryUnary(self._server, method, self._metadata)

    def unary_stream(self, method: str, *_: Any, **__: Any) -> Any:
        return UnaryStream(self._server, method, self._metadata)

    def stream_unary(self, method: str, *_: Any, **__: Any) -> Any:
        return StreamUnary(self._server, method, self._metadata)

    def stream_stream(self, method: str, *_: Any, **__: Any) -> Any:
        return StreamStream(self._server, method, self._metadata)

    async def close(self, grace: float | None = None) -> None:
        """Nothing is held; calls end by themselves."""

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return grpc.ChannelConnectivity.SHUTDOWN if self._server.stopped else grpc.ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return once the state differs: a running server is ready until it stops."""
        if self.get_state() is last_observed_state:
            await self._server.wait_for_termination()

    async def channel_ready(self) -> None:
        """Return at once."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
