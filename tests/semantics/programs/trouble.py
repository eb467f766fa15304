"""Tasks that fail, and parents that say what they saw of it."""

import asyncio
import sys
from datetime import timedelta

from ledgers import write_down

import flyte
import flyte.errors

QUICK = flyte.Backoff(timedelta(milliseconds=1))
env = flyte.TaskEnvironment("trouble", resources=flyte.Resources(cpu="200m"))


class StockError(Exception):
    """The user's own."""


class SoldOut(flyte.errors.NonRecoverableError):
    """The user's own, and final."""


@env.task
async def fails(how: str) -> int:
    """Fails in many ways."""
    match how:
        case "own":
            raise StockError("nothing left")
        case "non-recoverable":
            raise flyte.errors.NonRecoverableError("for good")
        case "subclass":
            raise SoldOut("sold out")
        case "custom":
            raise flyte.errors.CustomError.from_exception(KeyError("k"))
        case "coded":
            raise flyte.errors.RuntimeUserError("MyCode", "with a code")
        case "exit":
            sys.exit(3)
        case "cancelled":
            raise asyncio.CancelledError
        case "cancels itself":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            return await asyncio.sleep(10, 0)
        case "stop":
            raise StopAsyncIteration
        case "wrong output":
            return "text"
        case _:
            raise AssertionError(how)


@env.task
def fails_synchronously(how: str) -> int:
    """The same, where no loop runs."""
    if how == "exit":
        sys.exit("bye")
    if how == "stop":
        raise StopIteration
    raise StockError(how)


@env.task
async def sees(how: list[str]) -> list[str]:
    """What a parent sees of failing children: class, code, kind, and message."""
    return [await shown(fails(one)) for one in how]


@env.task
async def sees_synchronous(how: list[str]) -> list[str]:
    """The same of synchronous children."""
    return [await shown(fails_synchronously.aio(one)) for one in how]


async def shown(child: object) -> str:
    """A failure as text."""
    try:
        return str(await child)
    except flyte.errors.BaseRuntimeError as error:
        return f"{type(error).__name__} {error.code} {error.kind}: {error}"


@env.task(retries=flyte.RetryStrategy(2, QUICK))
async def flaky(ledger: str, until: int, how: str) -> int:
    """Fails in its first attempts; returns its number."""
    write_down(ledger, said=flyte.ctx().attempt_number)
    if flyte.ctx().attempt_number < until:
        await fails.forward(how)
    return flyte.ctx().attempt_number


@env.task
async def retries(ledger: str, until: int, how: str) -> str:
    """What comes of a child with two retries."""
    return await shown(flaky(ledger, until, how))


@env.task
async def overridden(ledger: str) -> str:
    """Retries taken away by an override."""
    return await shown(flaky.override(retries=0)(ledger, 1, "own"))


@env.task(timeout=timedelta(milliseconds=300))
async def too_slow() -> None:
    """Runs too long."""
    await asyncio.sleep(60)


@env.task(timeout=flyte.Timeout(deadline=timedelta(milliseconds=900)), retries=flyte.RetryStrategy(1000, QUICK))
async def never_ready() -> None:
    """Fails until its time is over."""
    await asyncio.sleep(0.05)
    raise StockError("again")


@env.task
async def out_of_time() -> list[str]:
    """What a parent sees of children that are out of time."""
    seen = await asyncio.gather(shown(too_slow()), shown(never_ready()))
    return [one.partition(":")[0] for one in seen]


@env.task(max_inline_io_bytes=1000)
async def echo(text: str, times: int) -> str:
    """Gives back more than it was given."""
    return text * times


@env.task
async def too_much() -> list[str]:
    """Inputs and outputs over the inline limit."""
    seen = [await shown(echo("a" * 900, 1)), await shown(echo("a" * 1001, 1)), await shown(echo("a" * 900, 2))]
    return [one if "Error" not in one and "Breached" not in one else one.partition(":")[0] for one in seen]


@env.task(retries=flyte.RetryStrategy(1, QUICK))
async def fails_after_children(ledger: str) -> list[str]:
    """Has children, fails, and makes the same calls again."""
    good = await noted(ledger, "good")
    bad = await shown(noted(ledger, "bad"))
    if flyte.ctx().attempt_number == 0:
        raise StockError("after its children")
    return [good, bad]


@env.task
async def noted(ledger: str, word: str) -> str:
    """Writes down that it ran."""
    write_down(ledger, word=word)
    if word == "bad":
        raise StockError(word)
    return word


class Rejected(Exception):
    """One with more to it than its text."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


@env.task
async def is_rejected() -> None:
    """Fails with a class of its own."""
    raise Rejected(409)


@env.task
async def status_of_rejected() -> int:
    """What a parent reads off the exception of its child."""
    try:
        await is_rejected()
    except flyte.errors.RuntimeUserError as error:
        return getattr(error.__cause__, "status", 0)
    return 0
