"""Everything that can be overridden at the call."""

import os
from datetime import timedelta
from pathlib import Path

import flyte

env = flyte.TaskEnvironment(
    name="overrides",
    resources=flyte.Resources(cpu=1, memory="512Mi"),
    secrets=[flyte.Secret("api-key", as_env_var="API_KEY"), "other"],
    env_vars={"A": "1"},
    queue="default",
    cache="disable",
)


@env.task(retries=3, timeout=timedelta(minutes=5), max_inline_io_bytes=1024 * 1024, interruptible=True)
async def work(x: int) -> int:
    return x


@env.task
async def main() -> int:
    heavy = work.override(
        short_name="heavy",
        resources=flyte.Resources(cpu="500m", memory="1Gi", gpu=flyte.GPU("T4", 1)),
        cache=flyte.Cache("override", version_override="1"),
        retries=flyte.RetryStrategy(count=1),
        timeout=60,
        env_vars={"B": "2"},
        secrets=[],
        service_account="default",
        max_inline_io_bytes=10_000,
        queue="default",
        interruptible=False,
        links=(),
    )
    assert heavy.env_vars == {"B": "2"} and work.env_vars == {"A": "1"}
    assert heavy.retries.count == 1 and work.retries.count == 3
    return await heavy(4) + await work(1)


if __name__ == "__main__":
    os.environ.update(API_KEY="from the shell", OTHER="too")
    flyte.init_from_config()
    assert flyte.Secret("my-secret", group="grp").as_env_var == "GRP_MY_SECRET"
    assert flyte.Secret("f", mount=Path("/etc/flyte/secrets")).mount == Path("/etc/flyte/secrets")
    tested = work.override(secrets=[])
    assert tested.secrets == []
    assert flyte.run(main).outputs()[0] == 5
