"""Tables, stored as parquet and read as what the reader wants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from tests.sdk.io.running_task import attempt

from flyte.io import DataFrame, HashFunction
from flyte.io.frame_formats import FrameEngineMissing
from flyte.storage.locations import local_uri
from flyte.types.codecs import codec_for

# As a value, not as a type: pandas is there or not.
ANNOTATED: Any = Annotated


def test_a_frame_knows_where_it_is_and_reads_nothing_before_it_is_told_as_what() -> None:
    frame = DataFrame.from_existing_remote("s3://b/table.parquet")
    assert (frame.uri, frame.format, frame.val) == ("s3://b/table.parquet", "parquet", None)
    with pytest.raises(ValueError, match="Say first as what"):
        frame.all_sync()
    with pytest.raises(ValueError, match="holds no data"):
        codec_for(DataFrame).encode(DataFrame(), name="x")


def test_a_value_that_is_no_frame_is_refused() -> None:
    with pytest.raises(TypeError, match="is not a frame"):
        DataFrame.from_local_sync([1, 2])
    with pytest.raises(TypeError, match="Type conversion failed"):
        codec_for(DataFrame).encode([1, 2], name="x")


class TestWithPandas:
    pandas: Any = None

    @pytest.fixture(autouse=True)
    def _libraries(self) -> None:
        TestWithPandas.pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")

    def table(self) -> Any:
        return self.pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})

    async def test_a_frame_goes_through_storage(self, tmp_path: Path) -> None:
        with attempt(local_uri(tmp_path)):
            stored = await DataFrame.from_local(self.table(), hash_method="known")
        assert stored.uri is not None
        assert stored.uri.startswith(local_uri(tmp_path))
        codec = codec_for(DataFrame)
        message = codec.encode(stored, name="x")
        assert (message.reference.hash, message.reference.format) == ("known", "parquet")
        found = codec.decode(message)
        assert (await found.open(self.pandas.DataFrame).all()).equals(self.table())
        assert [len(part) async for part in found.open(self.pandas.DataFrame).iter()] == [2]

    def test_a_raw_frame_is_an_input_of_its_own(self, tmp_path: Path) -> None:
        frame_class: Any = self.pandas.DataFrame
        annotation = ANNOTATED[frame_class, HashFunction.from_fn(lambda frame: f"{len(frame)} rows")]
        with attempt(local_uri(tmp_path)):
            message = codec_for(annotation).encode(self.table(), name="x")
        assert message.reference.hash == "2 rows"
        assert codec_for(annotation).decode(message).equals(self.table())

    def test_a_table_of_one_library_is_read_by_another(self, tmp_path: Path) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        with attempt(local_uri(tmp_path)):
            message = codec_for(pyarrow.Table).encode(pyarrow.Table.from_pandas(self.table()), name="x")
        assert codec_for(self.pandas.DataFrame).decode(message).equals(self.table())
        assert codec_for(pyarrow.Table).decode(message).num_rows == 2

    def test_polars_frames(self, tmp_path: Path) -> None:
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame({"a": [1, 2]})
        with attempt(local_uri(tmp_path)):
            message = codec_for(polars.DataFrame).encode(frame, name="x")
        assert codec_for(polars.DataFrame).decode(message).equals(frame)
        assert codec_for(polars.LazyFrame).decode(message).collect().equals(frame)

    def test_a_wrapped_frame_is_stored_when_it_is_passed_on(self, tmp_path: Path) -> None:
        wrapped = DataFrame.wrap_df(self.table())
        assert wrapped.uri is None
        assert wrapped.open(self.pandas.DataFrame).all_sync() is wrapped.val
        with attempt(local_uri(tmp_path)):
            first = codec_for(DataFrame).encode(wrapped, name="x")
            assert codec_for(DataFrame).encode(wrapped, name="x") == first
        assert first.reference.size_bytes > 0

    def test_a_folder_of_parquet_files_is_one_table(self, tmp_path: Path) -> None:
        for part in ("0", "1"):
            self.table().to_parquet(tmp_path / f"{part}.parquet")
        frame = DataFrame.from_existing_remote(str(tmp_path))
        assert len(frame.open(self.pandas.DataFrame).all_sync()) == 4

    def test_csv_is_a_format_too(self, tmp_path: Path) -> None:
        self.table().to_csv(tmp_path / "x.csv", index=False)
        frame = DataFrame.from_existing_remote(str(tmp_path / "x.csv"), format="csv")
        assert frame.open(self.pandas.DataFrame).all_sync().equals(self.table())
        with pytest.raises(ValueError, match="cannot be stored as 'xls'"):
            DataFrame.from_existing_remote("/x", format="xls").open(self.pandas.DataFrame).all_sync()


def test_a_frame_without_its_engine_travels_as_a_pickle() -> None:
    class DataFrameLike:
        """Stands for a pandas frame in a process without pyarrow."""

        def to_parquet(self, path: Path) -> None:
            raise ImportError("no engine")

        def __reduce__(self) -> tuple[object, ...]:
            return (list, (["pickled"],))

    DataFrameLike.__module__, DataFrameLike.__name__ = "pandas", "DataFrame"
    with pytest.raises(FrameEngineMissing, match="add it to the image"):
        DataFrame.from_local_sync(DataFrameLike())
    codec = codec_for(DataFrameLike)
    assert codec.decode(codec.encode(DataFrameLike(), name="x")) == ["pickled"]
