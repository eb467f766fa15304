"""Workers that nobody answers for: left by a leader that was killed between two steps, found and stopped.

A comparison by level: what runs on each cluster against what the placement knows, soon after the start and then from
time to time. A cluster that cannot be asked is asked again later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from flyteplane.foundation.errors import PlatformError

if TYPE_CHECKING:
    from flyteplane.cluster.ports import Cluster
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.scheduler.clients.fresh_workers import FreshWorkers

_log = logging.getLogger("flyteplane.scheduler.sweeper")

INTERVAL_S: Final = 30.0


async def sweep_for_ever(placement: FreshWorkers, clusters: Iterable[Cluster], *, clock: TimerClock) -> None:
    """Stops what nobody answers for. Never returns."""
    lasting = [cluster for cluster in clusters if cluster.outlives_owner]
    while lasting:
        for cluster in lasting:
            await _sweep(placement, cluster)
        await clock.sleep(INTERVAL_S)


async def _sweep(placement: FreshWorkers, cluster: Cluster) -> None:
    try:
        # Asked for after the cluster answered: a worker registered meanwhile is known then.
        for name in await cluster.others(placement.known_names(cluster.name)):
            if name not in placement.known_names(cluster.name):
                _log.warning("stopping worker %s on cluster %s, which no attempt has", name, cluster.name)
                await cluster.stop(name, grace_s=0.0)
    except PlatformError as error:
        _log.info("cluster %s could not be compared: %s", cluster.name, error)
