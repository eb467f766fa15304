"""Opens the console: a listener that costs nothing until somebody looks.

    console = bind_console(settings, open_channel=lambda: open_channel("unix:/..."), clock=clock)
    ... console.url ...
    await console.start()
    await console.close()

The web framework, the templates and the channel to the platform are loaded at the first connection, on a thread, while
whatever else runs in the process goes on.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, cast

from flyteplane.console.settings import ConsoleSettings
from flyteplane.foundation.errors import Unavailable
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import grpc

    from flyteplane.console.login_link import LoginLink
    from flyteplane.console.serving import Serving
    from flyteplane.foundation.clock import Clock


_log = get_logger("console")


class Console:
    """A console that has its address. Made by `bind_console`."""

    def __init__(
        self,
        settings: ConsoleSettings,
        *,
        listening: socket.socket,
        open_channel: Callable[[], grpc.aio.Channel],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._open_channel = open_channel
        self._clock = clock
        self._listening = listening
        self._port: int = listening.getsockname()[1]
        self._link: LoginLink | None = None
        self._server: asyncio.Server | None = None
        self._serving: Serving | None = None
        self._loading: asyncio.Future[Serving] | None = None
        self._closing = False

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """Where people reach it, without a slash at the end."""
        if self._settings.public_url:
            return self._settings.public_url.rstrip("/")
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{'https' if self._settings.tls else 'http'}://{host}:{self._port}"

    async def start(self) -> None:
        """Write the link and listen."""
        if self._settings.link_file is not None:
            from flyteplane.console.login_link import LoginLink

            self._link = LoginLink(self._settings.link_file, url=self.url)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Waiting(self._serve), sock=self._listening, ssl=self._settings.tls
        )

    async def close(self) -> None:
        """Listen no more, and end what is under way. May be called again."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        else:
            self._listening.close()
        if self._settings.link_file is not None:
            self._settings.link_file.unlink(missing_ok=True)
        if self._loading is not None:
            await asyncio.wait([self._loading])
        if self._serving is not None:
            await self._serving.close()
            self._serving = None

    async def _serve(self, transport: asyncio.Transport, received: bytearray) -> None:
        """Give a connection to the application, which is loaded first if need be."""
        try:
            serving = self._serving or await self._loaded()
        except Exception:
            _log.error("console_not_loaded", exc_info=True)
            transport.close()
            return
        if not self._closing and not transport.is_closing():
            serving.take(transport, received)

    async def _loaded(self) -> Serving:
        """The application, loaded by the first who asks; a failure is tried again by the next."""
        if self._loading is None or (self._loading.done() and self._loading.exception() is not None):
            self._loading = asyncio.ensure_future(self._load())
        return await asyncio.shield(self._loading)

    async def _load(self) -> Serving:
        serving_type = await asyncio.to_thread(_load_modules)
        self._serving = serving_type(
            self._settings, channel=self._open_channel(), link=self._link, clock=self._clock, port=self._port
        )
        return self._serving


class _Waiting(asyncio.Protocol):
    """A connection that nobody serves yet. What came first is kept for whoever will."""

    def __init__(self, serve: Callable[[asyncio.Transport, bytearray], Awaitable[None]]) -> None:
        self._serve = serve
        self._task: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The transports of uvloop are of classes of their own.
        self._transport = cast(asyncio.Transport, transport)
        self._task = asyncio.ensure_future(self._serve(self._transport, self._received))

    def data_received(self, data: bytes) -> None:
        # Reading can be paused only once it has begun: in `connection_made` uvloop would not heed it.
        self._received += data
        assert self._transport is not None
        self._transport.pause_reading()


def bind_console(settings: ConsoleSettings, *, open_channel: Callable[[], grpc.aio.Channel], clock: Clock) -> Console:
    """Take the address; `start` then answers people there.

    Args:
        open_channel: the way to the endpoint of the platform; called at the first connection.

    Raises:
        Unavailable: CONSOLE_ADDRESS; the address is not to be had.
    """
    return Console(settings, listening=_listen(settings), open_channel=open_channel, clock=clock)


def _listen(settings: ConsoleSettings) -> socket.socket:
    try:
        return _bound(settings.host, settings.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and settings.any_port_if_taken:
            return _bound(settings.host, 0)
        raise Unavailable(
            f"the console cannot listen at {settings.host}:{settings.port}: {error.strerror}",
            reason="CONSOLE_ADDRESS",
            field="console_listen",
            mend="Choose another address with --console-listen, or none with --console-listen none.",
        ) from error


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _load_modules() -> type[Serving]:
    """Everything that a first answer needs; the loop of the platform is not to wait for it."""
    from flyteplane.console.pages import families
    from flyteplane.console.serving import Serving

    families()
    return Serving
