"""What the platform offers, each used the way a program would."""

import asyncio
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from notes import write_down
from pydantic import BaseModel

import flyte
import flyte.remote
from flyte.io import Dir, File

env = flyte.TaskEnvironment(
    name="features", resources=flyte.Resources(cpu="250m"), env={"LEVEL": "environment", "KEPT": "yes"}
)
cached = flyte.TaskEnvironment(name="features_cached", resources=flyte.Resources(cpu="250m"), cache="auto")
warm = flyte.TaskEnvironment(
    name="features_warm",
    resources=flyte.Resources(cpu="250m"),
    reusable=flyte.ReusePolicy(replicas=1, concurrency=1, idle_ttl=60, scaledown_ttl=60),
)
parents = flyte.TaskEnvironment(
    name="features_parents", resources=flyte.Resources(cpu="250m"), depends_on=[env, cached, warm]
)


class Colour(Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Point:
    """Two numbers."""

    x: int
    y: float


@dataclass(frozen=True)
class Shape:
    """A record that holds records."""

    name: str
    points: list[Point]
    colour: Colour
    seen: datetime
    notes: dict[str, str | None]


class Order(BaseModel):
    """A model."""

    customer: str
    amounts: dict[str, int]
    corner: Point | None = None


class Pair(NamedTuple):
    """Two values with names."""

    total: int
    text: str


@env.task
async def through(
    shape: Shape, order: Order, numbers: list[int], table: dict[str, list[float]]
) -> tuple[Shape, Order, list[int], dict[str, list[float]]]:
    """Gives back what it was given, after seeing that it is what it says."""
    if not (isinstance(shape.points[0], Point) and isinstance(order, Order) and isinstance(shape.colour, Colour)):
        raise TypeError("the values lost their types")
    return shape, order, numbers, table


@parents.task
async def all_types() -> list[str]:
    """Sends values through a child and says which came back as others."""
    points, seen = [Point(1, 0.5), Point(2, 1e300)], datetime(2026, 1, 2, tzinfo=UTC)
    shape = Shape("triangle", points, Colour.BLUE, seen, {"a": None})
    order = Order(customer="Ö & 好", amounts={"tea": 2**40}, corner=Point(0, -1.0))
    sent = (shape, order, [1, -2, 2**62], {"": [], "x": [0.1]})
    back = await through(*sent)
    return [repr(one) for one, other in zip(sent, back, strict=True) if one != other]


@env.task
def named(n: int) -> Pair:
    """A pair, synchronous."""
    return Pair(total=n, text=str(n))


@env.task
def double(n: int) -> int:
    """Synchronous."""
    return 2 * n


@env.task
async def triple(n: int) -> int:
    """Asynchronous."""
    return 3 * n


@parents.task
def synchronous_parent(n: int) -> int:
    """A synchronous task that calls synchronous tasks."""
    return double(n) + double(n + 1)


@parents.task
async def gathers(n: int) -> list[int]:
    """Children of both kinds, all at once."""
    return list(await asyncio.gather(*(double.aio(i) if i % 2 else triple(i) for i in range(n))))


@parents.task
def maps(n: int) -> list[int]:
    """flyte.map over a synchronous task."""
    return list(flyte.map(double, range(n)))


@env.task
def picky(n: int) -> int:
    """Dislikes 3."""
    if n == 3:
        raise ValueError("not 3")
    return n


@parents.task
async def maps_with_failures(n: int) -> list[str]:
    """Failures are results of a map."""
    results = [result async for result in flyte.map.aio(picky, range(n), concurrency=2)]
    return [type(result).__name__ for result in results]


@cached.task
async def costly(n: int, ledger: str) -> int:
    """Notes that it was computed."""
    write_down(ledger, n=n)
    return n * n


@cached.task
async def costly_parent(count: int, ledger: str) -> int:
    """A cached task over cached tasks."""
    write_down(ledger, n=-1)
    return sum(await asyncio.gather(*(costly(n, ledger) for n in range(count))))


@parents.task
async def uncached_parent(count: int, ledger: str) -> int:
    """Runs always; its children are cached."""
    return sum(await asyncio.gather(*(costly(n, ledger) for n in range(count))))


_calls = 0


@warm.task
async def count_calls() -> tuple[int, int]:
    """Process id, and how often this process was called."""
    global _calls
    _calls += 1
    return os.getpid(), _calls


@warm.task
def spoil() -> int:
    """Changes what the next task must not see."""
    os.environ["SPOILED"] = "yes"
    os.chdir("/")
    Path(tempfile.mkdtemp()).joinpath("left").touch()
    return os.getpid()


@warm.task
def look() -> tuple[int, str, str, int]:
    """Process id, a variable, the working folder's name, and how much lies in the temporary folder."""
    return os.getpid(), os.environ.get("SPOILED", ""), os.getcwd(), len(os.listdir(tempfile.gettempdir()))


@parents.task
async def counts_one_after_another(times: int) -> list[list[int]]:
    """Calls the warm task again and again."""
    return [list(await count_calls()) for _ in range(times)]


@parents.task
async def spoils_and_looks() -> bool:
    """Whether a task on the same replica sees nothing of the one before it."""
    pid, variable, folder, files = await _spoil_then_look()
    return bool(pid) and variable == "" and folder != "/" and files == 0


async def _spoil_then_look() -> tuple[int, str, str, int]:
    spoiled = await spoil.aio()
    seen = await look.aio()
    if seen[0] != spoiled:
        raise RuntimeError("the two ran on different replicas")
    return seen


@env.task
async def shout(source: File) -> File:
    """A file with the content of another, in capitals."""
    async with source.open("rb") as stream:
        content = bytes(await stream.read())
    made = File.new_remote("shouted.txt")
    async with made.open("wb") as stream:
        await stream.write(content.upper())
    return made


@env.task
async def write_folder(count: int) -> Dir:
    """A folder of files."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            (Path(folder) / f"{number}.txt").write_text(str(number))
        return await Dir.from_local(folder)


@env.task
async def read_folder(folder: Dir) -> int:
    """The sum of what stands in a folder's files."""
    local = Path(await folder.download())
    return sum(int(path.read_text()) for path in local.glob("*.txt"))


@parents.task
async def files(source: File, count: int) -> tuple[File, int]:
    """A file and a folder through children."""
    return await shout(source), await read_folder(await write_folder(count))


@env.task
async def variables(names: list[str]) -> dict[str, str]:
    """Variables of the environment that are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


@parents.task
async def overridden() -> list[dict[str, str]]:
    """The same task under three settings."""
    names = ["LEVEL", "KEPT"]
    return [
        await variables(names),
        await variables.override(env={"LEVEL": "override"})(names),
        await variables.override(env={})(names),
    ]


@parents.task
async def retried_by_override(ledger: str) -> int:
    """Gives a child retries that its decorator does not."""
    return await fails_first.override(retries=2)(ledger)


@env.task
async def fails_first(ledger: str) -> int:
    """Fails twice."""
    write_down(ledger)
    attempt = flyte.ctx().attempt_number + 1
    if attempt < 3:
        raise ValueError("not yet")
    return attempt


@env.task
def surroundings() -> dict[str, str]:
    """Where an attempt finds itself."""
    here = os.getcwd()
    Path("left behind").touch()
    (Path(tempfile.gettempdir()) / "left behind").touch()
    return {"cwd": here, "temp": tempfile.gettempdir(), "TMPDIR": os.environ["TMPDIR"]}


@parents.task
async def two_surroundings() -> list[dict[str, str]]:
    """Two attempts beside each other."""
    return list(await asyncio.gather(surroundings.aio(), surroundings.aio()))


@env.task
def talks(lines: int) -> int:
    """Prints to both streams, also from a process of its own, and without an end of line at the end."""
    for number in range(lines):
        print(f"line {number}")
    os.system("echo from a child process")
    os.write(2, "to the error stream, ö\n".encode())
    print("without an end", end="")
    return lines


@env.task(retries=flyte.RetryStrategy(count=1, backoff=None))
def talks_twice() -> int:
    """Prints in each attempt and fails in the first."""
    attempt = flyte.ctx().attempt_number + 1
    print(f"attempt {attempt}")
    if attempt == 1:
        raise ValueError("first")
    return attempt


@env.task
async def waits(announcements: str) -> None:
    """Waits to be aborted."""
    write_down(announcements)
    await asyncio.sleep(600)


@env.task(secrets="SYSTEM_TEST_SECRET")
def reads_secret() -> int:
    """The length of a secret, which it also prints."""
    value = os.environ["SYSTEM_TEST_SECRET"]
    print(f"the secret is {value}")
    return len(value)


@env.task(secrets="SECRET_THAT_IS_NOT_THERE")
def needs_missing_secret() -> int:
    """Never runs."""
    return 1


@env.task
def cannot_see_secret() -> str:
    """A task that did not ask for the secret."""
    return os.environ.get("SYSTEM_TEST_SECRET", "nothing")


limited = flyte.TaskEnvironment(name="features_limited", resources=flyte.Resources(cpu="250m", memory="200Mi"))


@limited.task
def uses_memory(mebibytes: int) -> int:
    """Fills memory with something that is no zero."""
    return len(os.urandom(1024 * 1024) * mebibytes)


@env.task(report=True, retries=1)
async def writes_a_report(fails_first: bool) -> str:
    """Writes a report, another one in its second attempt."""
    attempt = flyte.ctx().attempt_number
    flyte.report.log(f"<b>attempt {attempt}</b>", do_flush=True)
    if fails_first and attempt == 0:
        raise ValueError("after the report")
    return "done"


@env.task(retries=1)
async def calls_by_name(number: int) -> list[object]:
    """Calls deployed tasks, in a second attempt the same version again."""
    named = flyte.remote.Task.get("deployed.double", auto_version="latest")
    found = [await named(number), await named.aio(x=number + 1)]
    changed = (await named.fetch.aio()).override(env_vars={"FACTOR": "10"})
    found.append(await changed(number))
    if flyte.ctx().attempt_number == 0:
        write_down(f"deployed {number}")
        raise ValueError("after the calls")
    return found


@env.task
def calls_by_name_synchronously(number: int) -> int:
    """Calls a deployed task and waits for it."""
    found: int = flyte.remote.Task.get("deployed.double", auto_version="latest")(number)
    return found


@warm.task
async def logs(x: int) -> int:
    flyte.logger.debug("debug %s", x)
    flyte.logger.info("info %s", x)
    return x
