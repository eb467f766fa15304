"""The in-process server: takes servicers through the generated functions and runs their methods as tasks."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any

import grpc

from flyteplane.foundation.errors import Unimplemented
from flyteplane.foundation.ids import IdSource, SystemIds
from flyteplane.rpc.errors import status_of
from flyteplane.rpc.handlers import Behaviour, Handler, answer_once, answer_stream, behaviour_of
from flyteplane.rpc.inprocess.channel import InProcessChannel
from flyteplane.rpc.inprocess.context import InProcessContext, RequestIterator
from flyteplane.rpc.inprocess.exchange import Exchange
from flyteplane.rpc.inprocess.lane import Lane
from flyteplane.rpc.interceptors import has_own_status


class InProcessServer(grpc.aio.Server):
    """Pass it to the generated `add_XServicer_to_server`, and give `channel()` to stubs.

    Args:
        interceptors: as for a real server, the outermost first, without the error interceptor: errors are translated
        here. ids: for the ids of internal errors.
    """

    def __init__(self, *, interceptors: Sequence[grpc.aio.ServerInterceptor] = (), ids: IdSource | None = None) -> None:
        self._interceptors = tuple(interceptors)
        self._ids = ids or SystemIds()
        self._handlers: dict[str, Handler] = {}
        self._behaviours: dict[str, tuple[Behaviour, bool]] = {}
        self._running: dict[Exchange, None] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped = asyncio.Event()
        self.stopped = False

    def channel(self, *, metadata: Iterable[tuple[str, str | bytes]] = ()) -> InProcessChannel:
        """A channel to this server; `metadata` goes with every call, for example the caller's credentials."""
        return InProcessChannel(self, tuple(metadata))

    @property
    def methods(self) -> Sequence[str]:
        """The full names of the methods served, such as `/flyteapi.cache.v1.CacheService/Lookup`."""
        return sorted(self._handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        for name, handler in method_handlers.items():
            method = f"/{service_name}/{name}"
            self._handlers[method] = handler
            self._behaviours[method] = (behaviour_of(handler), handler.response_streaming)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Generated code registers its methods by name as well, which is what is used here."""

    def add_insecure_port(self, address: str) -> int:
        raise Unimplemented("an in-process server listens nowhere", mend="Use flyteplane.rpc.server for an address.")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        raise Unimplemented("an in-process server listens nowhere", mend="Use flyteplane.rpc.server for an address.")

    async def start(self) -> None:
        """Nothing to do: it serves as soon as it exists."""

    async def stop(self, grace: float | None) -> None:
        """Refuse new calls; end those that still run after `grace` seconds. Returns once all have ended."""
        self.stopped = True
        if grace:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace)
        for exchange in list(self._running):
            exchange.abandon(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
        await self._idle.wait()
        self._stopped.set()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Return whether the server has stopped, waiting up to `timeout` seconds for it."""
        try:
            await asyncio.wait_for(self._stopped.wait(), timeout)
        except TimeoutError:
            return False
        return True

    def start_call(
        self,
        exchange: Exchange,
        request: Any = None,
        *,
        request_streaming: bool = False,
        response_streaming: bool = False,
    ) -> None:
        """Start the servicer's side of a call. For the channel only."""
        if request_streaming:
            exchange.requests = Lane()
            request = RequestIterator(exchange)
        if response_streaming:
            exchange.responses = Lane()
        if self.stopped:
            exchange.finish(grpc.StatusCode.UNAVAILABLE, "the server has stopped")
            return
        known = self._behaviours.get(exchange.method)
        if known is None:
            exchange.finish(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
            return
        self._running[exchange] = None
        self._idle.clear()
        task = exchange.loop.create_task(self._serve(exchange, request, *known), context=Context())
        exchange.task = task
        # A task that is cancelled before its first step never runs, so the bookkeeping cannot be its own.
        task.add_done_callback(partial(self._ended, exchange))

    def _ended(self, exchange: Exchange, task: "asyncio.Task[None]") -> None:
        self._running.pop(exchange, None)
        if not self._running:
            self._idle.set()
        exchange.finish(grpc.StatusCode.CANCELLED, "the servicer was cancelled")

    async def _serve(self, exchange: Exchange, request: Any, behaviour: Behaviour, response_streaming: bool) -> None:
        context = InProcessContext(exchange)
        try:
            if self._interceptors:
                behaviour = await self._intercepted(exchange)
            if response_streaming:
                await answer_stream(behaviour, request, context)
            else:
                exchange.response = await answer_once(behaviour, request, context)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._failed(error, exchange, context)
        else:
            exchange.finish(context.code() or grpc.StatusCode.OK, context.details())

    def _failed(self, error: Exception, exchange: Exchange, context: InProcessContext) -> None:
        if exchange.done:
            return
        if has_own_status(context, error):
            exchange.finish(context.code(), context.details())
        else:
            exchange.finish(*status_of(error, method=exchange.method, ids=self._ids))

    async def _intercepted(self, exchange: Exchange) -> Behaviour:
        """The servicer's method inside all interceptors."""
        details = _CallDetails(exchange.method, exchange.invocation_metadata)

        async def innermost(changed: grpc.HandlerCallDetails) -> Any:
            return self._handlers.get(changed.method)

        continuation: Any = innermost
        for interceptor in reversed(self._interceptors):
            continuation = partial(interceptor.intercept_service, continuation)
        handler = await continuation(details)
        if handler is None:
            raise Unimplemented("Method not found!")
        return behaviour_of(handler)


class _CallDetails(grpc.HandlerCallDetails):
    def __init__(self, method: str, invocation_metadata: Any) -> None:
        self.method = method
        self.invocation_metadata = invocation_metadata
