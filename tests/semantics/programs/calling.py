"""Tasks that call each other in every way."""

import asyncio
import itertools
from functools import partial
from typing import NamedTuple

from ledgers import write_down

import flyte
import flyte.errors

env = flyte.TaskEnvironment("calling", resources=flyte.Resources(cpu="200m"))


class Split(NamedTuple):
    """Two parts."""

    whole: int
    rest: float


@env.task
async def double(x: int) -> int:
    """Asynchronous."""
    return 2 * x


@env.task
def triple(x: int) -> int:
    """Synchronous."""
    return 3 * x


@env.task
async def with_defaults(a: int, b: int = 20, *, c: str = "c", d: list[int] | None = None) -> str:
    """Shows what it was given."""
    return f"{a} {b} {c} {d}"


@env.task
async def several(x: int) -> tuple[int, str]:
    """Two outputs."""
    return x, str(x)


@env.task
def named(x: float) -> Split:
    """Two outputs with names."""
    return Split(int(x), x - int(x))


@env.task
async def reads_named(x: float) -> str:
    """What a parent sees of it."""
    split = await named.aio(x)
    whole, rest = split
    return f"{type(split).__name__} {split.whole} {rest} {whole == split[0]}"


@env.task
async def nothing() -> None:
    """No output."""


@env.task
def from_synchronous() -> list[object]:
    """A synchronous parent of both kinds: asynchronous children through flyte.map."""
    return [triple(1), *flyte.map(double, [1, 2]), list(several_of_map()), triple(x=2)]


def several_of_map() -> list[tuple[int, str]]:
    """A helper that is no task."""
    return [(first, second) for first, second in flyte.map(several, [7])]


@env.task
async def from_asynchronous() -> list[object]:
    """An asynchronous parent of both kinds."""
    gathered = await asyncio.gather(double(1), triple.aio(1), double(x=2), several(3))
    return [*gathered, await nothing(), (await named.aio(2.5)).whole]


@env.task
async def blocks_the_loop() -> str:
    """A blocking call where the loop runs."""
    try:
        return str(triple(1))
    except flyte.errors.SyncTaskCallInAsyncContextError as error:
        return f"{error.code}: {error}"


@env.task
async def gives_defaults() -> list[str]:
    """Positional, by name, and left out."""
    return [
        await with_defaults(1),
        await with_defaults(1, 2),
        await with_defaults(b=3, a=1, c="x", d=[4]),
    ]


@env.task
async def wrong_calls() -> list[str]:
    """Calls that fit no interface."""
    said = []
    for call in (lambda: double(), lambda: double(1, 2), lambda: double(y=1), lambda: double("1")):
        try:
            await call()
        except (TypeError, ValueError) as error:
            said.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")
    return said


@env.task
async def add(x: int, y: int, z: int = 0) -> int:
    """Three numbers."""
    return x + y + z


@env.task
async def picky(x: int) -> int:
    """Dislikes 2."""
    if x == 2:
        raise ValueError("not 2")
    return x


@env.task
async def maps() -> list[object]:
    """flyte.map in its forms."""
    partials = [result async for result in flyte.map.aio(partial(add, 10, z=100), [1, 2, 3], concurrency=2)]
    zipped = [result async for result in flyte.map.aio(add, [1, 2, 3], [10, 20])]
    mixed = [result async for result in flyte.map.aio(picky, range(4), group_name="mixed")]
    endless = []
    async for result in flyte.map.aio(double, itertools.count(), concurrency=2):
        endless.append(result)
        if len(endless) == 3:
            break
    shown = [one if isinstance(one, int) else f"{type(one).__name__} {one.code} {one}" for one in mixed]
    return [partials, zipped, shown, endless, [one async for one in flyte.map.aio(double, [])]]


@env.task
def maps_synchronously() -> list[object]:
    """The same for synchronous code."""
    first = list(flyte.map(partial(add, y=1, z=1), [1, 2, 3], concurrency=1))
    try:
        list(flyte.map(picky, range(5), return_exceptions=False))
    except flyte.errors.RuntimeUserError as error:
        return [first, error.code]
    return [first, "nothing was raised"]


@env.task
async def occupied(number: int, ledger: str) -> int:
    """Writes down when it begins and ends."""
    write_down(ledger, number=number, what="begins")
    await asyncio.sleep(0.02)
    write_down(ledger, number=number, what="ends")
    return number


@env.task
async def in_a_window(count: int, window: int, ledger: str) -> list[int]:
    """Maps with a window."""
    return [one async for one in flyte.map.aio(partial(occupied, ledger=ledger), range(count), concurrency=window)]
