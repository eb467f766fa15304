"""Fan-outs of cached tasks; whoever computes writes it down."""

import asyncio

from notes import write_down

import flyte

kept = flyte.TaskEnvironment(
    name="cached_fan_out_kept",
    resources=flyte.Resources(cpu="250m"),
    reusable=flyte.ReusePolicy(replicas=1, concurrency=4, idle_ttl=60, scaledown_ttl=60),
    cache="auto",
)
parents = flyte.TaskEnvironment(name="cached_fan_out", depends_on=[kept])


@kept.task(cache=flyte.Cache("auto", serialize=True, ignored_inputs=("ledger", "seconds")))
async def once(number: int, ledger: str, seconds: float) -> int:
    """Computed at most once at a time."""
    write_down(ledger, number=number)
    await asyncio.sleep(seconds)
    return number


@kept.task(cache=flyte.Cache("auto", ignored_inputs=("ledger", "seconds")))
async def any_time(number: int, ledger: str, seconds: float) -> int:
    """Cached, and computed without the cache if need be."""
    write_down(ledger, number=-number)
    await asyncio.sleep(seconds)
    return number


@parents.task
async def serialized(first: int, count: int, times: int, ledger: str, seconds: float) -> int:
    """The sum of `count` numbers, each of which is asked for several times at once."""
    numbers = [first + number for number in range(count)] * times
    return sum(await asyncio.gather(*(once(number, ledger, seconds) for number in numbers)))


@parents.task
async def cached(first: int, count: int, ledger: str, seconds: float) -> int:
    """The sum of `count` numbers."""
    numbers = range(first, first + count)
    return sum(await asyncio.gather(*(any_time(number, ledger, seconds) for number in numbers)))
