"""Tasks that start processes of their own, in every way in which a process can slip away from its parent."""

import asyncio
import os
import subprocess
import time

from notes import write_down

import flyte

fresh = flyte.TaskEnvironment(name="households_fresh", resources=flyte.Resources(cpu="250m"))
warm = flyte.TaskEnvironment(
    name="households_warm",
    resources=flyte.Resources(cpu="250m"),
    reusable=flyte.ReusePolicy(replicas=1, concurrency=1, idle_ttl=60, scaledown_ttl=60),
)
parents = flyte.TaskEnvironment(name="households", depends_on=[fresh, warm], resources=flyte.Resources(cpu="250m"))


def start_household() -> dict[str, int]:
    """Starts a child, a child with a session of its own, and a daemon that shares nothing with this process."""
    child = subprocess.Popen(["sleep", "600"])
    with_session = subprocess.Popen(["sleep", "600"], start_new_session=True)
    return {"child": child.pid, "with_session": with_session.pid, "daemon": _daemon()}


def _daemon() -> int:
    reading, writing = os.pipe()
    if (forked := os.fork()) == 0:
        os.setsid()
        if (pid := os.fork()) != 0:
            os.write(writing, str(pid).encode())
            os._exit(0)
        os.chdir("/")
        os.execve("/bin/sleep", ["sleep", "600"], {})
    os.waitpid(forked, 0)
    return int(os.read(reading, 32))


@fresh.task
def fresh_household(announcements: str, stays: bool = True) -> str:
    """Starts processes in a worker of its own, and blocks if it is to stay."""
    write_down(announcements, processes=start_household())
    time.sleep(600 if stays else 0)
    return "left them behind"


@warm.task
def warm_household(announcements: str, stays: bool = True) -> str:
    """The same on a replica."""
    write_down(announcements, processes=start_household())
    time.sleep(600 if stays else 0)
    return "left them behind"


@parents.task
async def street(announcements: str, count: int, below: int) -> None:
    """Households below this action, some of them one level deeper."""
    write_down(announcements, processes={})
    deeper = [street(announcements, count, below - 1)] if below else []
    await asyncio.gather(*(fresh_household.aio(announcements) for _ in range(count)), *deeper)


@fresh.task
def patient(announcements: str, number: int) -> int:
    """Blocks in its first attempt until it is killed, and returns at once in the next."""
    first = flyte.ctx().attempt_number == 0
    write_down(announcements, number=number, processes=start_household() if first else {})
    time.sleep(600 if first else 0)
    return number


@warm.task
def warm_patient(announcements: str, number: int) -> int:
    """The same on a replica."""
    first = flyte.ctx().attempt_number == 0
    write_down(announcements, number=number, processes=start_household() if first else {})
    time.sleep(600 if first else 0)
    return number
