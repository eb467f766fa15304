"""The task whose first line is waited for, alone in its module: like the bare pod's program it needs the time only."""

import time

import flyte

pods = flyte.TaskEnvironment(
    name="bench_pod_first_line", resources=flyte.Resources(cpu=("100m", "2"), memory="128Mi"), queue="pods"
)


@pods.task
async def first_line() -> float:
    """When its first line was printed, in seconds since the epoch."""
    now = time.time()
    print(now)
    return now
