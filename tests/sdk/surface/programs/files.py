"""Files and folders by reference, written, read and walked in tasks."""

import os
import tempfile
from pathlib import Path

import flyte
from flyte.io import Dir, File

env = flyte.TaskEnvironment(name="files")


@env.task
async def write_file(content: str) -> File:
    f = File.new_remote()
    async with f.open("wb") as fh:
        await fh.write(content.encode("utf-8"))
    return f


@env.task
async def read_file(f: File) -> str:
    async with f.open("rb") as fh:
        return bytes(await fh.read()).decode("utf-8")


@env.task
def sync_round_trip(f: File) -> File:
    path = f.download_sync()
    with open(path) as fh:
        text = fh.read()
    out = File.new_remote(file_name="upper.txt")
    with out.open_sync("wb") as fh:
        fh.write(text.upper().encode())
    return out


@env.task
async def make_dir() -> Dir:
    folder = tempfile.mkdtemp()
    for name in ("a.txt", "b.txt"):
        Path(folder, name).write_text(name)
    os.mkdir(os.path.join(folder, "sub"))
    Path(folder, "sub", "c.txt").write_text("c")
    return await Dir.from_local(folder)


@env.task
async def names(d: Dir) -> list[str]:
    found = [file.name async for file in d.walk(recursive=True)]
    one = await d.get_file("a.txt")
    assert one is not None
    async with one.open() as fh:
        assert bytes(await fh.read()) == b"a.txt"
    assert await d.get_file("nope.txt") is None
    local = await d.download()
    assert sorted(os.listdir(local)) == ["a.txt", "b.txt", "sub"]
    return sorted(found)


@env.task
async def main() -> list[str]:
    f = await write_file("hello")
    assert await read_file(f) == "hello"
    up = await sync_round_trip.aio(f)
    assert await read_file(up) == "HELLO"
    local = Path(tempfile.mkdtemp(), "x.txt")
    local.write_text("from local")
    assert await read_file(await File.from_local(str(local))) == "from local"
    return await names(await make_dir())


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main).outputs()[0] == ["a.txt", "b.txt", "c.txt"]
