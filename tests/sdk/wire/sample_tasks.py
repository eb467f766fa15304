"""Tasks with every setting, as a user writes them."""

from __future__ import annotations

from datetime import timedelta

import flyte

plain = flyte.TaskEnvironment("plain")
rich = flyte.TaskEnvironment(
    "rich-env",
    image=flyte.Image.from_debian_base(name="mine").with_pip_packages("numpy>=2", "rich").with_apt_packages("git"),
    resources=flyte.Resources(cpu=(0.5, 2), memory=("1Gi", "2Gi"), gpu="A100:4", disk="10Gi", shm="auto"),
    env_vars={"KEY": "value"},
    secrets=[flyte.Secret("token", group="team", as_env_var="TOKEN")],
    queue="fast",
)
warm = flyte.TaskEnvironment("warm", reusable=flyte.ReusePolicy(replicas=(1, 4), concurrency=8, idle_ttl=300))


@plain.task
def square(x: int) -> int:
    """Square a number.

    It is not fast.

    Args:
        x: the number
    """
    return x * x


@rich.task(
    cache=flyte.Cache("auto", serialize=True, ignored_inputs=("seed",), max_age=3600),
    retries=flyte.RetryStrategy(3, flyte.Backoff(timedelta(seconds=1), factor=2.0, cap=timedelta(seconds=30))),
    timeout=flyte.Timeout(max_runtime=60, max_queued_time=30, deadline=timedelta(hours=1)),
    report=True,
    max_inline_io_bytes=1000,
)
async def everything(x: int, seed: int = 0) -> str:
    return str(x + seed)


@warm.task
async def pooled(x: int) -> int:
    return x
