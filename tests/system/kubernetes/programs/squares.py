"""A fan-out over pods; every child tells that it ran."""

import asyncio

from boards import tell

import flyte

SMALL = flyte.Resources(cpu=("20m", "1"), memory=("60Mi", "200Mi"))
env = flyte.TaskEnvironment(name="squares", resources=SMALL)


@env.task(retries=0)
async def square(number: int, board: str, seconds: float) -> int:
    """One child."""
    tell(board, number=number)
    await asyncio.sleep(seconds)
    tell(board, word="done")
    return number * number


@env.task(retries=0)
async def sum_of_squares(count: int, board: str, seconds: float, queue: str = "default") -> int:
    """The sum of the squares below `count`, each of them computed in a pod."""
    child = square.override(queue=queue)
    return sum(await asyncio.gather(*(child(number, board, seconds) for number in range(count))))
