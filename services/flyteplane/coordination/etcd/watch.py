"""One watch on one stream, which ends rather than stay silent.

A connection may die without a word, and a member may go on without its cluster. So a stream that has brought nothing
for a while is asked for a sign of life, and given up when none comes.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc

from etcdserverpb.watch_pb2 import WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse
from flyteplane.coordination.etcd.client import Attempt, EtcdClient
from flyteplane.coordination.etcd.errors import Compacted, is_stale_token, unavailable
from flyteplane.coordination.etcd.keyspace import KeyRange
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError

if TYPE_CHECKING:
    _Call: TypeAlias = grpc.aio.StreamStreamCall[WatchRequest, WatchResponse]

_PROGRESS: Final = WatchRequest(progress_request=WatchProgressRequest())


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stream may be silent.

    Attributes:
        idle_s: after so many seconds without an answer it is asked for a sign of life.
        answer_s: and after so many more it is given up; also the time that it has to begin.
    """

    idle_s: float = 5.0
    answer_s: float = 5.0


async def watch(
    client: EtcdClient, keys: KeyRange, *, start_revision: int, clock: TimerClock, patience: Patience
) -> AsyncGenerator[WatchResponse, None]:
    """Every answer from `start_revision` on: that the watch is made, events, signs of life. Never ends by itself.

    Raises:
        Compacted: what the watch begins with is no longer kept.
        Unavailable: the stream is lost; begin again after the last revision seen.
    """
    attempt = await client.attempt(patience.answer_s)
    create = WatchCreateRequest(key=keys.start, range_end=keys.end, start_revision=start_revision, progress_notify=True)
    # A member that has lost its leader would stay silent; asked so, it ends the stream.
    call = attempt.member.watch.Watch(metadata=(("hasleader", "true"), *attempt.metadata))
    stream = _Stream(call, clock=clock, patience=patience)
    try:
        await stream.send(WatchRequest(create_request=create))
        while True:
            response = await stream.receive()
            if response.canceled:
                raise _end(client, attempt, response)
            yield response
    except grpc.aio.AioRpcError as error:
        if is_stale_token(error.details() or ""):
            client.refused(attempt)
        raise client.failed(attempt, error) from error
    except _SilentError:
        raise client.silent(attempt) from None
    finally:
        call.cancel()


def _end(client: EtcdClient, attempt: Attempt, response: WatchResponse) -> PlatformError:
    """Why a member has ended a watch."""
    if response.compact_revision:
        return Compacted(f"revisions before {response.compact_revision} are no longer kept")
    # That is also how members answer a token that they have forgotten.
    client.refused(attempt)
    return unavailable(f"{attempt.member.endpoint} has ended a watch")


class _SilentError(Exception):
    """The stream has been silent for too long."""


class _Stream:
    def __init__(self, call: "_Call", *, clock: TimerClock, patience: Patience) -> None:
        self._call = call
        self._clock = clock
        self._patience = patience

    async def send(self, request: WatchRequest) -> None:
        await self._in_time(asyncio.ensure_future(self._call.write(request)))

    async def receive(self) -> WatchResponse:
        """The next answer. Asks for a sign of life when none comes."""
        reading = asyncio.ensure_future(self._call.read())
        try:
            if not await is_done(reading, within_s=self._patience.idle_s, clock=self._clock):
                # A call that ended meanwhile says why to whoever reads.
                with suppress(asyncio.InvalidStateError):
                    await self.send(_PROGRESS)
                await self._in_time(reading)
            response = reading.result()
        except asyncio.CancelledError:
            if reading.cancelled():
                raise unavailable("this client is closed") from None
            raise
        finally:
            _let_go(reading)
        if isinstance(response, WatchResponse):
            return response
        raise unavailable("a member has ended a watch")

    async def _in_time(self, step: "asyncio.Future[Any]") -> None:
        try:
            if not await is_done(step, within_s=self._patience.answer_s, clock=self._clock):
                raise _SilentError
        finally:
            _let_go(step)
        if not step.cancelled():
            step.result()


def _let_go(step: "asyncio.Future[Any]") -> None:
    """Nobody waits for it any longer; its error, if it has one, was or will be that of the whole call."""
    step.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    step.cancel()


async def is_done(step: "asyncio.Future[Any]", *, within_s: float, clock: TimerClock) -> bool:
    """Wait until `step` is done or the time is over; returns which. Leaves `step` as it is."""
    late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = clock.call_later(within_s, late.cancel)
    try:
        await asyncio.wait([step, late], return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return step.done()
