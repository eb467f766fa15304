"""A network between pods and platform that can be cut for some of them, without a word to either side.

    with CuttableNetwork(to=("127.0.0.1", port)) as network:
        ...                         # pods connect to network.port
        network.cut("10.244.0.7")   # what this pod sends is lost from now on, and what is sent to it too

Connections stay open, as they do when a network is cut: nobody hears of an end.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

_PIECE: Final = 64 * 1024


class CuttableNetwork:
    """Passes bytes on while its context lasts.

    Args:
        to: where the platform listens.
        at: where pods connect; port 0 for any.
    """

    def __init__(self, *, to: tuple[str, int], at: tuple[str, int] = ("0.0.0.0", 0)) -> None:
        self._to = to
        self._at = at
        self._cut: set[str] = set()
        self._opened: Future[int] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def cut(self, peer: str) -> None:
        """Loses whatever is on its way from or to this address, from now on."""
        self._loop.call_soon_threadsafe(self._cut.add, peer)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except asyncio.CancelledError:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left))
            self._loop.close()

    async def _serve(self) -> None:
        self._task = asyncio.current_task()
        async with await asyncio.start_server(self._accept, *self._at) as server:
            self._opened.set_result(server.sockets[0].getsockname()[1])
            await server.serve_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        inner_reader, inner_writer = await asyncio.open_connection(*self._to)
        # Cancelled at the end of all; what asyncio's server does with such a task is to complain.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(
                self._pass_on(reader, inner_writer, peer=peer), self._pass_on(inner_reader, writer, peer=peer)
            )

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, peer: str) -> None:
        try:
            while piece := await reader.read(_PIECE):
                if peer not in self._cut:
                    writer.write(piece)
                    await writer.drain()
            if peer not in self._cut:
                writer.close()
        except OSError:
            writer.close()

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._opened.result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(timeout=10)
