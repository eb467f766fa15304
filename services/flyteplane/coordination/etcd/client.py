"""Calls to etcd: a connected member, a deadline, a token, and our own errors.

A call that only reads, or that may well happen twice, is tried again on the next member while its time lasts. A write
never is: it may have taken effect although its answer was lost, and only the caller can read that back. Two failures
are safe to repeat for every call: that a member was not connected, and that a token was refused.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

import grpc

from flyteplane.coordination.etcd.errors import is_stale_token, translated, unavailable
from flyteplane.coordination.etcd.members import Member, Members
from flyteplane.coordination.etcd.settings import EtcdSettings
from flyteplane.coordination.etcd.tokens import Metadata, Tokens
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError, Unavailable

ResponseT = TypeVar("ResponseT")

#: Before a call is tried again, in seconds.
_PAUSE_S: Final = 0.05
#: The part of the deadline that one try of a repeatable call gets, so that a member that hangs leaves time for another.
_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a call: whom to call, with which deadline in seconds and which metadata."""

    member: Member
    timeout_s: float
    metadata: Metadata


#: Makes the call once.
Sending: TypeAlias = Callable[[Attempt], Awaitable[ResponseT]]


class EtcdClient:
    """The connections to one cluster. Uses no threads of its own; belongs to one event loop."""

    def __init__(self, settings: EtcdSettings, *, clock: TimerClock) -> None:
        self._members = Members(settings)
        self._tokens = Tokens(settings)
        self._timeout_s = settings.timeout_s
        self._clock = clock
        self._closed = False

    @property
    def members(self) -> Members:
        return self._members

    async def repeatable(self, send: Sending[ResponseT]) -> ResponseT:
        """Make a call that may happen twice. Raises Unavailable when no member has answered in time."""
        give_up_at = time.monotonic() + self._timeout_s
        while True:
            left_s = give_up_at - time.monotonic()
            try:
                return await self._try(send, min(left_s, self._timeout_s * _SHARE))
            except Unavailable:
                if self._closed or time.monotonic() + _PAUSE_S >= give_up_at:
                    raise
            await self._clock.sleep(_PAUSE_S)

    async def once(self, send: Sending[ResponseT]) -> ResponseT:
        """Make a call that must not happen twice. After Unavailable it is unknown whether it took effect."""
        return await self._try(send, self._timeout_s)

    async def attempt(self, timeout_s: float) -> Attempt:
        """A connected member and what to call it with. Raises Unavailable, Unauthenticated."""
        if self._closed:
            raise _closed()
        give_up_at = time.monotonic() + timeout_s
        member = await self._members.connected(within_s=timeout_s)
        try:
            metadata = await self._tokens.metadata(member)
        except Unavailable:
            self._members.avoid(member)
            raise
        return Attempt(member, max(give_up_at - time.monotonic(), 0.0), metadata)

    def failed(self, attempt: Attempt, error: grpc.aio.AioRpcError) -> PlatformError:
        """Take note of a failed call and return our error for it."""
        result = translated(error, endpoint=attempt.member.endpoint)
        if isinstance(result, Unavailable):
            self._members.avoid(attempt.member)
        return result

    def silent(self, attempt: Attempt) -> Unavailable:
        """Take note that a member no longer answers."""
        self._members.avoid(attempt.member)
        return unavailable(f"{attempt.member.endpoint} does not answer")

    def refused(self, attempt: Attempt) -> bool:
        """Take note that its token was refused; returns whether a new one may help."""
        return self._tokens.forget(attempt.metadata)

    async def close(self) -> None:
        """Disconnect. Calls that wait end with Unavailable."""
        self._closed = True
        await self._members.close()

    async def _try(self, send: Sending[ResponseT], timeout_s: float) -> ResponseT:
        attempt = await self.attempt(timeout_s)
        try:
            return await self._send(send, attempt)
        except grpc.aio.AioRpcError as error:
            if not (is_stale_token(error.details() or "") and self.refused(attempt)):
                raise self.failed(attempt, error) from error
        # A refused token has done nothing, so this is no repetition.
        attempt = await self.attempt(timeout_s)
        try:
            return await self._send(send, attempt)
        except grpc.aio.AioRpcError as error:
            raise self.failed(attempt, error) from error

    async def _send(self, send: Sending[ResponseT], attempt: Attempt) -> ResponseT:
        try:
            return await send(attempt)
        except asyncio.CancelledError:
            # To close a channel cancels its calls, which would look like a cancellation of the caller.
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise _closed() from None
            raise


def _closed() -> Unavailable:
    return unavailable("this client is closed")
