"""The event log of a run as one unbroken sequence, whatever happens to the stream or to the platform.

A broken stream is opened again behind the last event that was seen, with growing pauses while the platform is away, so
nothing is lost, repeated or asked for in a loop. Only the first connection may fail: a platform that was never there is
an error, one that restarts is waited for as long as the caller waits.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from flyte.client.failures import is_platform_gone
from flyte.client.patience import pause_s
from flyte.errors import BaseRuntimeError, UnionRpcError
from flyteapi.admin.v1.run_service_pb2 import WatchRunRequest, WatchRunResponse
from flyteapi.common.v1.identity_pb2 import RunId

if TYPE_CHECKING:
    from flyte.client.channel import Connection


async def watch_run(
    connection: Connection,
    run: RunId,
    *,
    from_sequence: int = 1,
    root_only: bool = False,
    must_answer: bool = True,
    on_break: Callable[[BaseRuntimeError], None] | None = None,
) -> AsyncIterator[WatchRunResponse]:
    """Yield the pieces of a run's log from a sequence on, until the run has ended and everything was seen.

    With `root_only` events of children are left out, which is all that somebody needs who waits for the result.
    A piece with `resync` says that events were left out: whoever follows all actions has to list them. With
    `must_answer` a platform that does not answer the first time is an error; `on_break` is told of later breaks.
    """
    position, attempt, seen = from_sequence, 0, not must_answer
    while True:
        try:
            async for piece in connection.stream(
                connection.runs.WatchRun, WatchRunRequest(run=run, from_sequence=position, root_only=root_only)
            ):
                position, attempt, seen = _behind(piece, position), 0, True
                yield piece
                if piece.ended:
                    return
        except BaseRuntimeError as error:
            if not seen or not is_passing(error):
                raise
            if on_break is not None:
                on_break(error)
        await asyncio.sleep(pause_s(attempt, jitter=random.random()))
        attempt += 1


def _behind(piece: WatchRunResponse, position: int) -> int:
    if piece.next_sequence:
        return piece.next_sequence
    return piece.events[-1].sequence + 1 if piece.events else position


def is_passing(error: BaseRuntimeError) -> bool:
    """Tell whether a stream that broke with this error is worth opening again."""
    return is_platform_gone(error) or (
        isinstance(error, UnionRpcError) and error.code in ("CANCELLED", "INTERNAL", "UNKNOWN", "RpcTimeout")
    )
