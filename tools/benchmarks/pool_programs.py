"""The tasks that are measured on pools of several replicas, and with large inputs."""

import asyncio
import os
import random
import time

import flyte

REPLICAS = 8
CONCURRENCY = 16
LARGE_BYTES = 64 << 10

eight = flyte.TaskEnvironment(
    name="bench_eight",
    reusable=flyte.ReusePolicy(replicas=REPLICAS, concurrency=CONCURRENCY, idle_ttl=600, scaledown_ttl=600),
)
#: A pool of its own for each run, so that each begins without a replica.
growing = flyte.TaskEnvironment(
    name="bench_growing",
    reusable=flyte.ReusePolicy(replicas=(0, REPLICAS), concurrency=CONCURRENCY, scope="run"),
)
receivers = flyte.TaskEnvironment(
    name="bench_receivers", reusable=flyte.ReusePolicy(replicas=1, concurrency=100, idle_ttl=600)
)
callers = flyte.TaskEnvironment(name="bench_callers", depends_on=[eight, growing, receivers])


@eight.task
async def work(number: int, seconds: float) -> list[float]:
    """Takes so long without using the processor; says on which process it ran, from when and until when."""
    began = time.monotonic()
    await asyncio.sleep(seconds)
    return [float(os.getpid()), began, time.monotonic()]


@growing.task
async def short_work(number: int) -> int:
    """Takes 5 ms; says on which process it ran."""
    await asyncio.sleep(0.005)
    return os.getpid()


@receivers.task
async def length(number: int, data: bytes) -> int:
    """Takes an input of any size."""
    return len(data)


@callers.task
async def keep_busy(count: int) -> list[list[float]]:
    """What `count` tasks of different length say that wait all at once for eight replicas."""
    lengths = random.Random(count)
    return list(await asyncio.gather(*(work(number, lengths.uniform(0.1, 0.4)) for number in range(count))))


@callers.task
async def scale_up(count: int) -> list[float]:
    """Seconds from the call of `count` tasks, for which there is no replica yet, to the last result; replicas used."""
    began = time.perf_counter()
    found = await asyncio.gather(*(short_work(number) for number in range(count)))
    return [time.perf_counter() - began, float(len(set(found)))]


@callers.task
async def inputs_of_two_sizes(count: int) -> list[list[float]]:
    """Seconds that children took with next to nothing as input and with 64 KiB, in turn, so that both meet the same
    machine."""
    empty, large = b"", os.urandom(LARGE_BYTES)
    await length(-1, empty)
    pairs = [[await _timed(number, data) for data in (empty, large)] for number in range(count)]
    return [list(times) for times in zip(*pairs, strict=True)]


async def _timed(number: int, data: bytes) -> float:
    began = time.perf_counter()
    if await length(number, data) != len(data):
        raise RuntimeError("the child got something else")
    return time.perf_counter() - began
