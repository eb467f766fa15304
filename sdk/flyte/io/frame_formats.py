"""How frames of pandas, pyarrow and polars are stored and read: parquet or csv.

Each library is imported only for a frame of its own, or when one is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

PARQUET: Final = "parquet"
CSV: Final = "csv"
_FORMATS: Final = (PARQUET, CSV)


class FrameEngineMissing(TypeError):
    """The library that stores frames of this kind is not installed."""


def write_frame(frame: Any, path: Path, frame_format: str) -> None:
    """Write a frame to a file. Raises TypeError for a value that is no frame of a known library."""
    _refuse_unknown(frame_format)
    library = type(frame).__module__.partition(".")[0]
    if library == "pandas":
        _write_pandas(frame, path, frame_format)
    elif library == "pyarrow":
        _write_arrow(frame, path, frame_format)
    elif library == "polars":
        eager = frame.collect() if type(frame).__name__ == "LazyFrame" else frame
        (eager.write_parquet if frame_format == PARQUET else eager.write_csv)(path)
    else:
        raise TypeError(f"{type(frame)} is not a frame of pandas, pyarrow or polars")


def read_frame(owner: type, path: Path, frame_format: str) -> Any:
    """Read a file, or all files of a folder, as a frame of the class `owner`."""
    _refuse_unknown(frame_format)
    library, name = owner.__module__.partition(".")[0], owner.__name__
    if library == "pandas":
        pandas = import_module("pandas")
        return pandas.read_parquet(path) if frame_format == PARQUET else pandas.read_csv(path)
    if library == "pyarrow":
        return _read_arrow(path, frame_format)
    if library == "polars":
        polars = import_module("polars")
        source = path / "**/*" if path.is_dir() else path
        scan = polars.scan_parquet if frame_format == PARQUET else polars.scan_csv
        return scan(source) if name == "LazyFrame" else scan(source).collect()
    raise TypeError(f"A frame cannot be read as {owner}: use a class of pandas, pyarrow or polars")


def read_batches(owner: type, path: Path, frame_format: str) -> Iterator[Any]:
    """Yield a frame in parts: the row groups of a parquet file, anything else as one."""
    if frame_format != PARQUET or path.is_dir() or owner.__module__.partition(".")[0] == "polars":
        yield read_frame(owner, path, frame_format)
        return
    pyarrow = import_module("pyarrow")
    for batch in import_module("pyarrow.parquet").ParquetFile(path).iter_batches():
        table = pyarrow.Table.from_batches([batch])
        yield table.to_pandas() if owner.__module__.startswith("pandas") else table


def _write_pandas(frame: Any, path: Path, frame_format: str) -> None:
    if frame_format == CSV:
        frame.to_csv(path, index=False)
        return
    try:
        frame.to_parquet(path)
    except ImportError as error:
        raise FrameEngineMissing("Storing a pandas frame as parquet needs pyarrow: add it to the image") from error


def _write_arrow(table: Any, path: Path, frame_format: str) -> None:
    if frame_format == PARQUET:
        import_module("pyarrow.parquet").write_table(table, path)
    else:
        import_module("pyarrow.csv").write_csv(table, path)


def _read_arrow(path: Path, frame_format: str) -> Any:
    return import_module("pyarrow.dataset").dataset(path, format=frame_format).to_table()


def _refuse_unknown(frame_format: str) -> None:
    if frame_format not in _FORMATS:
        raise ValueError(f"Frames cannot be stored as {frame_format!r}: use one of {_FORMATS}")
