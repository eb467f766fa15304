"""Async tasks gathered over a dynamic number of children, in groups."""

import asyncio
from typing import List

import flyte

env = flyte.TaskEnvironment(
    name="async_fan_out",
    resources=flyte.Resources(cpu="1", memory="250Mi"),
)


@env.task
async def say_hello(data: str, lt: List[int]) -> str:
    return f"Hello {data} {lt}"


@env.task
async def square(i: int = 3) -> int:
    return i * i


@env.task
async def hello_wf(data: str = "default string", n: int = 3) -> str:
    with flyte.group("squares"):
        coros = [square(i=i) for i in range(n)]
        vals = await asyncio.gather(*coros)
    with flyte.group("hello"):
        return await say_hello(data=data, lt=vals)


if __name__ == "__main__":
    flyte.init()
    run = flyte.with_runcontext(mode="local", name="fan-out").run(hello_wf, data="world", n=4)
    assert run.outputs() == ("Hello world [0, 1, 4, 9]",), run.outputs()
    run = flyte.run(hello_wf)
    assert run.outputs()[0] == "Hello default string [0, 1, 4]"
    assert run.inputs() == {"data": "default string", "n": 3}
