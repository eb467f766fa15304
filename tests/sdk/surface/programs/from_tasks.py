"""An environment made of tasks of others, called by a partial and by names in a registry."""

from functools import partial

import flyte

one = flyte.TaskEnvironment(name="one")
two = flyte.TaskEnvironment(name="two")


@one.task
async def first(x: int, y: int = 2) -> int:
    return x * y


@two.task
async def second(x: int) -> int:
    return x + 100


together = flyte.TaskEnvironment.from_task("together", first, second)
TASKS = {"first": partial(first, y=3), "second": second}

main_env = flyte.TaskEnvironment(name="main", depends_on=[one, two])


@main_env.task
async def main(names: list[str], x: int) -> list[int]:
    return [await TASKS[name](x=x) for name in names]


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main, names=["first", "second"], x=1).outputs()[0] == [3, 101]
    assert set(together.tasks) == {"one.first", "two.second"} and first.native_interface.num_required_inputs() == 1
