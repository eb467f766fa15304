"""A run of which one half is done when it is kept, and the other waits."""

import asyncio
from pathlib import Path

from notes import write_down

import flyte
from flyte.io import File

children = flyte.TaskEnvironment(name="kept_children", resources=flyte.Resources(cpu="250m"))
env = flyte.TaskEnvironment(name="kept", depends_on=[children])


@children.task
async def finished(ledger: str, text: str) -> File:
    """A file that is written once."""
    write_down(ledger, number=1)
    print(f"wrote {text}")
    Path("kept.txt").write_text(text)
    return await File.from_local("kept.txt")


@children.task
async def waiting(ledger: str, begun: str, go: str) -> int:
    """Ends once `go` is there."""
    write_down(ledger, number=2)
    write_down(begun, number=2)
    while not Path(go).exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.02)
    return 7


@env.task
async def both(ledger: str, begun: str, go: str) -> tuple[File, int]:
    """What is done, and what waits."""
    file = await finished(ledger, "first half")
    return file, await waiting(ledger, begun, go)
