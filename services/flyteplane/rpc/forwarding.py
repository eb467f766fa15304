"""Serving a service by passing its calls on, bytes for bytes.

The process at the edge serves every rpc service of the platform, wherever it lives. Requests, responses, deadlines,
metadata, statuses and their details pass unchanged; messages are neither decoded nor copied into other messages. Only
the credential stays here: what the edge has found out by it goes on instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc

from flyte.spec.trace_context import TRACE_PARENT
from flyteplane.observe.spans import current_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.descriptor import ServiceDescriptor

#: Metadata that belongs to one connection and not to the call.
_OWN_METADATA: Final = ("grpc-", "user-agent", ":")
#: Who calls, as the edge has proven it. Whatever a client sends under this key is dropped.
CALLER_METADATA: Final = "flyte-caller-bin"
_STAYS_HERE: Final = frozenset({"authorization", CALLER_METADATA})

#: What the edge adds to a call that it passes on.
Added: TypeAlias = "Callable[[], Sequence[tuple[str, str | bytes]]]"


def add_forwarding(server: Any, service: ServiceDescriptor, *, channel: grpc.aio.Channel, added: Added = tuple) -> None:
    """Register all methods of `service` with a server; calls go to `channel`, with the metadata of `added`."""
    handlers = {}
    for method in service.methods:
        path = f"/{service.full_name}/{method.name}"
        handlers[method.name] = _handler(
            channel,
            path,
            added,
            client_streaming=method.client_streaming,
            server_streaming=method.server_streaming,
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    server.add_registered_method_handlers(service.full_name, handlers)


def _handler(
    channel: grpc.aio.Channel, path: str, added: Added, *, client_streaming: bool, server_streaming: bool
) -> Any:
    if client_streaming and server_streaming:
        return grpc.stream_stream_rpc_method_handler(_streaming(channel.stream_stream(path), added))
    if client_streaming:
        return grpc.stream_unary_rpc_method_handler(_answering(channel.stream_unary(path), added))
    if server_streaming:
        return grpc.unary_stream_rpc_method_handler(_streaming(channel.unary_stream(path), added))
    return grpc.unary_unary_rpc_method_handler(_answering(channel.unary_unary(path), added))


def _answering(method: Any, added: Added) -> Any:
    async def forward(request: Any, context: Any) -> Any:
        call = method(request, timeout=context.time_remaining(), metadata=(*_passed_on(context), *added()))
        try:
            answer = await call
            await _send_initial(call, context)
            context.set_trailing_metadata(tuple(await call.trailing_metadata() or ()))
            return answer
        except grpc.aio.AioRpcError as error:
            await _abort(context, error)

    return forward


def _streaming(method: Any, added: Added) -> Any:
    async def forward(request: Any, context: Any) -> None:
        call = method(request, timeout=context.time_remaining(), metadata=(*_passed_on(context), *added()))
        first = True
        try:
            async for answer in call:
                if first:
                    first = False
                    await _send_initial(call, context)
                await context.write(answer)
            context.set_trailing_metadata(tuple(await call.trailing_metadata() or ()))
        except grpc.aio.AioRpcError as error:
            await _abort(context, error)
        finally:
            call.cancel()

    return forward


async def _send_initial(call: Any, context: Any) -> None:
    if initial := tuple(await call.initial_metadata() or ()):
        await context.send_initial_metadata(initial)


async def _abort(context: Any, error: grpc.aio.AioRpcError) -> None:
    await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata() or ()))


def _passed_on(context: Any) -> tuple[tuple[str, str | bytes], ...]:
    pairs = context.invocation_metadata() or ()
    passed = [(key, value) for key, value in pairs if not key.startswith(_OWN_METADATA) and key not in _STAYS_HERE]
    trace = current_trace()
    if trace is None:
        return tuple(passed)
    # What answers it works below the span of this call, which was itself below that of the caller.
    return (*(pair for pair in passed if pair[0] != TRACE_PARENT), (TRACE_PARENT, str(trace)))
