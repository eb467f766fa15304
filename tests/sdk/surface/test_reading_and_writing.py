"""`flyte.storage.open`, and values that programs draw forms and timelines of."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Literal

import pytest

import flyte
import flyte.report
import flyte.storage as storage
from flyte.models import NativeInterface, literal_to_enum


async def test_an_object_that_was_opened_is_there_once_it_is_closed(tmp_path: Path) -> None:
    address = str(tmp_path / "o.txt")
    stream = await storage.open(address, "wb")
    await stream.write(b"hello")
    assert not Path(address).exists()
    await stream.close()
    async with await storage.open(address) as stream:
        assert await stream.read() == b"hello"


async def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    address = tmp_path / "o.txt"

    async def fail_in_the_middle() -> None:
        async with await storage.open(str(address), "w") as stream:
            await stream.write("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await fail_in_the_middle()
    assert list(tmp_path.iterdir()) == []


def test_the_inputs_of_a_task_have_one_schema() -> None:
    def work(count: int, name: str = "a") -> None: ...

    schema = NativeInterface.from_callable(work).json_schema
    assert schema["required"] == ["count"]
    assert schema["properties"]["count"]["type"] == "integer"
    task = flyte.TaskEnvironment("forms").task(work)
    assert task.json_schema == schema


def test_a_literal_becomes_an_enum() -> None:
    kind = literal_to_enum(Literal["a", "b"])
    assert issubclass(kind, Enum)
    assert [member.value for member in kind] == ["a", "b"]
    with pytest.raises(TypeError, match="Expected a Literal"):
        literal_to_enum(str)


def test_a_timeline_escapes_what_it_shows() -> None:
    env = flyte.TaskEnvironment("timelines")

    @env.task(report=True)
    def work() -> str:
        timeline = flyte.report.Timeline("Steps")
        timeline.heading("<h>")
        timeline.row(label="<l>", meta="3 ms", detail="<d>", error=ValueError("<e>"))
        return flyte.report.get_tab("Steps").get_html()

    shown = flyte.run(work).outputs()[0]
    assert all(f"&lt;{letter}&gt;" in shown for letter in "hlde")


def test_times_and_texts_are_shortened_for_people() -> None:
    assert flyte.report.abbreviate("abcdef", 4) == "abc…"
    assert flyte.report.abbreviate([1, 2]) == "[1, 2]"
    assert flyte.report.duration_ms("2024-01-01T00:00:00", "2024-01-01T00:00:01.5") == "1500 ms"
    assert flyte.report.duration_ms(None, None) == ""
