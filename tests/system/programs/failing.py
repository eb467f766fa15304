"""Tasks that go wrong in every way that a user's code can."""

import asyncio
import ctypes
import os
import signal
import sys
import threading
import time
from datetime import timedelta

from notes import write_down

import flyte
import flyte.errors

env = flyte.TaskEnvironment(name="failing", resources=flyte.Resources(cpu="250m"))
warm = flyte.TaskEnvironment(
    name="failing_warm",
    resources=flyte.Resources(cpu="250m"),
    reusable=flyte.ReusePolicy(replicas=1, concurrency=1, idle_ttl=60, scaledown_ttl=60),
)
QUICKLY = flyte.Backoff(base=timedelta(milliseconds=10))


class OrderError(Exception):
    """An error that only this module knows."""


def _place(order: int) -> None:
    raise OrderError(f"order {order} cannot be placed")


@env.task
async def raises(order: int) -> int:
    """Fails two frames deep."""
    _place(order)
    return order


@env.task
def raises_with_cause(order: int) -> int:
    """Fails because of another failure."""
    try:
        _place(order)
    except OrderError as error:
        raise RuntimeError("no orders today") from error
    return order


@env.task
async def calls_what_raises(order: int) -> int:
    """Fails because its child fails."""
    return await raises(order)


@env.task
async def catches_what_raises(order: int) -> str:
    """Lives with the failure of its child."""
    try:
        await raises(order)
    except flyte.errors.RuntimeUserError as error:
        return f"{error.code}: {error}"
    return "nothing"


def _exit(code: int) -> None:
    sys.exit(code)


def _kill_self(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


WAYS = {
    "sys.exit": lambda: _exit(3),
    "os._exit": lambda: os._exit(3),
    "kill": lambda: _kill_self(signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "exit in a thread": lambda: _exit_in_a_thread(),
}


def _exit_in_a_thread() -> None:
    threading.Thread(target=lambda: os._exit(3)).start()
    time.sleep(60)


@env.task
def ends_itself(way: str, ledger: str) -> str:
    """Ends its own process."""
    write_down(ledger)
    WAYS[way]()
    return "still here"


@warm.task
def ends_its_replica(way: str, ledger: str) -> str:
    """Ends the replica that it runs on."""
    write_down(ledger)
    WAYS[way]()
    return "still here"


@warm.task
def fine(number: int) -> int:
    """Nothing wrong with this one."""
    return number


@env.task
async def ends_itself_while_awaiting(way: str, ledger: str) -> str:
    """The same in an async task, with another task on the loop."""
    write_down(ledger)
    beside = asyncio.ensure_future(asyncio.sleep(60))
    await asyncio.sleep(0)
    WAYS[way]()
    await beside
    return "still here"


@env.task
def returns_what_cannot_be_kept() -> object:
    """A lock cannot be serialised."""
    return threading.Lock()


@env.task
def returns_the_wrong_type() -> int:
    """Says int and gives text."""
    return "seven"  # type: ignore[return-value]


@env.task
def returns_too_few() -> tuple[int, str]:
    """Says two values and gives one."""
    return (1,)  # type: ignore[return-value]


@env.task(max_inline_io_bytes=1000)
def returns_too_much(size: int) -> str:
    """More than it may."""
    return "x" * size


@env.task(max_inline_io_bytes=1000)
def takes_little(text: str) -> int:
    """The length of a short text."""
    return len(text)


@env.task
async def passes_too_much(size: int) -> int:
    """Gives its child more than it takes."""
    return await takes_little.aio("x" * size)


@env.task
def large(size: int) -> str:
    """A value that does not travel inline."""
    return "x" * size


@env.task(retries=flyte.RetryStrategy(count=3, backoff=QUICKLY))
async def fails_until(success: int, ledger: str) -> int:
    """Succeeds in attempt number `success`."""
    write_down(ledger, at=time.time())
    attempt = flyte.ctx().attempt_number + 1
    if attempt < success:
        raise ValueError(f"attempt {attempt}")
    return attempt


@env.task(
    retries=flyte.RetryStrategy(
        count=3, backoff=flyte.Backoff(base=timedelta(seconds=0.2), factor=2.0, cap=timedelta(seconds=5))
    )
)
async def backs_off(ledger: str) -> None:
    """Fails always, and notes when."""
    write_down(ledger, at=time.time())
    raise ValueError("again")


@env.task(retries=flyte.RetryStrategy(count=5, backoff=QUICKLY))
async def gives_up(ledger: str) -> None:
    """Fails for good."""
    write_down(ledger)
    raise flyte.errors.NonRecoverableError("there is no such customer")


@env.task(timeout=1)
def sleeps_in_c(ledger: str) -> None:
    """Blocks outside of Python."""
    write_down(ledger)
    time.sleep(600)


@env.task(timeout=1)
def blocks_all_signals(ledger: str) -> None:
    """Blocks, and hears nothing, for longer than it may."""
    _hear_nothing(ledger)


@env.task
def deaf(ledger: str) -> None:
    """Blocks, and hears nothing."""
    _hear_nothing(ledger)


def _hear_nothing(ledger: str) -> None:
    write_down(ledger)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        try:
            time.sleep(600)
        except BaseException:
            continue


@env.task(timeout=1)
async def awaits_for_ever(ledger: str) -> None:
    """Waits on the loop."""
    write_down(ledger)
    await asyncio.sleep(600)


@env.task(timeout=1)
async def refuses_to_be_cancelled(ledger: str) -> None:
    """Waits on the loop, and starts again when it is cancelled."""
    write_down(ledger)
    while True:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            continue


@warm.task(timeout=1)
def sleeps_on_a_replica(ledger: str) -> None:
    """Blocks a replica."""
    write_down(ledger)
    time.sleep(600)


@env.task
async def child(number: int, ledger: str) -> int:
    """Notes that it ran."""
    write_down(ledger, number=number)
    return number


@env.task(retries=flyte.RetryStrategy(count=1, backoff=QUICKLY))
async def parent_that_fails_once(count: int, ledger: str) -> int:
    """Makes all its children, fails, and makes them again."""
    numbers = await asyncio.gather(*(child(number, ledger) for number in range(count)))
    if flyte.ctx().attempt_number == 0:
        raise ValueError("after all the work")
    return sum(numbers) + await child(count, ledger)
