"""flyte.map with partials, concurrency, groups and exceptions as values, in sync and async tasks."""

from functools import partial
from typing import List, Union

import flyte
import flyte.errors

env = flyte.TaskEnvironment(name="map_and_partial")


@env.task
def scale(factor: int, x: int) -> int:
    if x == 3:
        raise ValueError("three is not scaled")
    return factor * x


@env.task
async def add(a: int, b: int) -> int:
    return a + b


@env.task
def in_order(n: int) -> List[int]:
    values: List[int] = []
    for result in flyte.map(partial(scale, 10), range(n), group_name="scaled", concurrency=2, return_exceptions=True):
        if isinstance(result, Exception):
            assert isinstance(result, flyte.errors.RuntimeUserError), type(result)
            values.append(-1)
        else:
            values.append(result)
    return values


@env.task
async def zipped() -> List[Union[int, None]]:
    return [value async for value in flyte.map.aio(add, [1, 2, 3], [10, 20, 30], concurrency=2)]


@env.task
def fails_at_once() -> int:
    try:
        list(flyte.map(partial(scale, factor=2), [1, 3], return_exceptions=False))
    except flyte.errors.RuntimeUserError as e:
        assert e.code == "ValueError", e.code
        return 1
    return 0


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(in_order, 5).outputs()[0] == [0, 10, 20, -1, 40]
    assert flyte.run(zipped).outputs()[0] == [11, 22, 33]
    assert flyte.run(fails_at_once).outputs()[0] == 1
