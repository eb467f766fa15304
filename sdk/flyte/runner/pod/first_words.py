"""The first words with a scheduler, before gRPC is loaded: what the attempt is, and its code.

It is an ordinary stream of `WorkerService.Session`, judged by the scheduler as every other: its Hello has the token,
the orders come only from a scheduler that leads, and contact counts from the sending of the Hello. Once the orders are
here the connection is closed, and `Session` goes on as after any stream that broke: it says Hello again, with the
attempt as running. So nothing depends on these words. Whatever goes wrong with them is left to the session, which
begins afresh and says what is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from flyte.runner.contact import Contact
from flyte.runner.pod.endpoints import Endpoints
from flyte.runner.pod.http2 import GrpcConnection, ProtocolError
from flyte.spec.tls_names import WORKERS_NAME
from flyteapi.scheduler.v1.worker_service_pb2 import Hello, SessionRequest, SessionResponse, WorkerOrder, WorkerReport

PATIENCE_S: Final = 1.0
"""For all schedulers together; each is given its share. So much is lost where something swallows such connections."""
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


async def first_words(
    endpoints: Endpoints,
    *,
    hello: Callable[[], Hello],
    contact: Contact,
    meanwhile: Callable[[], object] = lambda: None,
    patience_s: float = PATIENCE_S,
) -> FirstOrders | None:
    """Asks the schedulers in turn, each once; None if none of them has given an assignment.

    Args:
        meanwhile: what to do while an answer is on its way; it may be done several times.
    """
    for _try in range(len(endpoints)):
        address = endpoints.current
        try:
            async with asyncio.timeout(patience_s / len(endpoints)):
                found = await _ask(endpoints, hello(), contact, meanwhile)
        except (OSError, ValueError, DecodeError, TimeoutError):
            endpoints.failed(address)
        else:
            endpoints.works(address)
            return found
    return None


async def _ask(endpoints: Endpoints, hello: Hello, contact: Contact, meanwhile: Callable[[], object]) -> FirstOrders:
    address, tls = endpoints.current, endpoints.tls_context()
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(
        host.strip("[]"), int(port), ssl=tls, server_hostname=None if tls is None else WORKERS_NAME
    )
    try:
        conversation = _Conversation(GrpcConnection(address, secure=tls is not None), reader, writer)
        sent_at = contact.now()
        session = conversation.say(hello)
        meanwhile()
        orders = await conversation.orders(session)
        # The attempt is known; its code can also be fetched later.
        with contextlib.suppress(OSError, ValueError, DecodeError):
            return FirstOrders(sent_at, orders, await conversation.bundle(orders, hello.token))
        return FirstOrders(sent_at, orders, b"")
    finally:
        writer.transport.abort()


class _Conversation:
    def __init__(self, connection: GrpcConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connection = connection
        self._reader = reader
        self._writer = writer

    def say(self, hello: Hello) -> int:
        """Begins the session; returns the number of the call."""
        request = SessionRequest(reports=[WorkerReport(hello=hello)])
        session = self._connection.call(_SESSION, request.SerializeToString(), last=False)
        self._writer.write(self._connection.to_send())
        return session

    async def orders(self, session: int) -> list[WorkerOrder]:
        orders: list[WorkerOrder] = []
        while not any(order.HasField("assign") for order in orders):
            message = await self._next(session)
            if message is None:
                raise ProtocolError("the stream has ended without an assignment")
            orders += SessionResponse.FromString(message).orders
        return orders

    async def bundle(self, orders: list[WorkerOrder], token: str) -> bytes:
        digest = next((o.declare_task.spec.entrypoint.bundle_digest for o in orders if o.HasField("declare_task")), "")
        if not digest:
            return b""
        from flyteapi.scheduler.v1.worker_data_service_pb2 import FetchBundleRequest, FetchBundleResponse

        request = FetchBundleRequest(digest=digest).SerializeToString()
        metadata = (("authorization", f"Bearer {token}"),)
        call = self._connection.call(_FETCH_BUNDLE, request, last=True, metadata=metadata)
        content = bytearray()
        while (message := await self._next(call)) is not None:
            content += FetchBundleResponse.FromString(message).data
            if len(content) > _MOST_BUNDLE_BYTES:
                return b""
        return bytes(content)

    async def _next(self, call: int) -> bytes | None:
        """The next message of a call; None when there is none any more. Raises ProtocolError, OSError."""
        while True:
            while self._connection.messages:
                number, message = self._connection.messages.popleft()
                if number == call:
                    return message
            if call in self._connection.ended:
                return None
            if unsent := self._connection.to_send():
                self._writer.write(unsent)
            data = await self._reader.read(_READ_BYTES)
            if not data:
                raise ProtocolError("the connection has ended")
            self._connection.received(data)
