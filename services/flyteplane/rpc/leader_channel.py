"""A channel whose calls go to wherever a service is at present.

    channel = LeaderChannel(whereabouts)
    stub = SchedulerServiceStub(channel)

It has the surface of `grpc.aio.Channel`. A call that is made while nobody leads, or while the leader cannot be
connected to, waits: up to its own deadline, or `patience_s` if it has none, and then fails UNAVAILABLE (NO_LEADER).
A call that was sent is never sent a second time, with one exception: a standby that answers NOT_LEADER has done
nothing, so the next leader is asked. Calls under way end UNAVAILABLE (LEADER_CHANGED) as soon as the address changes,
however silent the old leader is; callers resume as they do after a lost connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import grpc

from flyteplane.foundation.errors import Unavailable
from flyteplane.observe import get_logger
from flyteplane.rpc.errors import errors_from_call, status_of
from flyteplane.rpc.followed_calls import FollowedStream, FollowedUnary
from flyteplane.rpc.gate import NOT_LEADER
from flyteplane.rpc.internal import internal_channel
from flyteplane.rpc.whereabouts import Whereabouts

#: How long a call without a deadline waits for a leader.
PATIENCE_S: Final = 15.0
_TO_ANSWER_S: Final = 0.2
_HEALTH: Final = "/grpc.health.v1.Health/Check"
_log = get_logger("rpc.leader_channel")


class Connection:
    """The channel to one address, for as long as the service is there and calls use it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.left = False
        self.noted = False
        """Why it does not stand was logged."""
        self._calls: dict[Any, None] = {}
        self._closing: asyncio.Task[None] | None = None

    def leave(self) -> None:
        """The service is elsewhere: end the calls under way, then the connection."""
        self.left = True
        for call in tuple(self._calls):
            call.moved()
        self._close_if_idle()

    def retire(self) -> None:
        """Another connection takes the calls from now on: let those under way end by themselves."""
        self.left = True
        self._close_if_idle()

    def enter(self, call: Any) -> None:
        """A call begins to use the connection; its `moved` is called when the service is elsewhere."""
        self._calls[call] = None

    def exit(self, call: Any) -> None:
        """The call has ended."""
        self._calls.pop(call, None)
        self._close_if_idle()

    @property
    def idle(self) -> bool:
        """Whether no call uses it."""
        return not self._calls

    def _close_if_idle(self) -> None:
        if self.left and not self._calls and self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self.channel.close())

    async def close(self) -> None:
        """Leave, and return when everything is gone."""
        self.leave()
        await self.channel.close()


class LeaderChannel(grpc.aio.Channel):
    """See the module.

    Args:
        whereabouts: told by whoever follows the leader.
        patience_s: how long a call without a deadline waits for a leader.
        connect: makes the channel to an address.
        certificates: what channels are made with at present. Calls begin on a new channel once it is another object;
            those under way go on over the old one, for a connection that stands does not ask again.
    """

    def __init__(
        self,
        whereabouts: Whereabouts,
        *,
        patience_s: float = PATIENCE_S,
        connect: Callable[[str], grpc.aio.Channel] = internal_channel,
        certificates: Callable[[], object] = lambda: None,
    ) -> None:
        self._whereabouts = whereabouts
        self._patience_s = patience_s
        self._connect = connect
        self._certificates = certificates
        self._certificate: object = None
        self._retired: list[Connection] = []
        self._connection: Connection | None = None
        self._address = ""
        self._following: asyncio.Task[None] | None = None

    def unary_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *_: Any, **__: Any
    ) -> Any:
        def start(request: Any, *, timeout: float | None = None, metadata: Any = None, **_: Any) -> FollowedUnary:
            def call(connection: Connection, left_s: float | None) -> Any:
                callable_ = connection.channel.unary_unary(method, request_serializer, response_deserializer)
                return callable_(request, timeout=left_s, metadata=metadata)

            return FollowedUnary(self, call, timeout=timeout, repeat=is_not_leader)

        return start

    def unary_stream(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *_: Any, **__: Any
    ) -> Any:
        def start(request: Any, *, timeout: float | None = None, metadata: Any = None, **_: Any) -> FollowedStream:
            def call(connection: Connection, left_s: float | None) -> Any:
                callable_ = connection.channel.unary_stream(method, request_serializer, response_deserializer)
                return callable_(request, timeout=left_s, metadata=metadata)

            return FollowedStream(self, call, timeout=timeout)

        return start

    def stream_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *_: Any, **__: Any
    ) -> Any:
        def start(requests: Any = None, timeout: float | None = None, metadata: Any = None, **_: Any) -> FollowedUnary:
            def call(connection: Connection, left_s: float | None) -> Any:
                callable_ = connection.channel.stream_unary(method, request_serializer, response_deserializer)
                return callable_(requests, timeout=left_s, metadata=metadata)

            return FollowedUnary(self, call, timeout=timeout)

        return start

    def stream_stream(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *_: Any, **__: Any
    ) -> Any:
        def start(requests: Any = None, timeout: float | None = None, metadata: Any = None, **_: Any) -> FollowedStream:
            def call(connection: Connection, left_s: float | None) -> Any:
                callable_ = connection.channel.stream_stream(method, request_serializer, response_deserializer)
                return callable_(requests, timeout=left_s, metadata=metadata)

            return FollowedStream(self, call, timeout=timeout)

        return start

    # --- where calls go -----------------------------------------------------------------------------------------------

    async def ready(self, *, left_s: float | None, other_than: Connection | None = None) -> Connection:
        """The connection to the present leader, once it stands.

        Args:
            left_s: how long to wait; the channel's patience if None.
            other_than: a connection whose end has just said that it does not lead.

        Raises AioRpcError (UNAVAILABLE, NO_LEADER) when the time is over.
        """
        try:
            async with asyncio.timeout(self._patience_s if left_s is None else _patience_within(left_s)):
                while True:
                    changed = self._whereabouts.changed()
                    connection = self._current()
                    if connection is None or connection is other_than:
                        await asyncio.shield(changed)
                        continue
                    state = connection.channel.get_state(try_to_connect=True)
                    if state is grpc.ChannelConnectivity.READY:
                        return connection
                    await _first(connection.channel.wait_for_state_change(state), changed)
        except TimeoutError:
            await self._note_why()
            raise self.unavailable("NO_LEADER", "cannot be reached at present") from None

    async def _note_why(self) -> None:
        """Log, once for each connection, why it does not stand: calls are told only that it does not."""
        connection = self._connection
        if connection is None or connection.noted:
            return
        connection.noted = True
        ask: Any = connection.channel.unary_unary(_HEALTH)
        try:
            await ask(b"", timeout=_TO_ANSWER_S / 2)
        except grpc.aio.AioRpcError as error:
            service, address = self._whereabouts.service, self._address
            _log.warning("service_cannot_be_reached", service=service, address=address, problem=error.details())

    def unavailable(self, reason: str, what: str) -> grpc.aio.AioRpcError:
        """The error of a call that the channel itself gives up."""
        error = Unavailable(f"the {self._whereabouts.service} {what}", reason=reason, retry_after_s=1.0)
        status = status_of(error, method=self._whereabouts.service)
        return grpc.aio.AioRpcError(
            status.code, grpc.aio.Metadata(), grpc.aio.Metadata(*status.trailing_metadata), details=status.details
        )

    def _current(self) -> Connection | None:
        """The connection to the present address; follows changes from the first call on."""
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._follow())
        self._move()
        return self._connection

    async def _follow(self) -> None:
        while True:
            await asyncio.shield(self._whereabouts.changed())
            self._move()

    def _move(self) -> None:
        address, certificate = self._whereabouts.address, self._certificates()
        if address != self._address:
            for connection in (*self._retired, *([] if self._connection is None else [self._connection])):
                connection.leave()
            self._retired.clear()
        elif certificate is self._certificate:
            return
        elif self._connection is not None:
            self._connection.retire()
            self._retired = [*(one for one in self._retired if not one.idle), self._connection]
        self._address, self._certificate = address, certificate
        self._connection = Connection(self._connect(address)) if address else None

    # --- the rest of the surface --------------------------------------------------------------------------------------

    async def close(self, grace: float | None = None) -> None:
        """End the calls under way and let go of the connection."""
        if self._following is not None:
            self._following.cancel()
        for connection in (*self._retired, *([] if self._connection is None else [self._connection])):
            await connection.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        connection = self._current()
        return grpc.ChannelConnectivity.IDLE if connection is None else connection.channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return once the state differs."""
        while self.get_state() is last_observed_state:
            changed, connection = self._whereabouts.changed(), self._current()
            if connection is None:
                await asyncio.shield(changed)
            else:
                await _first(connection.channel.wait_for_state_change(last_observed_state), changed)

    async def channel_ready(self) -> None:
        """Return once a leader can be called."""
        while True:
            try:
                await self.ready(left_s=None)
            except grpc.aio.AioRpcError:
                continue
            return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _patience_within(left_s: float) -> float:
    """How long to wait within a deadline, so that whoever passes the call on can still say why it failed."""
    return max(left_s - min(_TO_ANSWER_S, left_s / 10), 0.0)


def is_not_leader(error: grpc.aio.AioRpcError) -> bool:
    """Whether a standby refused the call, having done nothing."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and errors_from_call(error).reason == NOT_LEADER


async def _first(state_change: Any, changed: asyncio.Future[None]) -> None:
    """Return when either has happened."""
    waiting = asyncio.ensure_future(state_change)
    try:
        await asyncio.wait([waiting, changed], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
