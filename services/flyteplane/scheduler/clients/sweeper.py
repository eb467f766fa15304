"""What nobody says: workers that nobody answers for, and clusters that cannot be reached.

A comparison by level, soon after the start and then from time to time: what runs on each cluster against what the
placement knows (left by a leader that was killed between two steps: found and stopped), and the health of each cluster
against what admission thinks of it. A cluster that cannot be asked is asked again later and gets nothing new till then.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from flyteplane.cluster.ports import Cluster
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.scheduler.clients.fresh_workers import FreshWorkers

_log = get_logger("scheduler.sweeper")

#: Between two looks at the health of the clusters; workers are compared every `_ROUNDS` looks.
INTERVAL_S: Final = 5.0
_ROUNDS: Final = 6


async def sweep_for_ever(
    placement: FreshWorkers,
    clusters: Iterable[Cluster],
    *,
    clock: TimerClock,
    leads: Callable[[], bool] = lambda: True,
    reachable: Callable[[str, bool], None] = lambda cluster, yes: None,
) -> None:
    """Stops what nobody answers for, and tells which clusters can be reached. Returns at once if no cluster outlives
    this process, else never.

    Args:
        leads: whether this process leads at this very moment. One that was paused meanwhile does not know the workers
            of the leader after it.
    """
    lasting = [cluster for cluster in clusters if cluster.outlives_owner]
    for round in itertools.count():
        if not lasting:
            return
        for cluster in lasting:
            reachable(cluster.name, cluster.health().reachable)
            if round % _ROUNDS == 0:
                await _sweep(placement, cluster, leads)
        await clock.sleep(INTERVAL_S)


async def _sweep(placement: FreshWorkers, cluster: Cluster, leads: Callable[[], bool]) -> None:
    try:
        # Asked for after the cluster answered: a worker registered meanwhile is known then.
        for name in await cluster.others(placement.known_names(cluster.name)):
            if name not in placement.known_names(cluster.name) and leads():
                _log.warning("worker_without_attempt_stopped", worker=name, cluster=cluster.name)
                await cluster.stop(name, grace_s=0.0)
    except PlatformError as error:
        _log.info("cluster_not_compared", cluster=cluster.name, problem=str(error))
