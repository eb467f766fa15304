"""pandas frames as annotations, and flyte.io.DataFrame."""

from typing import Annotated

import pandas as pd

import flyte
from flyte.io import DataFrame

env = flyte.TaskEnvironment(
    name="dataframes", image=flyte.Image.from_debian_base().with_pip_packages("pandas", "pyarrow")
)


@env.task
async def raw() -> pd.DataFrame:
    return pd.DataFrame({"name": ["a", "b", "c"], "age": [1, 2, 3]})


@env.task
async def wrapped() -> Annotated[DataFrame, "parquet"]:
    return DataFrame.from_df(pd.DataFrame({"name": ["a", "d"], "salary": [10, 20]}))


@env.task
async def joined(left: pd.DataFrame, right: DataFrame) -> DataFrame:
    other: pd.DataFrame = await right.open(pd.DataFrame).all()
    return DataFrame.wrap_df(left.merge(other, on="name"))


@env.task
async def main() -> int:
    df = await joined(await raw(), await wrapped())
    frame = await df.open(pd.DataFrame).all()
    assert list(frame["salary"]) == [10]
    assert list((await raw())["age"]) == [1, 2, 3]
    return len(frame)


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main).outputs()[0] == 1
