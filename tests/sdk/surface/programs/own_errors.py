"""Errors of the user's own, with codes, across tasks."""

import flyte
from flyte.errors import BaseRuntimeError, CustomError, RuntimeUserError

env = flyte.TaskEnvironment(name="own_errors")


class Mine(RuntimeUserError):
    def __init__(self, message: str) -> None:
        super().__init__("MINE", message, None)


@env.task
async def raises_mine() -> None:
    raise Mine("mine")


@env.task
async def raises_wrapped() -> None:
    try:
        int("x")
    except ValueError as e:
        raise CustomError.from_exception(e) from e


@env.task
async def main() -> list[str]:
    codes = []
    for task in (raises_mine, raises_wrapped):
        try:
            await task()
        except BaseRuntimeError as e:
            codes.append(f"{e.code} {e.kind}")
    return codes


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main).outputs()[0] == ["MINE user", "ValueError user"]
