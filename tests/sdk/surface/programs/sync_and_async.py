"""Sync tasks that call sync tasks and async ones, async tasks that call sync ones."""

import asyncio

import flyte
import flyte.errors

env = flyte.TaskEnvironment(name="sync_and_async")


@env.task
def sync_leaf(x: int) -> int:
    return x + 1


@env.task
async def async_leaf(x: int) -> int:
    await asyncio.sleep(0)
    return x * 2


@env.task
def sync_parent(x: int) -> int:
    return sync_leaf(x) + sync_leaf(x=x)


@env.task
async def async_parent(x: int) -> int:
    a, b = await asyncio.gather(sync_leaf.aio(x), async_leaf(x))
    try:
        sync_leaf(1)
    except flyte.errors.SyncTaskCallInAsyncContextError:
        pass
    return a + b + await sync_parent.aio(x)


@env.task
def recursive(n: int) -> int:
    return 1 if n <= 1 else n * recursive(n - 1)


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(sync_parent, 1).outputs()[0] == 4
    assert flyte.run(async_parent, 2).outputs()[0] == 3 + 4 + 6
    assert flyte.run(recursive, 5).outputs()[0] == 120
    assert sync_leaf(1) == 2 and asyncio.run(async_leaf(3)) == 6
    assert sync_leaf.forward(5) == 6

    async def programmatic() -> None:
        run = await flyte.run.aio(async_parent, x=1)
        await run.wait.aio()
        outputs = await run.outputs.aio()
        assert outputs[0] == 2 + 2 + 4
        run = await flyte.with_runcontext(mode="local").run.aio(async_leaf, x=4)
        assert (await run.outputs.aio())[0] == 8

    asyncio.run(programmatic())
