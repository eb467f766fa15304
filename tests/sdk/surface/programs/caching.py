"""All forms of caching that a program can ask for."""

import tempfile
from pathlib import Path

import flyte
from flyte import Cache

env = flyte.TaskEnvironment(name="caching", cache="auto")
CALLS = Path(tempfile.mkdtemp(), "calls")
CALLS.write_text("")


def called(name: str) -> None:
    CALLS.write_text(CALLS.read_text() + name + "\n")


@env.task
async def inherited(x: int) -> int:
    called("inherited")
    return x


@env.task(cache=Cache(behavior="override", version_override="v1"))
async def versioned(x: int) -> int:
    called("versioned")
    return x


@env.task(cache=flyte.Cache("auto", ignored_inputs=("y",), serialize=True, salt="s", max_age=3600))
async def ignoring(x: int, y: int) -> int:
    called("ignoring")
    return x + y


@env.task(cache="disable")
async def never(x: int) -> int:
    called("never")
    return x


class OwnPolicy:
    def get_version(self, salt: str, params: object) -> str:
        return salt + "own"


@env.task(cache=flyte.Cache("auto", policies=[OwnPolicy()]))
async def own(x: int) -> int:
    called("own")
    return x


@env.task(cache="disable")
async def main() -> None:
    for _ in range(2):
        await inherited(1)
        await versioned(1)
        await never(1)
        await own(1)
    await ignoring(1, 2)
    await ignoring(1, 3)
    await inherited.override(cache="disable")(1)


if __name__ == "__main__":
    flyte.init_from_config()
    flyte.run(main)
    lines = CALLS.read_text().split()
    assert {name: lines.count(name) for name in set(lines)} == {
        "inherited": 2,
        "versioned": 1,
        "ignoring": 1,
        "never": 2,
        "own": 1,
    }, lines
    flyte.with_runcontext(overwrite_cache=True).run(main)
    flyte.with_runcontext(disable_run_cache=True).run(main)
    assert CALLS.read_text().split().count("versioned") > 1
