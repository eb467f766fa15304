"""A receiver of web requests: keeps what came, and answers what it is told to."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.threaded_server import ThreadedServer


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class WebReceiver(ThreadedServer):
    """Answers 204, or the next of `answers`: a status with headers. Used as a context."""

    received: list[Received] = field(default_factory=list)
    answers: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    _came: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int, *, within_s: float = 60.0) -> list[Received]:
        """Wait until so many requests have come, and return them."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.received) >= count, within_s), f"only {self.received} came"
            return list(self.received)

    def make(self) -> ThreadingHTTPServer:
        return ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/secret"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with receiver._came:
                    receiver.received.append(Received(self.command, self.path, dict(self.headers), body))
                    receiver._came.notify_all()
                status, headers = receiver.answers.popleft() if receiver.answers else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            do_POST = do_PUT = do_GET = do_DELETE = _take

            def log_message(self, *_: Any) -> None: ...

        return Handler
