"""From texts of the command line to values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from flyte.cli.not_readable import NotReadable
from flyte.cli.texts import read_text
from flyte.io import DataFrame, File


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


@dataclass
class Job:
    level: Level
    pause: timedelta
    table: File[str]
    tags: set[str]


class Settings(BaseModel):
    rate: float = Field(alias="learning-rate")


class Opaque:
    pass


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
        ("[[1, 2], [3, 4]]", list[tuple[int, int]], [(1, 2), (3, 4)]),
        ('{"1": ["a"]}', dict[int, set[str]], {1: {"a"}}),
        ('{"learning-rate": 1}', Settings, Settings(**{"learning-rate": 1.0})),
        ('["HIGH", 1, "LOW"]', list[Level], [Level.HIGH, Level.LOW, Level.LOW]),
        ('"aGk="', list[bytes] | bytes, b'"aGk="'),
        ('["aGk="]', list[bytes], [b"hi"]),
        ("LOW", Literal["a", Level.LOW], Level.LOW),
        ("a/b.txt", Path, Path("a/b.txt")),
        ("1.50", Decimal, Decimal("1.50")),
        ("12345678123456781234567812345678", UUID, UUID(int=0x12345678123456781234567812345678)),
        ("-PT1.5S", timedelta, timedelta(seconds=-1.5)),
        ("2w", timedelta, timedelta(weeks=2)),
        ("s3://b/t.parquet", DataFrame, DataFrame.from_existing_remote("s3://b/t.parquet")),
        ("s3://b/t.csv", File, File.from_existing_remote("s3://b/t.csv")),
        (
            '{"level": "HIGH", "pause": "PT90S", "table": "s3://b/x", "tags": ["q"]}',
            Job,
            Job(Level.HIGH, timedelta(seconds=90), File.from_existing_remote("s3://b/x"), {"q"}),
        ),
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
        ('{"x": "a"}', Point, "x: Expected a value of type"),
        ('{"x": 1, "wen": null}', Point, "wen: there is no such field; the fields are x, when"),
        ('[{"x": 1}, {}]', list[Point], r"\[1\].x: this field is missing"),
        ("{}", Opaque, "cannot be given on the command line"),
        ("x", Decimal, "not a valid Decimal"),
        ("/nowhere/at/all", DataFrame, "does not exist"),
        ("c", Literal["a", Level.LOW], "none of a, LOW"),
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


def test_now_and_today_are_moments_of_this_day() -> None:
    today = datetime.now(UTC).date()
    assert read_text("now", datetime).date() - today <= timedelta(days=1)
    assert read_text("today", datetime).time() == time(0)
    assert read_text("today", date) - today <= timedelta(days=1)
    assert read_text("today - 2d", date) == read_text("today", date) - timedelta(days=2)
    assert read_text("today+PT1H", datetime) == read_text("today", datetime) + timedelta(hours=1)
    with pytest.raises(NotReadable, match="now-1h30m"):
        read_text("now-soon", datetime)


def test_a_table_of_this_machine_is_given_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    table = read_text(f"{tmp_path}/t.csv", DataFrame)
    assert (table.uri, table.format) == (str(tmp_path / "t.csv"), "csv")
