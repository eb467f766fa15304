"""Metrics over HTTP, for Prometheus, and how the process is, for whoever runs it: `/live` and `/ready`.

Nothing is loaded and nothing listens unless the operator asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final

from flyteplane.foundation.errors import Unavailable

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from prometheus_client import Metric

    from flyteplane.launcher.health import Health
    from flyteplane.observe import Metrics

#: A platform whose loop does not answer in this time fails the scrape, which is what the scrape is to find out.
_ANSWER_S: Final = 10.0
#: And one that does not in this time is blocked; longer than stores are waited for.
PATIENCE_S: Final = 5.0


async def serve_metrics(
    metrics: Metrics,
    address: str,
    *,
    stack: AsyncExitStack,
    health: Health | None = None,
    patience_s: float = PATIENCE_S,
) -> str:
    """Serve metrics at `host:port` until the stack is closed; returns the address with the real port.

    Args:
        health: what `/live` and `/ready` answer; None for a process that is well for as long as its loop turns.
        patience_s: how long the loop may take to answer before the process counts as blocked.

    Raises Unavailable if the port is not to be had.
    """
    from prometheus_client import start_http_server

    from flyteplane.launcher.health import Health

    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    registry: Any = _OnLoop(metrics, loop)
    try:
        server, thread = start_http_server(int(port), addr=host, registry=registry)
    except OSError as error:
        raise Unavailable(
            f"metrics cannot be served at {address}: {error.strerror}", reason="METRICS_ADDRESS", field="metrics_listen"
        ) from error

    server.set_app(_WithHealth(server.get_app(), health or Health(), loop=loop, patience_s=patience_s))

    async def stop() -> None:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        await asyncio.to_thread(thread.join)

    stack.push_async_callback(stop)
    return f"{host}:{server.server_port}"


class _WithHealth:
    """An HTTP application that answers two paths itself, in a thread of the server's."""

    def __init__(self, metrics: Any, health: Health, *, loop: asyncio.AbstractEventLoop, patience_s: float) -> None:
        self._metrics = metrics
        self._asked = {"/live": health.live, "/ready": health.ready}
        self._loop = loop
        self._patience_s = patience_s

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """See WSGI."""
        ask = self._asked.get(environ["PATH_INFO"])
        if ask is None:
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        problem = self._problem(ask)
        status = "503 Service Unavailable" if problem else "200 OK"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
        return [f"{problem or 'ok'}\n".encode()]

    def _problem(self, ask: Callable[[], Awaitable[str]]) -> str:
        async def on_loop() -> str:
            return await ask()

        asked = asyncio.run_coroutine_threadsafe(on_loop(), self._loop)
        try:
            return asked.result(self._patience_s)
        except TimeoutError:
            asked.cancel()
            return f"the process has not answered within {self._patience_s:g} s"


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
