"""Tasks as plain functions: awaited in a script, in a thread pool, with partials, and with bad inputs."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import flyte
import flyte.errors

env = flyte.TaskEnvironment(name="direct_calls")


@env.task
async def double(x: int) -> int:
    return 2 * x


@env.task
def halve(x: float) -> float:
    return x / 2


@env.task
async def strict(x: int, name: str = "n") -> str:
    return f"{name}{x}"


@env.task
async def main() -> list[str]:
    found = []
    for bad in (partial(strict), partial(strict, "x"), partial(strict, 1, 2, 3), partial(strict, x=1, bogus=2)):
        try:
            await bad()
        except (TypeError, ValueError) as e:
            found.append(type(e).__name__)
    return found


async def script() -> None:
    assert await double(2) == 4
    assert await asyncio.gather(*(double(i) for i in range(3))) == [0, 2, 4]
    assert await halve.aio(4.0) == 2.0


if __name__ == "__main__":
    asyncio.run(script())
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(halve, [1.0, 2.0])) == [0.5, 1.0]
        assert pool.submit(lambda: flyte.run(double, 4).outputs()[0]).result() == 8
    assert flyte.run(main).outputs()[0] == ["ValueError", "TypeError", "ValueError", "ValueError"]
    for bad in ({"x": "text"}, {"x": True}, {}, {"x": 1, "y": 2}):
        try:
            flyte.run(double, **bad)
        except (TypeError, ValueError):
            pass
        else:
            raise AssertionError(f"{bad} was accepted")
    try:
        flyte.run(script)
    except TypeError as e:
        assert "generic functions" in str(e)
    try:
        flyte.with_runcontext(mode="remote").run(double, 1)
    except flyte.errors.InitializationError as e:
        assert "flyte.init" in str(e)
