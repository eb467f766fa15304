"""The schedulers that may be spoken to: one at a time, the next one when it fails."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import grpc

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    # Proxies are for the way out of the cluster.
    ("grpc.enable_http_proxy", 0),
    # Trying again is done here, with another scheduler.
    ("grpc.enable_retries", 0),
)


class Endpoints:
    """Which scheduler is tried next.

    Args:
        addresses: host:port; at least one.
        rng: chooses where to begin, so that pods do not all begin with the same one.
    """

    def __init__(self, addresses: Sequence[str], *, rng: random.Random) -> None:
        self._addresses = tuple(addresses)
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


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel of its own to a scheduler. It does not notice that the other side is silent: who calls has to."""
    import grpc

    return grpc.aio.insecure_channel(address, options=_OPTIONS)
