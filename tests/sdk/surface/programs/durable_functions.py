"""Time and sleep that are recorded."""

from datetime import datetime

import flyte
import flyte.durable

env = flyte.TaskEnvironment(name="durable_functions")


@env.task
async def asynchronous() -> float:
    start = await flyte.durable.time.aio()
    await flyte.durable.sleep.aio(0.01)
    now = await flyte.durable.now.aio()
    assert isinstance(now, datetime)
    return await flyte.durable.time.aio() - start


@env.task
def synchronous() -> float:
    start = flyte.durable.time()
    flyte.durable.sleep(0.01)
    return flyte.durable.time() - start


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(asynchronous).outputs()[0] >= 0.01
    assert flyte.run(synchronous).outputs()[0] >= 0.01
