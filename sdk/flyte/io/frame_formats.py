"""How frames of pandas, pyarrow and polars are stored and read: parquet or csv.

Each library is imported only for a frame of its own, or when one is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

PARQUET: Final = "parquet"
CSV: Final = "csv"
_FORMATS: Final = (PARQUET, CSV)
_POLARS_ROWS: Final = 100_000
"""How many rows of a polars frame are one part of it."""


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


def read_frame(
    owner: type, path: Path, frame_format: str, *, columns: Sequence[str] | None = None, files_stay: bool = True
) -> Any:
    """Read a file, or all files of a folder, as a frame of the class `owner`; of its columns these, None: all.

    A lazy frame reads the files when it is collected; unless they stay until then, it is given the data at once.
    Raises what the library raises, for a column that is not there as well.
    """
    _refuse_unknown(frame_format)
    library, name = owner.__module__.partition(".")[0], owner.__name__
    if library == "pandas":
        pandas = import_module("pandas")
        if frame_format == CSV:
            return pandas.read_csv(path, usecols=columns)
        return pandas.read_parquet(path, columns=None if columns is None else list(columns))
    if library == "pyarrow":
        return _read_arrow(path, frame_format, columns)
    if library == "polars":
        frames = _scanned(path, frame_format, columns)
        if name == "LazyFrame":
            return frames if files_stay else frames.collect().lazy()
        return frames.collect()
    raise TypeError(f"A frame cannot be read as {owner}: use a class of pandas, pyarrow or polars")


def read_batches(
    owner: type, source: Path | BinaryIO, frame_format: str, *, columns: Sequence[str] | None = None
) -> Iterator[Any]:
    """Yield a frame in parts, so that the whole of it need not fit into memory; of its columns these, None: all.

    A folder is read file by file. An open file is taken where `reads_open_files` says so.
    """
    _refuse_unknown(frame_format)
    library = owner.__module__.partition(".")[0]
    if library == "polars" and isinstance(source, Path):
        yield from _polars_batches(owner, source, frame_format, columns)
        return
    pyarrow = import_module("pyarrow")
    for batch in _arrow_batches(source, frame_format, columns):
        if batch.num_rows:
            table = pyarrow.Table.from_batches([batch])
            yield table.to_pandas() if library == "pandas" else table


def reads_open_files(owner: type, frame_format: str) -> bool:
    """Tell whether `read_batches` can read an open file: it then fetches only what it needs next."""
    return frame_format == PARQUET and owner.__module__.partition(".")[0] in ("pandas", "pyarrow")


def _arrow_batches(source: Path | BinaryIO, frame_format: str, columns: Sequence[str] | None) -> Iterator[Any]:
    chosen = None if columns is None else list(columns)
    if isinstance(source, Path):
        yield from import_module("pyarrow.dataset").dataset(source, format=frame_format).to_batches(columns=chosen)
    else:
        yield from import_module("pyarrow.parquet").ParquetFile(source).iter_batches(columns=chosen)


def _polars_batches(owner: type, path: Path, frame_format: str, columns: Sequence[str] | None) -> Iterator[Any]:
    frames = _scanned(path, frame_format, columns)
    start = 0
    while len(batch := frames.slice(start, _POLARS_ROWS).collect()):
        yield batch.lazy() if owner.__name__ == "LazyFrame" else batch
        start += len(batch)


def _scanned(path: Path, frame_format: str, columns: Sequence[str] | None) -> Any:
    polars = import_module("polars")
    scan = polars.scan_parquet if frame_format == PARQUET else polars.scan_csv
    frames = scan(path / "**/*" if path.is_dir() else path)
    return frames if columns is None else frames.select(columns)


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


def _read_arrow(path: Path, frame_format: str, columns: Sequence[str] | None) -> Any:
    chosen = None if columns is None else list(columns)
    return import_module("pyarrow.dataset").dataset(path, format=frame_format).to_table(columns=chosen)


def _refuse_unknown(frame_format: str) -> None:
    if frame_format not in _FORMATS:
        raise ValueError(f"Frames cannot be stored as {frame_format!r}: use one of {_FORMATS}")
