"""Types that become pickles, unions, nested collections and optional results."""

from typing import Any, Dict, List, Optional, Set, TypedDict, Union

import flyte

env = flyte.TaskEnvironment(name="many_types")


class Custom:
    def __init__(self, value: int) -> None:
        self.value = value


class Movie(TypedDict):
    title: str
    year: int


@env.task
async def pickled(x: Custom) -> Custom:
    return Custom(x.value + 1)


@env.task
async def nested(x: Dict[str, List[Dict[str, int]]]) -> List[Optional[int]]:
    return [y.get("a") for items in x.values() for y in items]


@env.task
async def untyped(x: dict, y: list) -> Any:
    return {"x": x, "y": y}


@env.task
async def odd(m: Movie, b: bytes, s: Set[int]) -> Union[str, None]:
    return f"{m['title']} {b!r} {sorted(s)}" if m["year"] else None


@env.task
async def nothing() -> None:
    return None


@env.task
async def main() -> Optional[str]:
    assert (await pickled(Custom(1))).value == 2
    assert await nested({"k": [{"a": 1}, {"b": 2}]}) == [1, None]
    assert await untyped({"a": [1, {"b": None}]}, [1, "x"]) == {"x": {"a": [1, {"b": None}]}, "y": [1, "x"]}
    assert await nothing() is None
    return await odd({"title": "t", "year": 1}, b"b", {2, 1})


if __name__ == "__main__":
    flyte.init_from_config()
    assert flyte.run(main).outputs()[0] == "t b'b' [1, 2]"
    assert flyte.run(nothing).outputs() in ((), (None,))
