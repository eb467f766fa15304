"""Data with hashes of its own, so that caches know it again."""

from typing import Annotated

import pandas as pd

import flyte
from flyte.io import DataFrame, Dir, File, HashFunction

env = flyte.TaskEnvironment(name="hashed_data", cache="auto")


def hash_of(df: pd.DataFrame) -> str:
    return str(pd.util.hash_pandas_object(df).sum())


@env.task(cache="disable")
async def frame() -> Annotated[pd.DataFrame, HashFunction.from_fn(hash_of)]:
    return pd.DataFrame({"a": [1, 2]})


@env.task
async def rows(df: pd.DataFrame) -> int:
    return len(df)


@env.task
async def write(text: str) -> File:
    f = File.new_remote(hash_method="sha256")
    async with f.open("wb") as fh:
        await fh.write(text.encode())
    return f


@env.task
async def size(f: File) -> int:
    async with f.open() as fh:
        return len(bytes(await fh.read()))


@env.task(cache="disable")
async def main() -> int:
    wrapped = await DataFrame.from_local(pd.DataFrame({"b": [1]}))
    assert len(await wrapped.open(pd.DataFrame).all()) == 1
    assert Dir.empty().is_empty
    existing = File.from_existing_remote("s3://bucket/key", file_cache_key="k")
    assert existing.hash == "k" and existing.name == "key"
    named = File.named_remote("named.txt")
    assert named.path == File.named_remote("named.txt").path
    return await rows(await frame()) + await size(await write("abc"))


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main).outputs()[0] == 5
