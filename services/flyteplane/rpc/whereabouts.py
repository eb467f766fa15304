"""Where a service can be reached at present, as far as this process knows.

Whoever follows the service (a watch of the coordination store, a line of the operator's file) tells it; channels read
it and wait for it to change. It belongs to one event loop.
"""

from __future__ import annotations

import asyncio


class Whereabouts:
    """One address that may change.

    Args:
        service: name of the service, for messages.
        address: a target for `open_channel`; empty while nobody knows one.
    """

    def __init__(self, service: str, address: str = "") -> None:
        self.service = service
        self._address = address
        self._changed: asyncio.Future[None] | None = None

    @property
    def address(self) -> str:
        """The present address; empty for none."""
        return self._address

    def tell(self, address: str) -> None:
        """The service is there now; nowhere if empty."""
        if address == self._address:
            return
        self._address = address
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None

    def changed(self) -> asyncio.Future[None]:
        """Done when the address differs from the present one. Shared by all who wait: shield it."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        return self._changed
