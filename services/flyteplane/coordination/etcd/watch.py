"""One watch on one stream, which ends rather than stay silent.

A connection may die without a word, and a member may go on without its cluster. So a stream that has brought nothing
for a while is asked for a sign of life, and given up when none comes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import grpc

from etcdserverpb.watch_pb2 import WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse
from flyteplane.coordination.etcd.client import Attempt, EtcdClient
from flyteplane.coordination.etcd.errors import Compacted, unavailable
from flyteplane.coordination.etcd.keyspace import KeyRange
from flyteplane.foundation.clock import TimerClock

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
) -> AsyncIterator[WatchResponse]:
    """Every answer from `start_revision` on: that the watch is made, events, signs of life. Never ends by itself.

    Raises:
        Compacted: what the watch begins with is no longer kept.
        Unavailable: the stream is lost; begin again after the last revision seen.
    """
    attempt = await client.attempt(patience.answer_s)
    # A member that has lost its leader would stay silent; asked so, it ends the stream.
    call = attempt.member.watch.Watch(metadata=(("hasleader", "true"), *attempt.metadata))
    stream = _Stream(call, attempt, clock, patience)
    create = WatchCreateRequest(
        key=keys.start, range_end=keys.end, start_revision=start_revision, progress_notify=True
    )
    try:
        await stream.send(WatchRequest(create_request=create))
        while True:
            response = await stream.receive()
            if response.canceled:
                if not response.compact_revision:
                    # A member says so too when it has forgotten our token.
                    client.refused(attempt)
                _raise_end(attempt, response)
            yield response
    except grpc.aio.AioRpcError as error:
        raise client.failed(attempt, error) from error
    finally:
        call.cancel()


def _raise_end(attempt: Attempt, response: WatchResponse) -> None:
    if response.compact_revision:
        raise Compacted(f"revisions before {response.compact_revision} are no longer kept")
    raise unavailable(f"{attempt.member.endpoint} has ended a watch")
