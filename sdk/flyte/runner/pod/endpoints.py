"""The schedulers that may be spoken to: one at a time, the next one when it fails.

With authorities all are spoken to by TLS. A listener then proves by its certificate what it is, and not where: pods are
told addresses, and these change.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from flyte.spec.tls_names import WORKERS_NAME

if TYPE_CHECKING:
    import ssl

    import grpc

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    # Proxies are for the way out of the cluster.
    ("grpc.enable_http_proxy", 0),
    # Trying again is done here, with another scheduler.
    ("grpc.enable_retries", 0),
    # And by a connection of its own: behind one address there may be several, of which only one is of use.
    ("grpc.use_local_subchannel_pool", 1),
)


class Endpoints:
    """Which scheduler is tried next.

    Args:
        addresses: host:port; at least one.
        rng: chooses where to begin, so that pods do not all begin with the same one.
        authorities: PEM; empty for no TLS.
    """

    def __init__(self, addresses: Sequence[str], *, rng: random.Random, authorities: str = "") -> None:
        self._addresses = tuple(addresses)
        self._authorities = authorities
        self._place = rng.randrange(len(self._addresses))

    def __len__(self) -> int:
        return len(self._addresses)

    @property
    def current(self) -> str:
        """The one to speak to."""
        return self._addresses[self._place]

    def failed(self, address: str) -> None:
        """It was of no use: from now on the next one is current, unless it is already another."""
        if address == self.current:
            self._place = (self._place + 1) % len(self._addresses)

    def works(self, address: str) -> None:
        """It answers as the one that leads."""
        self._place = self._addresses.index(address)

    def open_channel(self, address: str) -> grpc.aio.Channel:
        """A channel of its own to a scheduler. It does not notice that the other side is silent: who calls has to."""
        import grpc

        if not self._authorities:
            return grpc.aio.insecure_channel(address, options=_OPTIONS)
        credentials = grpc.ssl_channel_credentials(self._authorities.encode())
        options = (*_OPTIONS, ("grpc.ssl_target_name_override", WORKERS_NAME))
        return grpc.aio.secure_channel(address, credentials, options=options)

    def tls_context(self) -> ssl.SSLContext | None:
        """For connections without gRPC; None for no TLS. Raises ssl.SSLError for what is no PEM of authorities."""
        if not self._authorities:
            return None
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self._authorities)
        context.set_alpn_protocols(["h2"])
        return context
