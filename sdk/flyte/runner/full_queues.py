"""Calls that are refused because a queue is full are made again, in the worker, for a long time but not for ever.

The parent's code notices only that the call takes longer. Waits begin with what the platform proposes, double, and
differ from one caller to the next, so that a crowd of callers does not come back at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from flyteapi.common.v1 import phase_pb2
from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult

if TYPE_CHECKING:
    import random

MOST_TRIES: Final = 100
"""Of one call, the first one included; after them the refusal is raised."""
LONGEST_WAIT_S: Final = 10.0
_LEAST_WAIT_S: Final = 0.05
"""Where the refusal names less or nothing: it is doubled with each try."""
_QUEUE_FULL: Final = "QUEUE_FULL"


def is_queue_full(result: ActionResult) -> bool:
    """Whether a call was refused for want of room in a queue, and may be made again. Nothing was stored then."""
    unspecified = result.phase == phase_pb2.PHASE_UNSPECIFIED
    return unspecified and result.HasField("retry_after") and result.error.code == _QUEUE_FULL


def waits(result: ActionResult, *, rng: random.Random | None = None) -> Iterator[float]:
    """Yield the seconds to wait before each further try of a call that was refused."""
    if rng is None:
        import random

        rng = random.Random()
    wait_s = max(result.retry_after.ToNanoseconds() / 1e9, _LEAST_WAIT_S)
    for _try in range(MOST_TRIES - 1):
        yield rng.uniform(1.0, 1.5) * min(wait_s, LONGEST_WAIT_S)
        wait_s *= 2
