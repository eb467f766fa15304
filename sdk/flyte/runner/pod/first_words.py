"""The first words with a scheduler, before gRPC is loaded: what the attempt is, and its code.

They are said by a thread, so that nothing waits for it longer than it may take. It is an ordinary stream of
`WorkerService.Session`, judged by the scheduler as every other: its Hello has the token, the orders come only from a
scheduler that leads, and contact counts from the sending of the Hello. Once the orders are here the connection is
closed, and `Session` goes on as after any stream that broke: it says Hello again, with the attempt as running. So
nothing depends on these words. Whatever goes wrong with them is left to the session, which begins afresh and says what
is wrong.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from flyte.runner.contact import Contact
from flyte.runner.pod.endpoints import Endpoints
from flyte.runner.pod.first_request import first_request
from flyte.runner.pod.http2 import GrpcConnection, ProtocolError
from flyte.spec.tls_names import WORKERS_NAME

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder

_M = TypeVar("_M", bound="Message")

PATIENCE_S: Final = 1.0
"""For all schedulers together; each is given its share. So much is lost where something swallows such connections."""
_LATE_S: Final = 0.5
"""How much longer is waited for a thread that does not come to look at its clock. One that looks up an address says
nothing any more once it has it."""
_MOST_BUNDLE_BYTES: Final = 8 << 20
_READ_BYTES: Final = 1 << 18
_SESSION: Final = "/flyteapi.scheduler.v1.WorkerService/Session"
_FETCH_BUNDLE: Final = "/flyteapi.scheduler.v1.WorkerDataService/FetchBundle"


@dataclass(frozen=True, slots=True)
class FirstOrders:
    """What a scheduler has answered."""

    sent_at: float
    """When the Hello was sent, by the clock of contact."""
    orders: list[WorkerOrder]
    """The assignment is among them."""
    bundle: bytes
    """The packed code, as it came; empty for none, or too much of it."""


class FirstWords:
    """Asks the schedulers in turn, each once.

    Args:
        endpoints: left at the scheduler that has answered.
        token: of the attempt.
    """

    def __init__(self, endpoints: Endpoints, *, token: str, contact: Contact, patience_s: float = PATIENCE_S) -> None:
        self.endpoints = endpoints
        self._token = token
        self._contact = contact
        self._patience_s = patience_s
        self._asking = threading.Thread(target=self._speak, name="first words", daemon=True)
        self._found: FirstOrders | None = None

    def begin(self) -> Self:
        """Begins to ask, in a thread of its own."""
        self._asking.start()
        return self

    def answer(self) -> FirstOrders | None:
        """Waits for the answer; None if no scheduler has given an assignment in time."""
        self._asking.join(self._patience_s + _LATE_S)
        return self._found

    def _speak(self) -> None:
        self._found = self._ask_in_turn()

    def _ask_in_turn(self) -> FirstOrders | None:
        share_s = self._patience_s / len(self.endpoints)
        for _try in range(len(self.endpoints)):
            address = self.endpoints.current
            try:
                found = self._ask(address, until=monotonic() + share_s)
            except (OSError, ValueError):
                self.endpoints.failed(address)
            else:
                self.endpoints.works(address)
                return found
        return None

    def _ask(self, address: str, *, until: float) -> FirstOrders:
        with _connected(self.endpoints, address, until=until) as (connection, secure):
            conversation = _Conversation(GrpcConnection(address, secure=secure), connection, until=until)
            sent_at = self._contact.now()
            session = conversation.say(first_request(self._token))
            orders = conversation.orders(session)
            # The attempt is known; its code can also be fetched later.
            with contextlib.suppress(OSError, ValueError):
                return FirstOrders(sent_at, orders, conversation.bundle(orders, self._token))
            return FirstOrders(sent_at, orders, b"")


@contextmanager
def _connected(endpoints: Endpoints, address: str, *, until: float) -> Iterator[tuple[socket.socket, bool]]:
    """A connection, and whether it goes through TLS. Raises OSError, ValueError."""
    tls = endpoints.tls_context()
    host, _, port = address.rpartition(":")
    # As bytes, since for a str Python loads what it needs for names in other alphabets.
    place: Any = (host.strip("[]").encode("ascii"), int(port))
    with socket.create_connection(place, timeout=_left(until)) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        if tls is None:
            yield plain, False
            return
        plain.settimeout(_left(until))
        with tls.wrap_socket(plain, server_hostname=WORKERS_NAME) as secured:
            yield secured, True


def _left(until: float) -> float:
    """Seconds that are left. Raises TimeoutError when there are none."""
    left_s = until - monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _read(content: bytes, kind: type[_M]) -> _M:
    """A message. Raises ProtocolError for what is none."""
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(content)
    except DecodeError as error:
        raise ProtocolError(f"it says what is no {kind.__name__}: {error}") from error


class _Conversation:
    def __init__(self, connection: GrpcConnection, channel: socket.socket, *, until: float) -> None:
        self._connection = connection
        self._channel = channel
        self._until = until

    def say(self, request: bytes) -> int:
        """Begins the session; returns the number of the call."""
        session = self._connection.call(_SESSION, request, last=False)
        self._send()
        return session

    def orders(self, session: int) -> list[WorkerOrder]:
        """The first orders, up to the assignment."""
        orders: list[WorkerOrder] = []
        while not any(order.HasField("assign") for order in orders):
            message = self._next(session)
            if message is None:
                raise ProtocolError("the stream has ended without an assignment")
            # Whoever waits for this has loaded it by now.
            from flyteapi.scheduler.v1.worker_service_pb2 import SessionResponse

            orders += _read(message, SessionResponse).orders
        return orders

    def bundle(self, orders: list[WorkerOrder], token: str) -> bytes:
        """The packed code of the task, as far as it has any."""
        digest = next((o.declare_task.spec.entrypoint.bundle_digest for o in orders if o.HasField("declare_task")), "")
        if not digest:
            return b""
        from flyteapi.scheduler.v1.worker_data_service_pb2 import FetchBundleRequest, FetchBundleResponse

        request = FetchBundleRequest(digest=digest).SerializeToString()
        metadata = (("authorization", f"Bearer {token}"),)
        call = self._connection.call(_FETCH_BUNDLE, request, last=True, metadata=metadata)
        content = bytearray()
        while (message := self._next(call)) is not None:
            content += _read(message, FetchBundleResponse).data
            if len(content) > _MOST_BUNDLE_BYTES:
                return b""
        return bytes(content)

    def _send(self) -> None:
        if unsent := self._connection.to_send():
            self._channel.settimeout(_left(self._until))
            self._channel.sendall(unsent)

    def _next(self, call: int) -> bytes | None:
        """The next message of a call; None when there is none any more. Raises ProtocolError, OSError."""
        while True:
            while self._connection.messages:
                number, message = self._connection.messages.popleft()
                if number == call:
                    return message
            if call in self._connection.ended:
                return None
            self._send()
            self._channel.settimeout(_left(self._until))
            data = self._channel.recv(_READ_BYTES)
            if not data:
                raise ProtocolError("the connection has ended")
            self._connection.received(data)
