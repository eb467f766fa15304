"""Tasks on warm replicas that wait for each other, hold on, die, and look around."""

import asyncio
import os
import signal
import time
from pathlib import Path

from notes import write_down

import flyte

SMALL = flyte.Resources(cpu="100m")
#: A replica and a slot, which is as tight as it gets.
TIGHT = flyte.ReusePolicy(replicas=1, concurrency=1, idle_ttl=120, scaledown_ttl=120)

tight = flyte.TaskEnvironment("pools_tight", resources=SMALL, reusable=TIGHT)
ping_pool = flyte.TaskEnvironment("pools_ping", resources=SMALL, reusable=TIGHT)
pong_pool = flyte.TaskEnvironment("pools_pong", resources=SMALL, reusable=TIGHT, depends_on=[ping_pool])
wide = flyte.TaskEnvironment(
    "pools_wide",
    resources=SMALL,
    reusable=flyte.ReusePolicy(replicas=1, concurrency=4, idle_ttl=120, scaledown_ttl=120),
)
calm = flyte.TaskEnvironment("pools_calm", resources=SMALL, reusable=TIGHT)
frail = flyte.TaskEnvironment("pools_frail", resources=SMALL, reusable=TIGHT)
several = flyte.TaskEnvironment(
    "pools_several",
    resources=SMALL,
    reusable=flyte.ReusePolicy(replicas=(0, 3), idle_ttl=120, scaledown_ttl=120),
)
starved = flyte.TaskEnvironment("pools_starved", resources=flyte.Resources(cpu="100m", memory="3Mi"), reusable=TIGHT)
plain = flyte.TaskEnvironment(
    "pools_plain", resources=SMALL, depends_on=[tight, ping_pool, pong_pool, wide, calm, frail, several]
)


@tight.task
def down(depth: int) -> int:
    """As deep as it is told to, one slot held at each level."""
    return 0 if depth == 0 else 1 + down(depth - 1)


@tight.task
async def adown(depth: int) -> int:
    """The same with slots that are lent."""
    return 0 if depth == 0 else 1 + await adown(depth - 1)


@tight.task
def down_by_turns(depth: int) -> int:
    """Synchronous, above a coroutine, above a synchronous one, and so on."""
    return 0 if depth == 0 else 1 + asyncio.run(up_by_turns(depth - 1))


@tight.task
async def up_by_turns(depth: int) -> int:
    """The other half of `down_by_turns`."""
    return 0 if depth == 0 else 1 + await down_by_turns.aio(depth - 1)


@tight.task
async def tree(depth: int, width: int) -> int:
    """The number of leaves below."""
    if depth == 0:
        return 1
    return sum(await asyncio.gather(*(tree(depth - 1, width) for _ in range(width))))


@tight.task
def sync_tree(depth: int, width: int) -> int:
    """The same by threads of a mapping."""
    if depth == 0:
        return 1
    return sum(value for value in flyte.map(sync_tree, [depth - 1] * width, [width] * width) if isinstance(value, int))


@ping_pool.task
def ping(depth: int) -> int:
    """Waits for the other pool, which waits for this one."""
    return 0 if depth == 0 else 1 + pong(depth - 1)


@pong_pool.task
def pong(depth: int) -> int:
    """The other half of `ping`."""
    return 0 if depth == 0 else 1 + ping(depth - 1)


@ping_pool.task
async def aping(depth: int) -> int:
    """The same with coroutines."""
    return 0 if depth == 0 else 1 + await apong(depth - 1)


@pong_pool.task
async def apong(depth: int) -> int:
    """The other half of `aping`."""
    return 0 if depth == 0 else 1 + await aping(depth - 1)


@ping_pool.task
def ping_tree(depth: int, width: int) -> int:
    """The number of leaves of a tree whose levels lie in both pools by turns."""
    if depth == 0:
        return 1
    return sum(value for value in flyte.map(pong_tree, [depth - 1] * width, [width] * width) if isinstance(value, int))


@pong_pool.task
def pong_tree(depth: int, width: int) -> int:
    """The other half of `ping_tree`."""
    if depth == 0:
        return 1
    return sum(value for value in flyte.map(ping_tree, [depth - 1] * width, [width] * width) if isinstance(value, int))


@plain.task
async def many_downs(depth: int, count: int) -> list[int]:
    """Several recursions that fight for the one slot."""
    return list(await asyncio.gather(*(down.aio(depth) for _ in range(count))))


kept: list[bytes] = []


@calm.task
def pass_by(mebibytes: int, seconds: float) -> int:
    """Leaves memory behind in a global; returns the process that it runs in."""
    kept.append(b"x" * (mebibytes << 20))
    time.sleep(seconds)
    return os.getpid()


@plain.task
async def passers_by(count: int, mebibytes: int, seconds: float) -> list[int]:
    """One after the other."""
    return [await pass_by.aio(mebibytes, seconds) for _ in range(count)]


@calm.task
def where(announcements: str) -> int:
    """The process that it runs in."""
    write_down(announcements)
    return os.getpid()


@frail.task(retries=0)
def hold(announcements: str) -> int:
    """Blocks in its first attempt; the next one returns."""
    write_down(announcements)
    if flyte.ctx().attempt_number == 0:
        time.sleep(600)
    return os.getpid()


@frail.task(retries=20)
def kill_replica() -> int:
    """Takes its replica down, each time."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


@wide.task
async def word(announcements: str, gate: str) -> list[str]:
    """A variable of its run, before and after another run has had the replica's time."""
    first = os.environ["WORD"]
    write_down(announcements)
    if gate:
        await asyncio.to_thread(Path(gate).read_text)
    return [first, os.environ["WORD"]]


arrived = 0
everybody = asyncio.Event()


async def meet() -> None:
    """Waits in its first attempt until all four are at work on this replica."""
    global arrived
    arrived += 1
    if arrived == 4:
        everybody.set()
    if flyte.ctx().attempt_number == 0:
        await everybody.wait()


@wide.task(retries=0)
async def neighbour(number: int) -> int:
    """At work while another kills the replica."""
    await meet()
    await asyncio.sleep(600 if flyte.ctx().attempt_number == 0 else 0)
    return number


@wide.task(retries=1)
async def bad_neighbour() -> int:
    """Ends the replica under all that share it."""
    await meet()
    os._exit(13)


@plain.task
async def neighbourhood() -> tuple[list[int], str]:
    """Neighbours, and how the bad one ended."""
    neighbours = asyncio.gather(*(neighbour(number) for number in range(3)))
    try:
        await bad_neighbour()
        ended = "well"
    except flyte.errors.BaseRuntimeError as error:
        ended = f"{error.code} {error}"
    return list(await neighbours), ended


@starved.task
def starve() -> int:
    """Never begins: its replicas have less memory than a worker takes before any task."""
    return 0


@several.task
def wait_a_while(number: int, seconds: float) -> int:
    """Holds a slot."""
    time.sleep(seconds)
    return number


@plain.task
async def crowd(count: int, seconds: float) -> list[int]:
    """More tasks than the pool has replicas."""
    return list(await asyncio.gather(*(wait_a_while.aio(number, seconds) for number in range(count))))
