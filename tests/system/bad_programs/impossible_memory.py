"""Asks for an amount that is none."""

import flyte

env = flyte.TaskEnvironment(name="impossible_memory", resources=flyte.Resources(memory="lots"))


@env.task
async def main(n: int) -> int:
    return n
