"""Frames between tasks."""

import pandas as pd

import flyte
from flyte.io import DataFrame

env = flyte.TaskEnvironment("frames", resources=flyte.Resources(cpu="200m"))


@env.task
async def frame(count: int) -> DataFrame:
    """A frame of pandas, which is stored when it is returned."""
    return pd.DataFrame({"n": range(count)})


@env.task
async def pass_frames() -> list[object]:
    """What is in a child's frame, and whether it lies below the run's own data."""
    found = await frame(5)
    table = await found.open(pd.DataFrame).all()
    base = flyte.ctx().run_base_dir.rstrip("/").removeprefix("file://")
    return [int(table["n"].sum()), base in str(found.uri)]
