"""Retries with backoff, errors that end them, and how a parent handles the failures of its children."""

from datetime import timedelta

import flyte
import flyte.errors

env = flyte.TaskEnvironment(name="retries_and_errors")
attempts = {"n": 0}


@env.task(
    retries=flyte.RetryStrategy(
        3, backoff=flyte.Backoff(timedelta(milliseconds=1), factor=2.0, cap=timedelta(seconds=1))
    )
)
async def flaky(fail: int) -> int:
    attempts["n"] += 1
    if attempts["n"] <= fail:
        raise RuntimeError(f"attempt {attempts['n']}")
    return attempts["n"]


class Hopeless(flyte.errors.NonRecoverableError):
    pass


@env.task(retries=5)
async def hopeless() -> None:
    attempts["n"] += 1
    raise Hopeless("no use")


@env.task
async def oomer() -> None:
    raise flyte.errors.OOMError(code="OOMError", message="pretend", worker="w")


@env.task
async def failure_recovery() -> str:
    try:
        await oomer.override(resources=flyte.Resources(cpu=1, memory="250Mi"))()
    except flyte.errors.OOMError as e:
        assert e.code == "OOMError", e.code
    try:
        await hopeless()
    except flyte.errors.RuntimeUserError as e:
        assert "no use" in str(e)
    finally:
        count = attempts["n"]
    try:
        await always_fails()
    except flyte.errors.RuntimeUserError as e:
        return f"{e.code}:{e}:{count}"
    return "never"


@env.task
async def always_fails() -> None:
    raise ValueError("bad value")


if __name__ == "__main__":
    flyte.init()
    assert flyte.run(flaky, 2).outputs()[0] == 3
    attempts["n"] = 0
    assert flyte.run(failure_recovery).outputs()[0] == "ValueError:bad value:1"
    try:
        flyte.run(always_fails)
    except Exception as e:
        assert "bad value" in str(e)
    else:
        raise AssertionError("the failure of a run was not raised")
