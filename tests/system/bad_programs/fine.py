"""Nothing is wrong with this one but how it is called."""

import flyte

env = flyte.TaskEnvironment(name="fine")
number = 7


def plain(n: int) -> int:
    """No task."""
    return n


@env.task
async def main(n: int, often: int = 1) -> int:
    """A task."""
    return n * often
