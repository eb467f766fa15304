"""An environment with a pool of replicas, and a task that leaves it."""

import asyncio
from datetime import timedelta

import flyte

env = flyte.TaskEnvironment(
    name="reusable",
    resources=flyte.Resources(memory="500Mi", cpu=1),
    reusable=flyte.ReusePolicy(replicas=(1, 2), concurrency=10, idle_ttl=60, scaledown_ttl=timedelta(minutes=1)),
)
driver = env.clone_with("reusable_driver", reusable=None, depends_on=[env])


@env.task
async def cheap(i: int) -> int:
    return i


@driver.task
async def main(n: int) -> int:
    values = await asyncio.gather(*[cheap(i) for i in range(n)])
    alone = await cheap.override(reusable="off", resources=flyte.Resources(cpu=2))(100)
    return sum(values) + alone


if __name__ == "__main__":
    flyte.init_from_config()
    assert driver.reusable is None and env.reusable.max_replicas == 2
    assert flyte.run(main, n=4).outputs()[0] == 106
