"""Metrics over HTTP, for Prometheus: nothing is loaded and nothing listens unless the operator asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final

from flyteplane.foundation.errors import Unavailable

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from prometheus_client import Metric

    from flyteplane.observe import Metrics

#: A platform whose loop does not answer in this time fails the scrape, which is what the scrape is to find out.
_ANSWER_S: Final = 10.0


async def serve_metrics(metrics: Metrics, address: str, *, stack: AsyncExitStack) -> str:
    """Serve metrics at `host:port` until the stack is closed; returns the address with the real port.

    Raises Unavailable if the port is not to be had.
    """
    from prometheus_client import start_http_server

    host, _, port = address.rpartition(":")
    registry: Any = _OnLoop(metrics, asyncio.get_running_loop())
    try:
        server, thread = start_http_server(int(port), addr=host, registry=registry)
    except OSError as error:
        raise Unavailable(
            f"metrics cannot be served at {address}: {error.strerror}", reason="METRICS_ADDRESS", field="metrics_listen"
        ) from error

    async def stop() -> None:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        await asyncio.to_thread(thread.join)

    stack.push_async_callback(stop)
    return f"{host}:{server.server_port}"


class _OnLoop:
    """A registry for the threads of the HTTP server: what services count belongs to the loop, and is read on it."""

    def __init__(self, metrics: Metrics, loop: asyncio.AbstractEventLoop) -> None:
        self._metrics = metrics
        self._loop = loop

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        return self._ask(lambda: list(self._metrics.registry.collect()))

    def restricted_registry(self, names: Iterable[str]) -> _OnLoop:
        """See prometheus_client. A scrape that names metrics gets all."""
        return self

    def _ask(self, collect: Callable[[], list[Metric]]) -> list[Metric]:
        async def on_loop() -> list[Metric]:
            return collect()

        asked: Coroutine[Any, Any, list[Metric]] = on_loop()
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(_ANSWER_S)
