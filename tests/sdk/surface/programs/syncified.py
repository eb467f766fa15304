"""A library's own function with both faces, and storage from a task."""

import asyncio
import tempfile
from pathlib import Path

import flyte
import flyte.storage as storage
from flyte.syncify import syncify

env = flyte.TaskEnvironment(name="syncified")


@syncify
async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


class Client:
    @syncify
    async def ask(self, x: int) -> int:
        return x + 1

    @syncify
    @classmethod
    async def make(cls) -> "Client":
        return cls()


@syncify
async def count(n: int):
    for i in range(n):
        yield i


@env.task
async def main() -> int:
    client = await Client.make.aio()
    return await double.aio(3) + await client.ask.aio(1) + sum([i async for i in count.aio(3)])


if __name__ == "__main__":
    flyte.init_from_config()
    assert double(2) == 4 and Client.make().ask(1) == 2 and list(count(3)) == [0, 1, 2]
    assert flyte.run(main).outputs()[0] == 11
    target = Path(tempfile.mkdtemp(), "t.txt")
    Path(target.parent, "s.txt").write_text("x")
    asyncio.run(storage.put(str(target.parent / "s.txt"), str(target)))
    assert target.read_text() == "x" and storage.join("a", "b") == "a/b" and storage.is_remote("s3://a/b")
