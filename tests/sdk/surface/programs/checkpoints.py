"""A task that goes on where its earlier attempt stopped."""

import flyte

env = flyte.TaskEnvironment(name="checkpoints")


@env.task(retries=flyte.RetryStrategy(3))
async def resume() -> int:
    checkpoint = flyte.ctx().checkpoint
    path = await checkpoint.load()
    start = int(path.read_text()) if path is not None else 0
    for step in range(start, 6):
        await checkpoint.save(str(step + 1).encode())
        if step in (1, 3):
            raise RuntimeError("interrupted")
    return start


@env.task(retries=1)
def resume_sync() -> str:
    checkpoint = flyte.ctx().checkpoint
    found = checkpoint.load_sync()
    if found is None:
        checkpoint.save_sync(b"state")
        raise RuntimeError("first attempt")
    return found.read_bytes().decode()


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(resume).outputs()[0] == 4
    assert flyte.run(resume_sync).outputs()[0] == "state"
