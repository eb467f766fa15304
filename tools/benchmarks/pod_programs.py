"""The tasks that are measured in pods."""

from __future__ import annotations

import asyncio
import time

import flyte
from benchmarks.pod_cluster import QUEUE

pods = flyte.TaskEnvironment(
    name="bench_pods", resources=flyte.Resources(cpu=("100m", "2"), memory="128Mi"), queue=QUEUE
)
parents = flyte.TaskEnvironment(name="bench_pod_parents", depends_on=[pods])


@pods.task
async def nothing(number: int) -> int:
    """A pod that does nothing."""
    return number


@parents.task
async def many(count: int) -> float:
    """Seconds that `count` pods took."""
    began = time.perf_counter()
    await asyncio.gather(*(nothing(number) for number in range(count)))
    return time.perf_counter() - began
