"""Calls that change something, made until the platform has said what became of them; and the reads of a wait.

This is the one place of the rule:

- Nobody there: with a platform that was never connected to, the first call fails at once, and nothing was sent. Who has
  forgotten `flyte up` does not wait. One elsewhere (`https://`) may just be replaced, and is waited for.
- No answer: once there was a connection, a platform that is away, or restarts, or has lost its lead may have done what
  was asked and not lived to say so. The same request, with the same request id, is sent again for as long as
  `ClientSettings.patience_s`, and the platform does nothing twice.
- Still no answer: the error says that the change may have been made, and how to find out.

What is refused is never repeated. Of the calls that only read, those about one run and its actions are made here too,
because whoever waits for a run reads them meanwhile; they leave no doubt. Whoever makes any other asks again without
harm.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from flyte.authoring.logs import system_logger
from flyte.client.failures import leaves_open, may_pass, no_platform
from flyte.errors import BaseRuntimeError, UnionRpcError

if TYPE_CHECKING:
    import grpc.aio

Answer = TypeVar("Answer")

FIRST_PAUSE_S: Final = 0.1
"""Before the change is asked for again, doubled each time up to the longest."""
LONGEST_PAUSE_S: Final = 5.0
IN_DOUBT: Final = "It may have been done all the same: look before you ask for it again."
OUTCOME_UNKNOWN: Final = "OutcomeUnknown"
"""Code of the error of a change that may have been made, or not."""


def pause_s(attempt: int, *, jitter: float) -> float:
    """Return how long to wait before attempt n (from 0) to reach the platform; jitter is from 0 to 1."""
    return min(FIRST_PAUSE_S * 2.0 ** min(attempt, 16), LONGEST_PAUSE_S) * (0.5 + jitter / 2)


async def patiently(
    attempt: Callable[[], Awaitable[Answer]],
    channel: grpc.aio.Channel,
    *,
    endpoint: str,
    connect_s: float,
    patience_s: float,
    in_doubt: str | None = IN_DOUBT,
) -> Answer:
    """Return what an attempt returns, making it again while the platform is away, for `patience_s` at most.

    Each attempt has to ask for the same thing under the same request id; `connect_s` is how long the first connection
    may take. Raises UnionRpcError with code OutcomeUnknown and the words of `in_doubt` (None: nothing is changed) if
    nobody has said what became of it, and what the attempt raises for all else.
    """
    number, open_end, until = 0, False, math.inf
    while True:
        failure: BaseRuntimeError = no_platform(endpoint)
        # Nothing is sent before there is somebody to send it to: then it is known that nothing was done.
        if await connected(channel, within_s=min(connect_s, until - time.monotonic())):
            try:
                return await attempt()
            except BaseRuntimeError as error:
                if not may_pass(error):
                    raise _noted(error) if open_end else error from None
                failure, open_end = error, open_end or (in_doubt is not None and leaves_open(error))
        if not number:
            until = time.monotonic() + patience_s
            say_waiting(endpoint, patience_s)
        left_s = until - time.monotonic()
        if left_s <= 0:
            raise _unknown(failure, endpoint, patience_s, in_doubt or "") if open_end else failure
        await _until_sensible(channel, number, within_s=left_s)
        number += 1


async def connected(channel: grpc.aio.Channel, *, within_s: float, patient: bool = False) -> bool:
    """Wait until a channel is connected and return whether it is; unless `patient`, only until the first refusal."""
    from grpc import ChannelConnectivity as State

    async def ready() -> bool:
        while (state := channel.get_state(try_to_connect=True)) is not State.READY:
            if state is State.SHUTDOWN or (state is State.TRANSIENT_FAILURE and not patient):
                return False
            await channel.wait_for_state_change(state)
        return True

    try:
        async with asyncio.timeout(within_s):
            return await ready()
    except TimeoutError:
        return False


async def _until_sensible(channel: grpc.aio.Channel, number: int, *, within_s: float) -> None:
    """Wait a growing pause, and then for a connection: gRPC makes that again by itself."""
    began = time.monotonic()
    await asyncio.sleep(min(pause_s(number, jitter=random.random()), within_s))
    await connected(channel, within_s=max(within_s - (time.monotonic() - began), 0.0), patient=True)


def say_waiting(endpoint: str, patience_s: float) -> None:
    """Tell whoever waits for what, and until when."""
    if patience_s > 0:
        until = datetime.now() + timedelta(seconds=patience_s)
        system_logger.warning(
            "The platform at %s does not answer; trying again until %s. Nothing is done twice.",
            endpoint,
            f"{until:%H:%M:%S}",
        )


def _noted(error: BaseRuntimeError) -> BaseRuntimeError:
    error.add_note("The answer to the same request was lost a moment ago: it may have been done by that.")
    return error


def _unknown(last: BaseRuntimeError, endpoint: str, patience_s: float, in_doubt: str) -> UnionRpcError:
    tried = f" It was asked again for {patience_s:.0f} s." if patience_s > 0 else ""
    error = UnionRpcError(
        OUTCOME_UNKNOWN, f"The platform at {endpoint} went away before it answered, and is not back.{tried} {in_doubt}"
    )
    for note in getattr(last, "__notes__", ()) or (str(last),):
        error.add_note(note)
    return error
