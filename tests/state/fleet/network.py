"""Streams between pods and scheduler processes: in order each way, slow, and broken without either side knowing.

A stream that one side believes broken may still bring the other what was under way: so a scheduler may hear of an old
stream after a new one was opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Protocol

from tests.state.fleet.life import Life

from flyteapi.scheduler.v1.worker_service_pb2 import Hello, WorkerOrder, WorkerReport
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import PlatformError

if TYPE_CHECKING:
    from flyteplane.scheduler.clients.worker_sessions import WorkerSession


class Listener(Protocol):
    """The pod's side of a stream."""

    def heard(self, stream: Stream, orders: Sequence[WorkerOrder]) -> None:
        """Orders have come."""

    def ended(self, stream: Stream, error: PlatformError | None) -> None:
        """The stream is over."""


class Server(Protocol):
    """The scheduler process's side."""

    life: Life

    def open(self, hello: Hello, channel: ServerEnd) -> WorkerSession:
        """A pod says Hello. Raises PlatformError."""

    def may_speak(self) -> bool:
        """Whether a message may leave this process now."""

    def said(self, orders: Sequence[WorkerOrder]) -> None:
        """Orders leave the process."""


class Stream:
    """One stream."""

    def __init__(self, listener: Listener, server: Server, *, clock: ManualClock, random: Random, life: Life) -> None:
        self.listener = listener
        self.server = server
        self._clock = clock
        self._random = random
        self._life = life
        self._session: WorkerSession | None = None
        self._channel = ServerEnd(self)
        self._due = {"up": 0.0, "down": 0.0}
        self.heard_by_server = True
        """Whether what the pod writes arrives."""
        self.heard_by_pod = True
        self.closed_by_server = False
        self._over_for_pod = False

    # --- the pod's side ---------------------------------------------------------------------------------------------

    def open(self, hello: Hello) -> None:
        """Says Hello."""
        self._later("up", lambda: self._opened(hello))

    def write(self, reports: Sequence[WorkerReport]) -> None:
        """Says something."""
        self._later("up", lambda: self._received(reports))

    def leave(self) -> None:
        """The pod gives the stream up; the server sees it some time later."""
        self._over_for_pod = True
        self._clock.call_later(self._random.choice([0.0, 0.5, 10.0]), self._end_for_server)

    # --- the server's side ------------------------------------------------------------------------------------------

    def _opened(self, hello: Hello) -> None:
        if not self.server.life.dead:
            try:
                self._session = self.server.open(hello, self._channel)
            except PlatformError as error:
                self._end_for_pod(error)

    def _received(self, reports: Sequence[WorkerReport]) -> None:
        if self._session is not None and not self.closed_by_server:
            self._session.received(reports)

    def _end_for_server(self) -> None:
        self.heard_by_server = False
        session, self._session = self._session, None
        if session is not None:
            self.server.life.do(session.closed)

    def send(self, orders: Sequence[WorkerOrder]) -> None:
        """The server says something, if the gate lets it."""
        if self.closed_by_server or self.server.life.dead:
            return
        if not self.server.may_speak():
            self.close()
            return
        self.server.said(orders)
        self._later("down", lambda: self.listener.heard(self, orders))

    def close(self) -> None:
        """The server ends the stream."""
        if not self.closed_by_server:
            self.closed_by_server = True
            session, self._session = self._session, None
            if session is not None:
                session.closed()
            self._end_for_pod(None)

    # --- what may happen to it --------------------------------------------------------------------------------------

    def lose(self, *, at_once: bool) -> None:
        """The connection is gone. `at_once`: the pod is told; else it has to find out."""
        self.heard_by_pod = self.heard_by_server = False
        if at_once:
            self.heard_by_pod = True
            self._end_for_pod(None)
        self._clock.call_later(self._random.choice([0.0, 1.0, 10.0]), self._end_for_server)

    def server_died(self) -> None:
        """The process at the other end is gone: its machine says so, or is gone too."""
        self.heard_by_server = False
        if self._random.random() < 0.8:
            self._end_for_pod(None)

    def _end_for_pod(self, error: PlatformError | None) -> None:
        def end() -> None:
            if not self._over_for_pod:
                self._over_for_pod = True
                self.listener.ended(self, error)

        self._later("down", end)

    def _later(self, way: str, deliver: Callable[[], None]) -> None:
        """Delivers in order, some time from now, unless the way is cut by then."""
        delay = self._random.choice([0.001, 0.001, 0.002, 0.01, 0.2])
        at = self._due[way] = max(self._due[way], self._clock.monotonic() + delay)
        life = self.server.life if way == "up" else self._life

        def arrive() -> None:
            open_way = self.heard_by_server if way == "up" else self.heard_by_pod and not self._gone()
            if open_way:
                life.do(deliver)

        self._clock.call_later(at - self._clock.monotonic(), arrive)

    def _gone(self) -> bool:
        return self._over_for_pod


class ServerEnd:
    """Implements `WorkerChannel`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def send(self, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        self._stream.send(list(orders))

    def close(self) -> None:
        """See the port."""
        self._stream.close()
