"""Two environments that nobody could tell apart."""

import flyte

first = flyte.TaskEnvironment(name="same")
second = flyte.TaskEnvironment(name="same")


@first.task
async def one(n: int) -> int:
    return n


@second.task
async def two(n: int) -> int:
    return n
