"""The tasks that are measured. Bodies do nothing, so that what is measured is the platform."""

import asyncio
import time

import flyte

warm = flyte.TaskEnvironment(
    name="bench_warm", reusable=flyte.ReusePolicy(replicas=1, concurrency=100, idle_ttl=600, scaledown_ttl=600)
)
parents = flyte.TaskEnvironment(
    name="bench_parents", reusable=flyte.ReusePolicy(replicas=1, concurrency=100, idle_ttl=600), depends_on=[warm]
)
fresh = flyte.TaskEnvironment(name="bench_fresh", depends_on=[warm, parents])


@warm.task
async def warm_child(number: int) -> int:
    """A child on a warm replica."""
    return number


@fresh.task
async def fresh_child(number: int) -> int:
    """A child in a process of its own."""
    return number


@warm.task(cache="auto")
async def cached_child(number: int) -> int:
    """A child whose result is cached. It says when it was computed, so that a second computation shows."""
    return time.time_ns()


@fresh.task
async def first() -> int:
    """The first result of a platform that has just been started."""
    return 1


@fresh.task
async def warm_sequence(count: int) -> list[float]:
    """Seconds that each of `count` children took, one after another."""
    await warm_child(-1)
    return [await _timed(warm_child, number) for number in range(count)]


@fresh.task
async def fresh_sequence(count: int) -> list[float]:
    """The same with fresh processes."""
    await fresh_child(-1)
    return [await _timed(fresh_child, number) for number in range(count)]


async def _timed(task, number: int) -> float:  # type: ignore[no-untyped-def]  # any of the tasks above
    began = time.perf_counter()
    await task(number)
    return time.perf_counter() - began


@fresh.task
async def fan_out(count: int) -> float:
    """Seconds that `count` warm children took, all at once."""
    await warm_child(-1)
    began = time.perf_counter()
    results = await asyncio.gather(*(warm_child(number) for number in range(count)))
    seconds = time.perf_counter() - began
    if results != list(range(count)):
        raise RuntimeError("children returned something else")
    return seconds


@fresh.task
async def cached_sequence(first: int, count: int) -> tuple[list[float], list[int]]:
    """Seconds that each of `count` cached children took, one after another, and when each was computed."""
    times, computed = [], []
    for number in range(first, first + count):
        began = time.perf_counter()
        computed.append(await cached_child(number))
        times.append(time.perf_counter() - began)
    return times, computed


@fresh.task
async def cached_fan_out(first: int, count: int) -> tuple[float, list[int]]:
    """Seconds that `count` cached children took, all at once, and when each was computed."""
    began = time.perf_counter()
    computed = await asyncio.gather(*(cached_child(number) for number in range(first, first + count)))
    return time.perf_counter() - began, computed


@parents.task
async def parent(number: int, children: int) -> int:
    """A parent on a warm replica."""
    first_child = number * children
    return len(await asyncio.gather(*(warm_child(first_child + child) for child in range(children))))


@fresh.task
async def nested(number_of_parents: int, children: int) -> float:
    """Seconds that `number_of_parents` warm parents with `children` each took."""
    await parent(1_000_000, 1)
    began = time.perf_counter()
    done = await asyncio.gather(*(parent(number, children) for number in range(number_of_parents)))
    seconds = time.perf_counter() - began
    if sum(done) != number_of_parents * children:
        raise RuntimeError("children are missing")
    return seconds
