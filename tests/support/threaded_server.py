"""A socket server in a thread of its own, for as long as a context lasts."""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType
from typing import Self


class ThreadedServer:
    """Base of servers that tests put in the place of others'. Subclasses say what is served."""

    def make(self) -> socketserver.TCPServer:
        """The server, bound to a free port of this machine."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._server = self.make()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        port: int = self._server.socket.getsockname()[1]
        return port
