"""A cable between a client and a server that can be pulled: connections break, and no new one is to be had.

with Cable(to=("127.0.0.1", port)) as cable:
    ...                 # clients connect to cable.port
    cable.pull()        # returns when every connection is broken
    cable.plug()
    cable.mute()        # what the server says is lost from now on, and what it is told is not
    cable.unmute()
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Final, Self

_PIECE: Final = 64 * 1024


class Cable:
    """Passes bytes on while its context lasts and it is plugged.

    Args:
        to: where the server listens: host and port, or the path of a unix socket.
    """

    def __init__(self, *, to: tuple[str, int] | str) -> None:
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._ends: set[asyncio.StreamWriter] = set()
        self._plugged = True
        self._muted = False
        self.port = 0

    def pull(self) -> None:
        """Break every connection, and refuse those that are tried from now on."""
        self._call(self._pull())

    def plug(self) -> None:
        """Let connections be made again."""
        self._plugged = True

    def mute(self) -> None:
        """Lose what the server says."""
        self._muted = True

    def unmute(self) -> None:
        """Pass on what the server says; connections that have lost something are of no more use."""
        self._muted = False

    async def _pull(self) -> None:
        self._plugged = False
        for end in self._ends:
            end.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._plugged:
            writer.transport.abort()
            return
        try:
            inner_reader, inner_writer = await self._open_inner()
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, inner_writer}
        self._ends |= ends
        try:
            await asyncio.gather(
                self._pass_on(reader, inner_writer), self._pass_on(inner_reader, writer, may_be_muted=True)
            )
        finally:
            self._ends -= ends
            for end in ends:
                end.close()

    async def _open_inner(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._to, str):
            return await asyncio.open_unix_connection(self._to)
        return await asyncio.open_connection(*self._to)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, may_be_muted: bool = False
    ) -> None:
        try:
            while piece := await reader.read(_PIECE):
                if may_be_muted and self._muted:
                    continue
                writer.write(piece)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            writer.transport.abort()

    def _call(self, coroutine: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _open(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        await self._pull()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=5)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server: asyncio.Server = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()
