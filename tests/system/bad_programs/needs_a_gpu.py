"""Asks for what this machine cannot give."""

import flyte

env = flyte.TaskEnvironment(name="needs_a_gpu", resources=flyte.Resources(gpu=1))


@env.task
async def main(n: int) -> int:
    return n
