"""Serving a service by passing its calls on, bytes for bytes.

The process at the edge serves every rpc service of the platform, wherever it lives. Requests, responses, deadlines,
metadata, statuses and their details pass unchanged; messages are neither decoded nor copied into other messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

#: Metadata that belongs to one connection and not to the call.
_OWN_METADATA: Final = ("grpc-", "user-agent", ":")


def add_forwarding(server: Any, service: ServiceDescriptor, *, channel: grpc.aio.Channel) -> None:
    """Register all methods of `service` with a server; calls go to `channel`."""
    handlers = {}
    for method in service.methods:
        path = f"/{service.full_name}/{method.name}"
        handlers[method.name] = _handler(
            channel, path, client_streaming=method.client_streaming, server_streaming=method.server_streaming
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    server.add_registered_method_handlers(service.full_name, handlers)


def _handler(channel: grpc.aio.Channel, path: str, *, client_streaming: bool, server_streaming: bool) -> Any:
    if client_streaming and server_streaming:
        return grpc.stream_stream_rpc_method_handler(_streaming(channel.stream_stream(path)))
    if client_streaming:
        return grpc.stream_unary_rpc_method_handler(_answering(channel.stream_unary(path)))
    if server_streaming:
        return grpc.unary_stream_rpc_method_handler(_streaming(channel.unary_stream(path)))
    return grpc.unary_unary_rpc_method_handler(_answering(channel.unary_unary(path)))


def _answering(method: Any) -> Any:
    async def forward(request: Any, context: Any) -> Any:
        call = method(request, timeout=context.time_remaining(), metadata=_passed_on(context))
        try:
            answer = await call
            await _send_initial(call, context)
            context.set_trailing_metadata(tuple(await call.trailing_metadata() or ()))
            return answer
        except grpc.aio.AioRpcError as error:
            await _abort(context, error)

    return forward


def _streaming(method: Any) -> Any:
    async def forward(request: Any, context: Any) -> None:
        call = method(request, timeout=context.time_remaining(), metadata=_passed_on(context))
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
    return tuple((key, value) for key, value in pairs if not key.startswith(_OWN_METADATA))
