"""The server's end of an in-process call: what a servicer knows as its context."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import grpc

from flyteplane.rpc.inprocess.exchange import Exchange


class InProcessContext(grpc.aio.ServicerContext[Any, Any]):
    """See `grpc.aio.ServicerContext`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._code: grpc.StatusCode | None = None
        self._details = ""

    async def read(self) -> Any:
        assert self._exchange.requests is not None, "the call has no request stream"
        return await self._exchange.requests.receive()

    async def write(self, message: Any) -> None:
        assert self._exchange.responses is not None, "the call has no response stream"
        await self._exchange.responses.send(message)

    async def send_initial_metadata(self, initial_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        self._exchange.send_initial_metadata(tuple(initial_metadata))

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Iterable[tuple[str, str | bytes]] = ()
    ) -> NoReturn:
        self._exchange.finish(code, details, tuple(trailing_metadata))
        raise grpc.aio.AbortError(details)

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata or ())

    def set_trailing_metadata(self, trailing_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        self._exchange.trailing_metadata = tuple(trailing_metadata)

    def invocation_metadata(self) -> Any:
        return self._exchange.invocation_metadata

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._details = details

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._exchange.trailing_metadata

    def set_compression(self, compression: grpc.Compression) -> None:
        """Nothing is serialised, so nothing is compressed."""

    def disable_next_message_compression(self) -> None:
        """Nothing is serialised, so nothing is compressed."""

    def peer(self) -> str:
        return "inprocess:"

    def peer_identities(self) -> Sequence[bytes] | None:
        return None

    def peer_identity_key(self) -> str | None:
        return None

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        return {}

    def time_remaining(self) -> Any:
        return self._exchange.time_remaining()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._exchange.add_callback(lambda: callback(self))

    def cancelled(self) -> bool:
        return self._exchange.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._exchange.done


class RequestIterator:
    """The requests of a stream as the servicer reads them; it may use `context.read` in their place."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __aiter__(self) -> "RequestIterator":
        return self

    async def __anext__(self) -> Any:
        assert self._exchange.requests is not None
        message = await self._exchange.requests.receive()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message
