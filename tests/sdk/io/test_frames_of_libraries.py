"""Frames of pandas, pyarrow and polars: exact round trips, read in parts, from the machine and from a remote store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Optional

import pytest
from tests.sdk.io.running_task import attempt

from flyte.io import PARQUET, DataFrame, HashFunction
from flyte.storage import objects, remote_objects
from flyte.storage.locations import local_uri
from flyte.types.codecs import codec_for
from flyteapi.task.v1.value_pb2 import Value

pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
polars = pytest.importorskip("polars")

ROWS = 5_000
LIST: Any = list
ANNOTATED: Any = Annotated


@pytest.fixture(params=["file", "remote"])
def prefix(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A prefix for the data of an attempt, on this machine or in a store that is in memory."""
    remote_objects.forget_stores()
    yield local_uri(tmp_path) if request.param == "file" else "memory://bucket/data"
    remote_objects.forget_stores()


@pytest.fixture
def _running(prefix: str) -> Iterator[None]:
    with attempt(prefix):
        yield


def pandas_frame() -> Any:
    columns = {
        "number": [1, 2, 3],
        "text": ["a", None, "ü"],
        "when": pandas.to_datetime([datetime(2024, 1, 1, tzinfo=UTC)] * 3),
        "kind": pandas.Categorical(["x", "y", "x"]),
    }
    return pandas.DataFrame(columns, index=pandas.Index(["r1", "r2", "r3"], name="row"))


def arrow_table() -> Any:
    return pyarrow.table({"number": [1, None], "nested": [[1, 2], []], "part": [{"a": 1}, {"a": 2}]})


def polars_frame() -> Any:
    return polars.DataFrame({"number": [1, None], "when": [datetime(2024, 1, 1)] * 2, "nested": [[1], [2, 3]]})


def through_bytes(annotation: Any, value: Any) -> Any:
    codec = codec_for(annotation)
    return codec.decode(Value.FromString(codec.encode(value, name="x").SerializeToString()))


@pytest.mark.usefixtures("_running")
@pytest.mark.parametrize("make", [pandas_frame, arrow_table, polars_frame])
def test_a_frame_comes_back_as_it_was(make: Any) -> None:
    frame = make()
    found = through_bytes(type(frame), frame)
    assert type(found) is type(frame)
    assert found.equals(frame)
    if not isinstance(frame, pyarrow.Table):
        assert list(found.dtypes) == list(frame.dtypes)


@pytest.mark.usefixtures("_running")
def test_a_frame_of_one_library_is_read_by_another() -> None:
    stored = codec_for(pyarrow.Table).encode(pyarrow.table({"n": [1, 2]}), name="x")
    for owner in (pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.Table):
        found = codec_for(owner).decode(stored)
        assert isinstance(found, owner)
        column = found.collect()["n"] if owner is polars.LazyFrame else found["n"]
        assert (column.to_pylist() if owner is pyarrow.Table else column.to_list()) == [1, 2]


@dataclass
class Split:
    train: DataFrame
    parts: list[DataFrame]


@pytest.mark.usefixtures("_running")
def test_frames_are_parts_of_other_types() -> None:
    table = pyarrow.table({"n": [1]})
    split = Split(DataFrame.from_local_sync(table), [DataFrame.wrap_df(table)])
    found = through_bytes(Split, split)
    assert found.parts[0].open(pyarrow.Table).all_sync().equals(table)
    assert found.train.open(pandas.DataFrame).all_sync()["n"].tolist() == [1]
    optional: Any = Optional[pandas.DataFrame]  # noqa: UP045 - as a value: mypy knows no class of pandas
    assert through_bytes(optional, None) is None
    assert through_bytes(LIST[pandas.DataFrame], [pandas_frame()])[0].equals(pandas_frame())


@pytest.mark.usefixtures("_running")
def test_a_hash_function_makes_equal_content_the_same_input() -> None:
    def by_content(frame: Any) -> str:
        return str(int(pandas.util.hash_pandas_object(frame).sum()))

    frame_class: Any = pandas.DataFrame
    codec = codec_for(Annotated[frame_class, HashFunction.from_fn(by_content)])
    first, second = codec.encode(pandas_frame(), name="x"), codec.encode(pandas_frame(), name="x")
    assert first.reference.uri != second.reference.uri
    assert first.reference.hash == second.reference.hash != ""
    assert codec.encode(pandas_frame()[:1], name="x").reference.hash != first.reference.hash
    with_columns = codec_for(Annotated[frame_class, OrderedDict(a=int)])  # can be updated, and hashes nothing
    assert with_columns.encode(pandas_frame(), name="x").reference.uri


def test_the_hash_of_a_stored_frame_is_that_of_its_content() -> None:
    frame_class: Any = pandas.DataFrame
    codec = codec_for(frame_class)
    first, second, other = (
        codec.encode(frame, name="x").reference for frame in (pandas_frame(), pandas_frame(), pandas_frame()[:1])
    )
    assert first.uri != second.uri
    assert first.hash == second.hash != other.hash


def numbers_at(prefix: str, path: Path) -> DataFrame:
    """Stores a table of several row groups."""
    parquet.write_table(pyarrow.table({"n": list(range(ROWS))}), path / "x.parquet", row_group_size=1_000)
    return DataFrame.from_existing_remote(objects.put_file(path / "x.parquet", f"{prefix}/x.parquet"))


@pytest.mark.parametrize("owner", [pandas.DataFrame, pyarrow.Table, polars.DataFrame])
async def test_a_table_is_read_in_parts(prefix: str, tmp_path: Path, owner: Any) -> None:
    frame = numbers_at(prefix, tmp_path)
    parts = [part async for part in frame.open(owner).iter()]
    assert all(isinstance(part, owner) for part in parts)
    found = [int(n) for part in parts for n in (part["n"].to_pylist() if owner is pyarrow.Table else part["n"])]
    assert found == list(range(ROWS))


async def test_a_remote_table_is_not_fetched_as_a_whole(tmp_path: Path) -> None:
    remote_objects.forget_stores()
    content = pyarrow.table({"n": pyarrow.array(range(400_000))})
    parquet.write_table(content, tmp_path / "x.parquet", row_group_size=10_000, compression="none")
    uri = objects.put_file(tmp_path / "x.parquet", "memory://bucket/x.parquet")
    frame = DataFrame.from_existing_remote(uri).open(pyarrow.Table)
    with frame._open_source(pyarrow.Table, PARQUET) as source:
        assert not isinstance(source, Path)
    parts = frame.iter()
    assert 0 < len(await anext(parts)) < 400_000
    await parts.aclose()
    remote_objects.forget_stores()


async def test_a_folder_and_a_csv_file_are_read_in_parts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "tables").mkdir(exist_ok=True)
        parquet.write_table(pyarrow.table({"n": [1, 2]}), tmp_path / "tables" / f"{name}.parquet")
    (tmp_path / "x.csv").write_text("n\n1\n2\n")
    folder = DataFrame.from_existing_remote(str(tmp_path / "tables"))
    table = DataFrame.from_existing_remote(str(tmp_path / "x.csv"), format="csv")
    for frame, count in ((folder, 4), (table, 2)):
        for owner in (pandas.DataFrame, polars.DataFrame):
            assert sum([len(part) async for part in frame.open(owner).iter()]) == count
            assert sum([len(part) async for part in await frame.open(owner).iter()]) == count


@pytest.mark.usefixtures("_running")
async def test_both_faces_do_the_same() -> None:
    frame = polars_frame()
    stored = await DataFrame.from_local(frame)
    assert (await stored.open(polars.DataFrame).all()).equals(frame)
    again = DataFrame.from_existing_remote(str(stored.uri))
    assert (await again.open(polars.DataFrame).all()).equals(again.open(polars.DataFrame).all_sync())


def test_a_frame_goes_to_the_place_that_was_asked_for(prefix: str) -> None:
    frame = DataFrame.from_local_sync(pandas_frame(), remote_destination=f"{prefix}/here.parquet")
    assert frame.uri == f"{prefix}/here.parquet"
    assert objects.exists(frame.uri)


@pytest.mark.usefixtures("_running")
def test_an_annotation_names_the_format_of_what_is_not_stored_yet() -> None:
    csv: Any = Annotated[pandas.DataFrame, "csv"]
    stored = codec_for(csv).encode(pandas.DataFrame({"n": [1, 2]}), name="x")
    assert (stored.reference.format, objects.get_bytes(stored.reference.uri)) == ("csv", b"n\n1\n2\n")
    assert codec_for(csv).decode(stored).equals(pandas.DataFrame({"n": [1, 2]}))
    lazy: Any = Annotated[DataFrame, OrderedDict(n=int), "csv"]
    frame = DataFrame.from_df(polars.DataFrame({"n": [1]}))
    assert codec_for(lazy).encode(frame, name="x").reference.format == "csv"
    parquet_file = DataFrame.from_local_sync(polars.DataFrame({"n": [1]}))
    assert codec_for(lazy).encode(parquet_file, name="x").reference.format == PARQUET


@pytest.mark.usefixtures("_running")
def test_a_frame_that_is_not_there_is_told_of(prefix: str) -> None:
    for place in ("none.parquet", "none"):
        absent = DataFrame.from_existing_remote(f"{prefix}/{place}")
        with pytest.raises(FileNotFoundError, match="none"):
            absent.open(pandas.DataFrame).all_sync()


@pytest.mark.parametrize("kind", [pandas.DataFrame, pyarrow.Table, polars.DataFrame])
def test_an_annotation_that_lists_columns_reads_those_only(kind: Any) -> None:
    stored = codec_for(pandas.DataFrame).encode(pandas.DataFrame({"x": [1], "y": [2], "z": [3]}), name="f")
    read = codec_for(ANNOTATED[kind, {"z": int, "x": int}]).decode(stored)
    assert list(read.column_names if kind is pyarrow.Table else read.columns) == ["z", "x"]
    chosen = codec_for(ANNOTATED[DataFrame, OrderedDict(y=int)]).decode(stored)
    assert list(chosen.open(pandas.DataFrame).all_sync().columns) == ["y"]
    with pytest.raises(TypeError, match="nowhere"):
        codec_for(ANNOTATED[kind, {"nowhere": int}]).decode(stored)
