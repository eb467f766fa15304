"""How long a worker with a stream of its own may be silent.

A pod ends its attempt by itself when it has had no answer for the contact time it was told; the scheduler gives the
attempt to another only `CONTACT_MARGIN_S` later than that. Both count by their own monotonic clocks: the pod from the
sending of what was answered, the scheduler from the hearing of it, which is later. So the two never overlap, whatever
the clocks show. A new leader has heard nobody yet and gives everyone the whole time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from flyteplane.cluster.ports import CONTACT_MARGIN_S

if TYPE_CHECKING:
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.scheduler.clients.fresh_worker import FreshWorker

_LEAST_S: Final = 0.001


class Contact:
    """Watches the silence of workers.

    Args:
        lost: called with the worker and its silence in seconds.
    """

    def __init__(self, *, clock: TimerClock, lost: Callable[[FreshWorker, float], None]) -> None:
        self._clock = clock
        self._lost = lost

    def heard(self, worker: FreshWorker) -> None:
        """The worker is alive. One timer a worker: it looks at the time again when it fires."""
        worker.heard_at = self._clock.monotonic()
        if worker.contact_timer is None:
            self._arm(worker, _limit_s(worker))

    def _arm(self, worker: FreshWorker, delay_s: float) -> None:
        worker.contact_timer = self._clock.call_later(delay_s, lambda: self._due(worker))

    def _due(self, worker: FreshWorker) -> None:
        silence = self._clock.monotonic() - worker.heard_at
        limit = _limit_s(worker)
        if silence < limit:
            # Not less than a clock can tell apart, or this would go round without any time passing.
            self._arm(worker, max(limit - silence, _LEAST_S))
        else:
            worker.contact_timer = None
            self._lost(worker, silence)


def _limit_s(worker: FreshWorker) -> float:
    return worker.cluster.contact_s + CONTACT_MARGIN_S
