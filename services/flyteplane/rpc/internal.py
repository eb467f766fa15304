"""Listeners and channels between the processes of one platform.

Two things differ from the edge. Messages may be large, because orders and reports travel in batches. And a peer that
is frozen or has lost its power must be noticed in seconds, because callers wait for it: each side asks after three
quiet seconds, and gives the connection up after three more.
"""

from typing import Final

import grpc

from flyteplane.rpc.client import open_channel
from flyteplane.rpc.server import RpcServer

INTERNAL_MESSAGE_BYTES: Final = 256 * 1024 * 1024
#: A task may submit many children at once, each with inputs of up to 256 KiB.
WORKER_MESSAGE_BYTES: Final = 64 * 1024 * 1024
INTERNAL_KEEPALIVE_S: Final = 3.0


def internal_server(address: str) -> RpcServer:
    """A server for other processes of the platform; not started yet."""
    return RpcServer(
        address, most_message_bytes=INTERNAL_MESSAGE_BYTES, keepalive_s=INTERNAL_KEEPALIVE_S, reflection=False
    )


def worker_server(address: str) -> RpcServer:
    """A server for workers, which may be on other machines; not started yet. Every call there proves itself."""
    return RpcServer(address, most_message_bytes=WORKER_MESSAGE_BYTES, reflection=False)


def internal_channel(address: str) -> grpc.aio.Channel:
    """A channel to another process of the platform."""
    return open_channel(address, most_message_bytes=INTERNAL_MESSAGE_BYTES, keepalive_s=INTERNAL_KEEPALIVE_S)
