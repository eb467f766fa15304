"""HTTP on connections that were accepted elsewhere.

Uvicorn's protocol is used without its server: that one takes over signals and wakes up ten times a second, which is no
way to live inside of a platform that may be idle for weeks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from flyteplane.console.app import make_app
from flyteplane.console.entry import Entry
from flyteplane.console.rendering import Rendering
from flyteplane.console.security import OwnNames
from flyteplane.console.sessions import Sessions

if TYPE_CHECKING:
    import grpc

    from flyteplane.console.login_link import LoginLink
    from flyteplane.console.settings import ConsoleSettings
    from flyteplane.foundation.clock import Clock

#: A browser keeps up to six connections, streams included.
_KEEP_ALIVE_S: Final = 30
#: Whoever connects has this long for the first request. Nobody knows yet who it is, and each connection is a file of a
#: process that others need.
FIRST_REQUEST_S: Final = 30.0
MOST_CONNECTIONS: Final = 400
_CLOSE_WITHIN_S: Final = 1.0


class Serving:
    """The application and its connections."""

    def __init__(
        self,
        settings: ConsoleSettings,
        *,
        channel: grpc.aio.Channel,
        link: LoginLink | None,
        clock: Clock,
        port: int,
        first_request_s: float = FIRST_REQUEST_S,
    ) -> None:
        self._channel = channel
        self._first_request_s = first_request_s
        self._state = ServerState()
        public = urlsplit(settings.public_url)
        entry = Entry(
            channel=channel,
            sessions=Sessions(settings.session_key, clock=clock),
            rendering=Rendering(),
            names=OwnNames(public_host=public.netloc, any_host=settings.tls is not None and not public.netloc),
            link=link,
            owner_credential=settings.owner_credential,
            cookie=f"flyte_console_{port}",
            secure=settings.tls is not None or public.scheme == "https",
        )
        self._config = Config(
            make_app(entry),
            http=H11Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        self._config.load()

    def take(self, transport: asyncio.Transport, received: bytearray) -> None:
        """Serve a connection, from which some bytes may have been read already; drop it where there are too many."""
        if len(self._state.connections) >= MOST_CONNECTIONS:
            transport.abort()
            return
        protocol = H11Protocol(config=self._config, server_state=self._state, app_state={})
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
        if received:
            protocol.data_received(bytes(received))
        asyncio.get_running_loop().call_later(self._first_request_s, _drop_silent, protocol)

    async def close(self) -> None:
        """End connections and streams, and the channel."""
        for connection in list(self._state.connections):
            connection.shutdown()
        for task in (tasks := list(self._state.tasks)):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_WITHIN_S)
        for connection in list(self._state.connections):
            connection.transport.close()
        await self._channel.close()


def _drop_silent(protocol: H11Protocol) -> None:
    """End a connection on which nothing was asked so far."""
    if protocol.cycle is None:
        protocol.transport.close()
