"""Files and folders between tasks."""

import tempfile
from pathlib import Path

import flyte
from flyte.io import Dir, File

env = flyte.TaskEnvironment("data", resources=flyte.Resources(cpu="200m"))


@env.task
async def write_file(text: str) -> File:
    """A new file."""
    made = File.new_remote("said.txt")
    async with made.open("wb") as stream:
        await stream.write(text.encode())
    return made


@env.task
def write_folder(count: int) -> Dir:
    """A folder of files."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            (Path(folder) / f"{number}.txt").write_text(str(number))
        return Dir.from_local_sync(folder)


@env.task
async def read_all(file: File, folder: Dir) -> tuple[str, int]:
    """What is in them."""
    async with file.open("rb") as stream:
        text = bytes(await stream.read()).decode()
    local = Path(await folder.download())
    return text, sum(int(path.read_text()) for path in local.glob("*.txt"))


@env.task
async def pass_data() -> tuple[str, int]:
    """A file and a folder through children."""
    return await read_all(await write_file("hello, wörld"), await write_folder.aio(4))
