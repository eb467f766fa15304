"""What pods tell the test while they run: lines of JSON over a connection, nothing is polled.

    with Board() as board:
        run = flyte.run(task, board.address)
        board.await_entries(10)         # returns when ten lines have come

A line is acknowledged once it is in the book, so a task that goes on knows that the test knows. The end of a connection
is news as well: a task that keeps one open shows by it that it lives.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Entry:
    """One line."""

    at: float
    """Monotonic seconds at which it came."""
    said: dict[str, Any]
    peer: str
    """Address of whoever said it."""

    @property
    def action(self) -> str:
        """The action that said it."""
        return str(self.said.get("action", ""))

    @property
    def attempt(self) -> int:
        """And its attempt, from 1."""
        return int(self.said.get("attempt", 0))


class Board:
    """A book that pods write into. Listens while its context lasts.

    Args:
        host: name or address of this machine as pods know it.
    """

    def __init__(self, host: str) -> None:
        self._news = threading.Condition()
        self._entries: list[Entry] = []
        self._ended: list[tuple[str, float]] = []
        self._open: set[socket.socket] = set()
        board = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                board._serve(self)

        self._server = socketserver.ThreadingTCPServer(("0.0.0.0", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"{host}:{self._server.server_address[1]}"

    def _serve(self, handler: socketserver.StreamRequestHandler) -> None:
        peer = str(handler.client_address[0])
        with self._news:
            self._open.add(handler.connection)
        try:
            for line in handler.rfile:
                self._take(Entry(at=time.monotonic(), said=json.loads(line), peer=peer))
                handler.wfile.write(b"!")
        except OSError:
            pass
        finally:
            with self._news:
                self._open.discard(handler.connection)
                self._ended.append((peer, time.monotonic()))
                self._news.notify_all()

    def _take(self, entry: Entry) -> None:
        with self._news:
            self._entries.append(entry)
            self._news.notify_all()

    def entries(self) -> list[Entry]:
        """All lines, in the order in which they came."""
        with self._news:
            return list(self._entries)

    def starts(self) -> Counter[str]:
        """How often each action has said that it begins: lines with another word are left out."""
        return Counter(entry.action for entry in self.entries() if "word" not in entry.said)

    def await_entries(
        self, count: int, *, where: Callable[[Entry], bool] = lambda entry: True, within_s: float = 60.0
    ) -> list[Entry]:
        """Returns once so many lines have come; `where` says which count. Fails when they do not come in time."""
        with self._news:
            came = self._news.wait_for(lambda: len(list(filter(where, self._entries))) >= count, within_s)
            found = list(filter(where, self._entries))
        assert came, f"{len(found)} of {count} lines came within {within_s:g} s"
        return found

    def await_said(self, word: str, *, count: int = 1, within_s: float = 60.0) -> list[Entry]:
        """The same for lines that say this word."""
        return self.await_entries(count, where=lambda entry: entry.said.get("word") == word, within_s=within_s)

    def await_end_of(self, peer: str, *, within_s: float) -> float:
        """Returns once a connection from this address has ended, and when that was. Fails when it stays open."""
        with self._news:
            came = self._news.wait_for(lambda: peer in dict(self._ended), within_s)
            assert came, f"the connection from {peer} was still open after {within_s:g} s"
            return dict(self._ended)[peer]

    def assert_ran_once(self, actions: Set[str]) -> None:
        """Fails unless each of the actions began exactly once."""
        starts = self.starts()
        wrong = {action: starts[action] for action in actions if starts[action] != 1}
        assert not wrong, f"actions that did not run exactly once: {wrong}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        with self._news:
            still_open = list(self._open)
        for connection in still_open:
            connection.close()
