"""Tasks for real replicas."""

from __future__ import annotations

import asyncio
import os
import time

import flyte

env = flyte.TaskEnvironment(name="warm", reusable=flyte.ReusePolicy(replicas=1, concurrency=10))
own = flyte.TaskEnvironment(name="warm_sync", reusable=flyte.ReusePolicy(replicas=1))


@env.task
async def add(a: int, b: int) -> int:
    return a + b


@env.task
async def total(count: int) -> int:
    return sum(await asyncio.gather(*(add(a=number, b=0) for number in range(count))))


@env.task
async def forever() -> int:
    await asyncio.sleep(3600)
    return 0


@own.task
def countdown(depth: int) -> int:
    return 0 if depth == 0 else 1 + countdown(depth - 1)


@own.task
def whose(secret: str) -> str:
    return f"{os.environ[secret]} {os.getpid()}"


@own.task
def crash() -> int:
    os._exit(3)


@own.task
def stubborn() -> int:
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            continue
