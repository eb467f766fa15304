"""Tasks that ask people."""

from datetime import timedelta

import flyte
import flyte.errors

env = flyte.TaskEnvironment("questions", resources=flyte.Resources(cpu="200m"))


@env.task(retries=flyte.RetryStrategy(2, flyte.Backoff(timedelta(milliseconds=1))))
async def asks() -> list[object]:
    """Asks for a number and for approval; a second attempt knows the answers."""
    number = await flyte.new_condition.aio("amount", prompt="How much?", data_type=int)
    answers: list[object] = [await number.wait.aio()]
    approval = await flyte.new_condition.aio("approval", timeout=30)
    answers.append(await approval.wait.aio())
    if flyte.ctx().attempt_number == 0:
        raise ValueError("after the answers")
    return answers


@env.task
def asks_synchronously() -> str:
    """Asks for a text, and for the same again."""
    answer = flyte.new_condition("word", prompt="Which word?", data_type=str).wait()
    try:
        flyte.new_condition("word")
    except flyte.errors.ConditionAlreadyExistsError as error:
        return f"{answer} {error.code}"
    return answer


@env.task
async def nobody_answers() -> str:
    """Waits for a short time only."""
    condition = await flyte.new_condition.aio("silence", timeout=timedelta(milliseconds=200))
    try:
        return str(await condition.wait.aio())
    except flyte.errors.ConditionTimedoutError as error:
        return error.code
