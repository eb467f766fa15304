"""Fan-outs over fresh workers and over warm replicas; every child writes down that it ran."""

import asyncio

from notes import write_down

import flyte

fresh = flyte.TaskEnvironment(name="fan_out_fresh", resources=flyte.Resources(cpu="250m"))
warm = flyte.TaskEnvironment(
    name="fan_out_warm",
    resources=flyte.Resources(cpu="250m"),
    reusable=flyte.ReusePolicy(replicas=2, concurrency=4, idle_ttl=60, scaledown_ttl=60),
)
parents = flyte.TaskEnvironment(name="fan_out", depends_on=[fresh, warm])


@fresh.task
async def fresh_child(number: int, ledger: str, seconds: float) -> int:
    """A child in a process of its own."""
    write_down(ledger, number=number)
    await asyncio.sleep(seconds)
    return number * number


@warm.task
async def warm_child(number: int, ledger: str, seconds: float) -> int:
    """A child on a replica."""
    write_down(ledger, number=number)
    await asyncio.sleep(seconds)
    return number * number


@warm.task
async def warm_fan_out(count: int, ledger: str, seconds: float) -> int:
    """The same sum by a parent that runs on a replica itself, beside its children."""
    write_down(ledger, number=-1)
    return sum(await asyncio.gather(*(warm_child(number, ledger, seconds) for number in range(count))))


@parents.task
async def fan_out(kind: str, count: int, ledger: str, seconds: float, pause: float = 0.0) -> int:
    """The sum of the squares below `count`, each of them computed by a child."""
    await asyncio.sleep(pause)
    child = {"fresh": fresh_child, "warm": warm_child}[kind]
    with flyte.group("squares"):
        return sum(await asyncio.gather(*(child(number, ledger, seconds) for number in range(count))))


@parents.task
async def mixed(count: int, ledger: str, seconds: float) -> int:
    """The same with fresh and warm children in turn."""
    children = (fresh_child, warm_child)
    return sum(await asyncio.gather(*(children[number % 2](number, ledger, seconds) for number in range(count))))
