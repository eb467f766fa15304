"""Calls from unusual places: other loops, other threads, below other calls of the same task."""

import asyncio
import contextvars
import time
from concurrent.futures import ThreadPoolExecutor

from ledgers import write_down

import flyte
import flyte.errors

env = flyte.TaskEnvironment("wandering", resources=flyte.Resources(cpu="200m"))
setting: contextvars.ContextVar[str] = contextvars.ContextVar("setting", default="unset")


@env.task
async def square(x: int) -> int:
    """Asynchronous."""
    return x * x


@env.task
def cube(x: int) -> int:
    """Synchronous."""
    return x**3


@env.task
def with_a_loop_of_its_own() -> list[int]:
    """A synchronous task that runs a loop."""

    async def both() -> list[int]:
        return list(await asyncio.gather(square(2), cube.aio(2)))

    return asyncio.run(both())


@env.task
def with_threads() -> list[int]:
    """A synchronous task that calls from threads which know its context."""
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(contextvars.copy_context().run, cube, x) for x in range(3)]
        return [call.result() for call in calls]


@env.task
async def from_a_thread() -> int:
    """An asynchronous task whose helper blocks on a thread."""
    return await asyncio.to_thread(cube, 3)


@env.task
def factorial(n: int) -> int:
    """Calls itself."""
    return 1 if n <= 1 else n * factorial(n - 1)


@env.task
async def noted(x: int, ledger: str) -> int:
    """Writes down that it ran."""
    write_down(ledger, x=x)
    return x


@env.task
async def equal_calls(ledger: str) -> list[int]:
    """The same call three times, twice at once and in a group."""
    first = await asyncio.gather(noted(1, ledger), noted(1, ledger))
    with flyte.group("again"):
        return [*first, await noted(1, ledger)]


@env.task
async def length(text: str) -> tuple[int, str]:
    """Gives back what it was given."""
    return len(text), text


@env.task
async def large_values() -> list[bool]:
    """A value that does not travel inline."""
    text = "ä" * 700_000
    size, back = await length(text)
    return [size == 700_000, back == text]


@env.task
async def slow(ledger: str) -> int:
    """Takes long."""
    write_down(ledger, what="begins")
    await asyncio.sleep(30)
    write_down(ledger, what="ends")
    return 1


@env.task
async def gives_up(ledger: str) -> str:
    """Waits for a child for a while only."""
    child = asyncio.ensure_future(slow(ledger))
    began = time.monotonic()
    try:
        # Long enough for the child to begin wherever it runs.
        await asyncio.wait_for(child, 3)
    except TimeoutError:
        return "gave up" if time.monotonic() - began < 20 else "waited"
    return "had a result"


@env.task
async def fails_beside_others() -> list[str]:
    """gather with exceptions as values, and a task group."""

    async def tell(x: int) -> int:
        if x == 1:
            raise ValueError("one")
        return await square(x)

    results = await asyncio.gather(*(tell(x) for x in range(3)), return_exceptions=True)
    said = [str(result) for result in results]
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(picky(1))
            tasks.create_task(square(2))
    except* flyte.errors.RuntimeUserError as group:
        said += [error.code for error in group.exceptions if isinstance(error, flyte.errors.RuntimeUserError)]
    return said


@env.task
async def picky(x: int) -> int:
    """Dislikes everything."""
    raise LookupError(str(x))


@env.task
async def sets_a_variable() -> str:
    """Changes a context variable of its own."""
    setting.set("child")
    return setting.get()


@env.task
async def context_variables() -> list[str]:
    """What a child sets, its parent does not see."""
    setting.set("parent")
    return [await sets_a_variable(), setting.get()]
