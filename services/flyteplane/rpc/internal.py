"""Listeners and channels between the processes of one platform.

Two things differ from the edge. Messages may be large, because orders and reports travel in batches. And a peer that
is frozen or has lost its power must be noticed in seconds, because callers wait for it: each side asks after three
quiet seconds, and gives the connection up after three more.

Over the network both sides prove themselves by certificates, see `flyteplane.rpc.transport`. A socket is open to its
owner only, and needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteplane.rpc.client import open_channel
from flyteplane.rpc.interceptors import Interceptors
from flyteplane.rpc.server import RpcServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

    from flyteplane.rpc.certificates import Certificates

INTERNAL_MESSAGE_BYTES: Final = 256 * 1024 * 1024
#: A task may submit many children at once, each with inputs of up to 256 KiB.
WORKER_MESSAGE_BYTES: Final = 64 * 1024 * 1024
INTERNAL_KEEPALIVE_S: Final = 3.0
#: An edge passes the calls of all its clients on over one connection.
INTERNAL_STREAMS: Final = 100_000


_UNIX: Final = "unix:"


def internal_server(
    address: str,
    *,
    certificates: Certificates | None = None,
    callers: Sequence[grpc.aio.ServerInterceptor] = (),
) -> RpcServer:
    """A server for other processes of the platform; not started yet.

    Args:
        certificates: of this process; whoever connects over the network must have one of the same authority.
        callers: take the caller of a call that another process has passed on.
    """
    credentials, interceptors = None, Interceptors(identity=callers)
    if certificates is not None and not address.startswith(_UNIX):
        from flyteplane.rpc.transport import PlatformProcessesOnly, server_credentials

        credentials = server_credentials(certificates, clients_prove_themselves=True)
        interceptors = Interceptors(identity=[PlatformProcessesOnly(), *callers])
    return RpcServer(
        address,
        interceptors=interceptors,
        credentials=credentials,
        most_message_bytes=INTERNAL_MESSAGE_BYTES,
        most_streams=INTERNAL_STREAMS,
        keepalive_s=INTERNAL_KEEPALIVE_S,
        reflection=False,
    )


def worker_server(address: str, *, certificates: Certificates | None = None) -> RpcServer:
    """A server for workers, which may be on other machines; not started yet. Every call there proves itself."""
    credentials = None
    if certificates is not None:
        from flyteplane.rpc.transport import server_credentials

        credentials = server_credentials(certificates, clients_prove_themselves=False)
    return RpcServer(address, credentials=credentials, most_message_bytes=WORKER_MESSAGE_BYTES, reflection=False)


def internal_channel(address: str, *, certificates: Certificates | None = None) -> grpc.aio.Channel:
    """A channel to another process of the platform, with what the certificates hold now."""
    credentials, name = None, ""
    if certificates is not None and not address.startswith(_UNIX):
        from flyteplane.rpc.transport import INTERNAL_NAME, internal_credentials

        credentials, name = internal_credentials(certificates.current()), INTERNAL_NAME
    return open_channel(
        address,
        credentials=credentials,
        server_name=name,
        most_message_bytes=INTERNAL_MESSAGE_BYTES,
        keepalive_s=INTERNAL_KEEPALIVE_S,
    )
