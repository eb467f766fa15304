"""Taking a pod away for certain: with grace, then without, until the server says that it is gone.

It is asked again whatever happens to the answer, with back-off while the server is away. The last step, without grace,
forgets the pod whether or not its node has confirmed; it comes only when a worker without contact has ended itself.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from random import Random
from typing import Any, Final

from flyteplane.cluster.kubernetes.api import KubernetesApi
from flyteplane.cluster.kubernetes.marks import pods_path
from flyteplane.cluster.kubernetes.trouble import ApiFailure, KubernetesTrouble
from flyteplane.cluster.kubernetes.worker_pod import WorkerPod
from flyteplane.observe import get_logger

_log = get_logger("cluster")

#: Between tries of a deletion that fails, doubled each time up to the longest.
_FIRST_PAUSE_S: Final = 0.2
_MAX_PAUSE_S: Final = 10.0
#: Grace of a pod that says nothing of it.
_DEFAULT_GRACE_S: Final = 30


async def remove(
    api: KubernetesApi,
    worker: WorkerPod,
    *,
    grace_s: float | None,
    force_after_s: float,
    vanished: Callable[[WorkerPod], None],
    random: Random,
) -> None:
    """Removes a worker's pod; returns when it is gone.

    Args:
        api: how to ask.
        worker: whose pod it is.
        grace_s: between SIGTERM and SIGKILL; None: what the pod itself says; 0: it is forgotten at once.
        force_after_s: how long after its grace a pod that is still there is forgotten.
        vanished: called if the server does not know the pod any more.
        random: for jitter.
    """
    # A grace of 0 would forget the pod while its processes still run.
    grace = None if grace_s is None else math.ceil(grace_s)
    failures = 0
    while not worker.gone.is_set():
        try:
            await api.call("DELETE", pods_path(*worker.key), body=_options(worker.uid, grace))
        except KubernetesTrouble as trouble:
            # Conflict: a pod of this name is there, and it is another one.
            if isinstance(trouble, ApiFailure) and trouble.status in (404, 409):
                vanished(worker)
                return
            failures += 1
            if failures == 1:
                _log.warning("pod_not_deleted_yet", worker=worker.name, problem=trouble.message)
            pause_s = min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)
            await _gone_within(worker, pause_s)
            continue
        failures = 0
        await _gone_within(worker, (_DEFAULT_GRACE_S if grace is None else grace) + force_after_s)
        grace = 0


def _options(uid: str, grace: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
    return options if grace is None else {**options, "gracePeriodSeconds": grace}


async def _gone_within(worker: WorkerPod, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await worker.gone.wait()
    except TimeoutError:
        return
