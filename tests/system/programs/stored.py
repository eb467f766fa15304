"""Values, files and folders that are too large or too many to travel along."""

import asyncio
from pathlib import Path

import flyte
from flyte.io import Dir, File

LARGE = 400_000

env = flyte.TaskEnvironment(name="stored", resources=flyte.Resources(cpu="250m"))
warm = flyte.TaskEnvironment(
    name="stored_warm",
    resources=flyte.Resources(cpu="250m"),
    reusable=flyte.ReusePolicy(replicas=1, idle_ttl=60, scaledown_ttl=60),
)
parents = flyte.TaskEnvironment(name="stored_parents", resources=flyte.Resources(cpu="250m"), depends_on=[env, warm])


@env.task
async def write(text: str) -> File:
    """A file; says what it does."""
    print(f"writing {len(text)} characters")
    Path("written.txt").write_text(text)
    return await File.from_local("written.txt")


@warm.task
async def copy(file: File) -> Dir:
    """A folder with copies of a file, made by a replica."""
    content = Path(await file.download()).read_text()
    folder = Path("copies", "deep")
    folder.mkdir(parents=True)
    (folder / "b.txt").write_text(content.upper())
    (folder.parent / "a b.txt").write_text(content)
    return await Dir.from_local("copies")


@parents.task
async def main(text: str) -> tuple[File, Dir, str]:
    """All of it; the last output is a large value."""
    file = await write(text)
    return file, await copy(file), text + text


@env.task
async def write_later(begun: str, go: str) -> File:
    """A file, written once `go` is there."""
    print("waiting")
    Path(begun).touch()
    while not Path(go).exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.05)
    Path("late.txt").write_text("late")
    return await File.from_local("late.txt")
