"""Opening channels the way our servers expect, and turning a call's error back into ours."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc

from flyteplane.rpc.errors import errors_from_call
from flyteplane.rpc.server import EDGE_MESSAGE_BYTES, KEEPALIVE_S


def open_channel(
    address: str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    server_name: str = "",
    interceptors: Sequence[Any] = (),
    most_message_bytes: int = EDGE_MESSAGE_BYTES,
    keepalive_s: float = KEEPALIVE_S,
) -> grpc.aio.Channel:
    """A channel to `unix:/path` or `host:port`; connects by itself, and again whenever the connection is lost.

    Args:
        server_name: what the server's certificate must bear, whatever the address is; empty for the host.
    """
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", most_message_bytes),
        ("grpc.max_send_message_length", most_message_bytes),
        ("grpc.keepalive_time_ms", int(keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(min(keepalive_s, KEEPALIVE_S / 2) * 1000)),
        ("grpc.max_reconnect_backoff_ms", int(min(keepalive_s * 500, 2000))),
        ("grpc.initial_reconnect_backoff_ms", 100),
    ]
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise our own errors for failed calls made inside: `with translated_errors(): await stub.Get(request)`."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise errors_from_call(error) from error
