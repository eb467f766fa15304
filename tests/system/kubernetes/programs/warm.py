"""Tasks whose replicas are pods, and callers that are pods of their own."""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from boards import Line, tell

import flyte
from flyte.io import File

SMALL = flyte.Resources(cpu=("20m", "1"), memory=("60Mi", "250Mi"))

#: Set by the first task of a process, and seen by every later one.
MODEL: list[float] = []

env = flyte.TaskEnvironment(
    name="warm",
    resources=SMALL,
    reusable=flyte.ReusePolicy(replicas=2, concurrency=5, idle_ttl=120, scaledown_ttl=120),
)
brief = flyte.TaskEnvironment(
    name="brief",
    resources=SMALL,
    reusable=flyte.ReusePolicy(replicas=1, concurrency=4, idle_ttl=30, scaledown_ttl=30),
)
callers = flyte.TaskEnvironment(name="callers", resources=SMALL, depends_on=[env])


@env.task(retries=0)
async def square(number: int, board: str, seconds: float) -> int:
    """One child; says whether it found the model loaded."""
    found = bool(MODEL)
    if not found:
        MODEL.append(time.monotonic())
    tell(board, number=number, warm=found)
    await asyncio.sleep(seconds)
    tell(board, word="done")
    return number * number


@callers.task(retries=0)
async def sum_of_squares(count: int, board: str, seconds: float) -> int:
    """The sum of the squares below `count`, each of them computed on a replica."""
    return sum(await asyncio.gather(*(square(number, board, seconds) for number in range(count))))


@env.task(retries=0)
async def waits_once(board: str) -> int:
    """The first attempt waits for ever; the next ones return their number."""
    tell(board)
    attempt = flyte.ctx().attempt_number + 1
    if attempt == 1:
        await asyncio.sleep(3600)
    return attempt


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


@env.task(retries=0)
async def dies(board: str, code: int) -> int:
    """Takes its replica down."""
    tell(board)
    os._exit(code)


@env.task(retries=0)
async def hungry(board: str, megabytes: int) -> int:
    """Takes memory that it may not have."""
    tell(board)
    return len(bytearray(os.urandom(1024)) * (megabytes * 1024))


@brief.task
async def says_hello(board: str) -> str:
    """A task on a replica that is gone soon after it."""
    tell(board)
    return "hello"


@env.task
async def shout(source: File, letters: int) -> tuple[File, str]:
    """A file and a large value, read and written on a replica beside others that do the same."""
    async with source.open("rb") as stream:
        said = bytes(await stream.read())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shouted.txt"
        path.write_bytes(said.upper())
        return await File.from_local(str(path)), "x" * letters


@callers.task
async def shouts(source: File, letters: int, count: int) -> tuple[list[File], int]:
    """Several at once."""
    said = await asyncio.gather(*(shout(source, letters) for _ in range(count)))
    return [file for file, _text in said], sum(len(text) for _file, text in said)


deep = flyte.TaskEnvironment(
    name="deep",
    resources=SMALL,
    reusable=flyte.ReusePolicy(replicas=1, concurrency=1, idle_ttl=60, scaledown_ttl=60),
)


@deep.task(retries=0)
async def depth_of(levels: int) -> int:
    """Calls itself, and waits for what it calls, in a pool that has room for one."""
    return 1 + await depth_of(levels - 1) if levels else 0


@deep.task(retries=0)
def depth_of_synchronous(levels: int) -> int:
    """The same as plain functions."""
    return 1 + depth_of_synchronous(levels - 1) if levels else 0


@callers.task(retries=0)
async def crowd(board: str, count: int) -> int:
    """Many that wait, for ever."""
    return sum(await asyncio.gather(*(square(number, board, 3600.0) for number in range(count))))


SECRETS = [
    flyte.Secret(key="WARM_SECRET"),
    flyte.Secret(key="WARM_SECRET_FILE", mount=Path("/etc/flyte/secrets")),
]
with_secrets = flyte.TaskEnvironment(
    name="warm-with-secrets",
    resources=SMALL,
    secrets=SECRETS,
    reusable=flyte.ReusePolicy(replicas=1, concurrency=2, idle_ttl=60, scaledown_ttl=60),
)


@with_secrets.task
async def reads_secrets(number: int) -> list[int]:
    """The lengths of a secret in a variable and of one in a file; prints both."""
    in_file = Path("/etc/flyte/secrets/WARM_SECRET_FILE").read_text()
    print(f"{number}: they are {os.environ['WARM_SECRET']} and {in_file}")
    return [len(os.environ["WARM_SECRET"]), len(in_file), os.getpid()]
