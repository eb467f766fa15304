"""The first program of every tutorial: sync tasks, map, a mean."""

import flyte

env = flyte.TaskEnvironment(name="hello_world")


@env.task
def fn(x: int) -> int:
    slope, intercept = 2, 5
    return slope * x + intercept


@env.task
def main(x_list: list[int] = list(range(10))) -> float:
    x_len = len(x_list)
    if x_len < 10:
        raise ValueError(f"x_list doesn't have a larger enough sample size, found: {x_len}")
    y_list = list(flyte.map(fn, x_list))
    return sum(y_list) / len(y_list)


if __name__ == "__main__":
    flyte.init_from_config()
    run = flyte.run(main, x_list=list(range(10)))
    print(run.name)
    print(run.url)
    run.wait()
    assert run.outputs()[0] == 14.0
    assert run.outputs().o0 == 14.0
