"""From texts of the command line to values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.cli.texts import NotReadable, read_text


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Point:
    x: int
    when: datetime | None = None


class Pair(NamedTuple):
    a: int
    b: str


class Row(TypedDict):
    name: str


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("7", int, 7),
        ("-1", int, -1),
        ("1e3", float, 1000.0),
        ("text", str, "text"),
        ("@not-a-file", str, "@not-a-file"),
        ("yes", bool, True),
        ("bytes", bytes, b"bytes"),
        ("low", Level, Level.LOW),
        ("2", Level, Level.HIGH),
        ("1", Literal[1, "a"], 1),
        ("null", Optional[int], None),  # noqa: UP045 - the old spelling has to work too
        ("5", int | str, 5),
        ("five", int | str, "five"),
        ("3", Annotated[int, "note"], 3),
        ("2026-01-31T12:00:00+00:00", datetime, datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31", date, date(2026, 1, 31)),
        ("12:30", time, time(12, 30)),
        ("1h30m", timedelta, timedelta(minutes=90)),
        ("PT1H30M", timedelta, timedelta(minutes=90)),
        ("2d", timedelta, timedelta(days=2)),
        ("90", timedelta, timedelta(seconds=90)),
        ("[1, 2]", list[int], [1, 2]),
        ('{"a": 1.5}', dict[str, float], {"a": 1.5}),
        ('{"x": 1, "when": "2026-01-31T00:00:00Z"}', Point, Point(1, datetime(2026, 1, 31, tzinfo=UTC))),
        ('[1, "b"]', Pair, Pair(1, "b")),
        ('{"name": "n"}', Row, {"name": "n"}),
        ("[1, 2]", tuple[int, ...], (1, 2)),
        ('{"k": [1]}', Any, {"k": [1]}),
        ("just text", Any, "just text"),
    ],
)
def test_texts_are_read_by_the_annotation(text: str, annotation: Any, value: Any) -> None:
    assert read_text(text, annotation) == value


@pytest.mark.parametrize(
    ("text", "annotation", "words"),
    [
        ("x", int, "not a valid integer"),
        ("1.5", int, "not a valid integer"),
        ("maybe", bool, "not a valid boolean"),
        ("middle", Level, "none of LOW, HIGH"),
        ("yesterday", datetime, "ISO 8601"),
        ("tomorrow", date, "ISO 8601"),
        ("late", time, "ISO 8601"),
        ("soon", timedelta, "1h30m"),
        ("x", int | None, "not a valid integer"),
        ("[1, ", list[int], "not the JSON"),
        ('{"x": "a"}', Point, "x: Input should be a valid integer"),
        ("@/nowhere/at/all", list[int], "cannot be read"),
    ],
)
def test_a_text_that_is_no_value_says_what_would_be(text: str, annotation: Any, words: str) -> None:
    with pytest.raises(NotReadable, match=words):
        read_text(text, annotation)


def test_json_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "points.json").write_text('[{"x": 1}]')
    assert read_text(f"@{tmp_path}/points.json", list[Point]) == [Point(1)]


@given(st.integers())
def test_every_integer_is_read_as_it_is_written(number: int) -> None:
    assert read_text(str(number), int) == number
    assert read_text(str(number), int | None) == number


@given(st.floats(allow_nan=False))
def test_every_float_is_read_as_it_is_written(number: float) -> None:
    assert read_text(repr(number), float) == number
