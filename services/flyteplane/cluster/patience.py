"""Asking a cluster until it answers: an API server that cannot be reached delays work and never fails it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from flyteplane.foundation.errors import PlatformError, ResourceExhausted, Unavailable

if TYPE_CHECKING:
    from flyteplane.foundation.clock import TimerClock

T = TypeVar("T")

#: Between two tries, doubled each time up to the longest, unless the refusal names a time.
_FIRST_S: Final = 0.25
_LONGEST_S: Final = 15.0


async def patiently(
    ask: Callable[[], Awaitable[T]],
    *,
    clock: TimerClock,
    wanted: Callable[[], bool],
    refused: Callable[[PlatformError], None],
) -> T | None:
    """What `ask` returns, asked again with growing pauses while the cluster is away or its quota used up.

    None once the answer is not wanted any more. `refused` hears each refusal. Any other error is raised.
    """
    delay = _FIRST_S
    while wanted():
        try:
            return await ask()
        except (Unavailable, ResourceExhausted) as error:
            refused(error)
            await clock.sleep(error.retry_after_s or delay)
            delay = min(2 * delay, _LONGEST_S)
    return None
