"""What one attempt leaves for the next: traced calls, checkpoints, the durable clock."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

from ledgers import write_down

import flyte
import flyte.durable
import flyte.errors

env = flyte.TaskEnvironment("memory", resources=flyte.Resources(cpu="200m"))
RETRIES = flyte.RetryStrategy(3, flyte.Backoff(timedelta(milliseconds=1)))


@flyte.trace
async def fetch(ledger: str, x: int) -> dict[str, int]:
    """Traced coroutine."""
    write_down(ledger, traced=f"fetch {x}")
    return {"x": x, "call": flyte.ctx().attempt_number}


@flyte.trace
def compute(ledger: str, x: int) -> int:
    """Traced function."""
    write_down(ledger, traced=f"compute {x}")
    return x + 1


@flyte.trace
async def stream(ledger: str, n: int) -> AsyncIterator[int]:
    """Traced async generator."""
    for item in range(n):
        write_down(ledger, traced=f"stream {item}")
        yield item


@flyte.trace
def items(ledger: str, n: int) -> Iterator[int]:
    """Traced generator."""
    for item in range(n):
        write_down(ledger, traced=f"items {item}")
        yield item


@flyte.trace
async def fails_once(ledger: str) -> int:
    """Failures are not remembered."""
    write_down(ledger, traced="fails_once")
    if flyte.ctx().attempt_number == 0:
        raise ValueError("first")
    return flyte.ctx().attempt_number


@env.task(retries=RETRIES)
async def traced(ledger: str) -> list[object]:
    """Makes traced calls, the same twice, and fails until its third attempt."""
    found: list[object] = [await fetch(ledger, 1), await fetch(ledger, 1), await fetch(ledger, 2), compute(ledger, 5)]
    found.append([item async for item in stream(ledger, 2)])
    found.append(list(items(ledger, 2)))
    found.append(await fails_once(ledger))
    if flyte.ctx().attempt_number < 2:
        raise ValueError("again")
    return found


@env.task
async def child(x: int) -> int:
    """A task."""
    return x


@flyte.trace
async def calls_a_task() -> int:
    """What a traced function must not do."""
    return await child(1)


@env.task
async def task_in_trace() -> str:
    """What it is told."""
    try:
        return str(await calls_a_task())
    except flyte.errors.TraceDoesNotAllowNestedTasksError as error:
        return error.code


@env.task(retries=RETRIES)
async def keeps_bytes() -> list[object]:
    """Counts in a checkpoint; an attempt that saves nothing takes nothing away."""
    checkpoint = flyte.ctx().checkpoint
    attempt = flyte.ctx().attempt_number
    found = await checkpoint.load()
    before = b"" if found is None else found.read_bytes()
    if attempt == 0:
        existed = checkpoint.prev_exists()
        await checkpoint.save(b"lost")
        await checkpoint.save(b"first" if not existed else b"wrong")
        saved = await checkpoint.load()
        raise ValueError(saved.read_text())
    if attempt == 1:
        raise ValueError("saves nothing")
    return [attempt, before.decode(), checkpoint.prev_exists()]


@env.task(retries=RETRIES)
def keeps_folder() -> list[str]:
    """Keeps a folder, and then a file."""
    checkpoint = flyte.ctx().checkpoint
    found = checkpoint.load_sync()
    attempt = flyte.ctx().attempt_number
    with tempfile.TemporaryDirectory() as folder:
        if attempt == 0:
            inner = Path(folder) / "a" / "b"
            inner.mkdir(parents=True)
            (inner / "last.ckpt").write_text("epoch 3")
            checkpoint.save_sync(folder)
            raise ValueError("after the folder")
        if attempt == 1:
            latest = flyte.latest_checkpoint(found)
            assert latest is not None
            file = Path(folder) / "model.bin"
            file.write_text(latest.read_text() + ", 4")
            checkpoint.save_sync(file)
            raise ValueError("after the file")
    return [found.name, found.read_text()]


@env.task(retries=RETRIES)
async def keeps_time() -> dict[str, object]:
    """Sees the time of its first attempt, and sleeps once for all attempts."""
    seen = flyte.durable.time()
    also = await flyte.durable.time.aio()
    moment = flyte.durable.now()
    began = time.monotonic()
    await flyte.durable.sleep.aio(1.0)
    slept = time.monotonic() - began
    checkpoint = flyte.ctx().checkpoint
    if flyte.ctx().attempt_number == 0:
        await checkpoint.save(f"{seen} {also} {moment.isoformat()}".encode())
        raise ValueError("after its sleep")
    before = (await checkpoint.load()).read_text()
    return {"same": before == f"{seen} {also} {moment.isoformat()}", "slept": slept}


@env.task(retries=RETRIES)
def sleeps_synchronously() -> float:
    """The same where nothing is awaited."""
    began = time.monotonic()
    flyte.durable.sleep(1.0)
    slept = time.monotonic() - began
    if flyte.ctx().attempt_number == 0:
        raise ValueError("after its sleep")
    return slept


@env.task
async def sleeps_on_the_loop() -> str:
    """A blocking sleep where the loop runs."""
    try:
        flyte.durable.sleep(0.01)
    except flyte.errors.SyncTaskCallInAsyncContextError as error:
        return error.code
    await asyncio.sleep(0)
    return "it slept"
