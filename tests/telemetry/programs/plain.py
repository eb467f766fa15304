"""A task that other programs call."""

import flyte

env = flyte.TaskEnvironment("plain")


@env.task
async def double(number: int) -> int:
    return 2 * number
