"""A task that others call by its name."""

import os

import flyte

env = flyte.TaskEnvironment("deployed", resources=flyte.Resources(cpu="200m"))


@env.task
async def double(x: int) -> int:
    """Multiplies by two, or by what the environment says."""
    return x * int(os.environ.get("FACTOR", "2"))
