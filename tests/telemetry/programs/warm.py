"""A parent with two children on a warm replica."""

import asyncio

import flyte

replica = flyte.TaskEnvironment("warm", reusable=flyte.ReusePolicy(replicas=1, concurrency=2, idle_ttl=60))
env = flyte.TaskEnvironment("above", depends_on=[replica])


@replica.task
async def child(number: int) -> int:
    return number


@env.task
async def parent() -> int:
    return sum(await asyncio.gather(child(1), child(2)))
