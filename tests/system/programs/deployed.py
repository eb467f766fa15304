"""A task that others call by its name."""

import os

import flyte
import flyte.remote

env = flyte.TaskEnvironment("deployed", resources=flyte.Resources(cpu="200m"))


@env.task
async def double(x: int) -> int:
    """Multiplies by two, or by what the environment says."""
    return x * int(os.environ.get("FACTOR", "2"))


@env.task
async def calls_its_own_version(x: int) -> tuple[str, int]:
    """Calls a task of the version with which it was deployed itself, whatever came after."""
    return flyte.ctx().version, await flyte.remote.Task.get("deployed.double", auto_version="current")(x)
