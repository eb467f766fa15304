"""Files and folders between tasks."""

import tempfile
from pathlib import Path

import flyte
import flyte.report
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
async def empty_folder() -> Dir:
    """A folder without files."""
    with tempfile.TemporaryDirectory() as folder:
        return await Dir.from_local(folder)


@env.task
async def look_into(folder: Dir) -> list[str]:
    """The names of the files of a copy."""
    return [path.name for path in Path(await folder.download()).iterdir()]


@env.task
async def log_without_a_report() -> list[str]:
    """Logs as a task with a report would; nothing is written, and nothing fails."""
    flyte.report.log("<p>main</p>", do_flush=True)
    with flyte.group("inside"):
        flyte.report.get_tab("Chart").log("<svg/>")
    await flyte.report.flush.aio()
    return [flyte.report.get_tab("Chart", create_if_missing=False).get_html(), *flyte.ctx().report.tabs]


@env.task
async def read_near_paths(file: File, folder: Dir) -> tuple[str, int]:
    """What lies at paths that were given from the working folder of whoever gave them."""
    async with file.open("r") as stream:
        return await stream.read(), len(await folder.list_files())


@env.task
async def leave_behind(name: str) -> tuple[File, Dir]:
    """What lies in the working folder of the attempt."""
    folder = Path(name)
    folder.mkdir()
    (folder / "a.txt").write_text("here")
    return File(path=f"{name}/a.txt"), Dir(path=name)


@env.task
async def read_what_was_left(name: str) -> tuple[str, int]:
    """The same, read by another task."""
    return await read_near_paths(*await leave_behind(name))


@env.task
async def look_at_nothing() -> tuple[list[str], list[str]]:
    """An empty folder, and the report of a task that has none."""
    return await look_into(await empty_folder()), await log_without_a_report()


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
