"""Tasks that end in every way that a pod can."""

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

from boards import Line, tell

import flyte

SMALL = flyte.Resources(cpu=("20m", "1"), memory=("60Mi", "200Mi"))
env = flyte.TaskEnvironment(name="endings", resources=SMALL)
QUICKLY = flyte.RetryStrategy(count=1, backoff=flyte.Backoff(base=timedelta(milliseconds=10)))


@env.task
async def raises(text: str) -> int:
    """Fails as programs do."""
    raise ValueError(text)


@env.task
async def exits(code: int) -> int:
    """Ends its process without a word."""
    os._exit(code)


@env.task
async def killed_at_first(board: str) -> int:
    """The first attempt dies of a signal; the number of the attempt that does not."""
    attempt = flyte.ctx().attempt_number + 1
    tell(board)
    if attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt


@env.task(retries=QUICKLY, resources=flyte.Resources(cpu=("20m", "1"), memory="120Mi"))
async def hungry(board: str, megabytes: int) -> int:
    """Takes memory that it may not have."""
    tell(board)
    return len(bytearray(os.urandom(1024)) * (megabytes * 1024))


@env.task(retries=0)
async def waits(board: str, seconds: float) -> int:
    """Says that it runs, takes its time, and returns the number of its attempt."""
    tell(board)
    await asyncio.sleep(seconds)
    return flyte.ctx().attempt_number + 1


@env.task(retries=0)
async def waits_once(board: str) -> int:
    """The first attempt waits for ever; the next ones return their number."""
    tell(board)
    attempt = flyte.ctx().attempt_number + 1
    if attempt == 1:
        await asyncio.sleep(3600)
    return attempt


@env.task(retries=1, resources=flyte.Resources(cpu=("20m", "1"), memory=("60Mi", "200Mi"), disk="20Mi"))
async def fills_its_disk_once(board: str) -> int:
    """The first attempt writes more than its disk may hold, and waits; the next ones return their number."""
    tell(board)
    attempt = flyte.ctx().attempt_number + 1
    if attempt == 1:
        Path("/tmp/too-much").write_bytes(bytes(60 * 1024 * 1024))
        await asyncio.sleep(3600)
    return attempt


@env.task(retries=0, timeout=2)
async def takes_too_long(board: str) -> int:
    """Runs for longer than it may."""
    tell(board)
    await asyncio.sleep(3600)
    return 1


@env.task(retries=0)
async def pings_once(board: str) -> int:
    """The first attempt pings for ever, over one connection; the next ones ping once and return their number."""
    attempt = flyte.ctx().attempt_number + 1
    line = Line(board)
    line.tell()
    while attempt == 1:
        await asyncio.sleep(0.1)
        line.tell(word="ping")
    return attempt


@env.task
async def crowd(board: str, count: int) -> int:
    """Many that wait."""
    return sum(await asyncio.gather(*(waits(board, 3600.0 + number) for number in range(count))))


@env.task(resources=flyte.Resources(cpu=1000, memory="60Mi"), timeout=flyte.Timeout(max_queued_time=3600))
async def far_too_large() -> int:
    """No node has room for it."""
    return 1


NOWHERE = flyte.PodTemplate(pod_spec={"nodeSelector": {"example.com/there-is": "no-such-node"}})


@env.task(pod_template=NOWHERE, timeout=flyte.Timeout(max_queued_time=4))
async def nowhere() -> int:
    """No node is labelled as it asks for, and it does not wait for long."""
    return 1


never = flyte.TaskEnvironment(
    name="never_pulled",
    resources=SMALL,
    image="flyteplane/no-such-image:1",
    pod_template=flyte.PodTemplate(pod_spec={"containers": [{"name": "primary", "imagePullPolicy": "Never"}]}),
)


@never.task(retries=3)
async def no_such_image() -> int:
    """Its image is not on the node and must not be pulled."""
    return 1


# Nobody listens there, and no name has to be looked up.
silent = flyte.TaskEnvironment(name="silent_registry", resources=SMALL, image="127.0.0.1:1/some/image:1")


@silent.task(retries=0)
async def registry_is_silent() -> int:
    """The registry of its image does not answer."""
    return 1
