"""A task that says that it runs, takes its time, and returns."""

import asyncio

from notes import write_down

import flyte

env = flyte.TaskEnvironment(name="counting", resources=flyte.Resources(cpu="250m"))


@env.task
async def counted(announcements: str, number: int, seconds: float) -> int:
    """Twice the number."""
    write_down(announcements, number=number)
    await asyncio.sleep(seconds)
    return 2 * number


@env.task(retries=1)
async def talkative(announcements: str) -> int:
    """Prints before and after its first attempt is interrupted, and in its second."""
    attempt = flyte.ctx().attempt_number + 1
    print(f"attempt {attempt} begins")
    write_down(announcements, number=attempt)
    await asyncio.sleep(600 if attempt == 1 else 0)
    print(f"attempt {attempt} ends")
    return attempt
