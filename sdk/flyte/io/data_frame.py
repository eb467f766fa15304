"""`flyte.io.DataFrame`: a table, passed between tasks by its address and read as what the reader wants."""

from __future__ import annotations

import asyncio
import tempfile
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from flyte.io.frame_formats import PARQUET, read_batches, read_frame, reads_open_files, write_frame
from flyte.io.hashing import HashMethod, as_hash_method, content_hash, hash_of
from flyte.io.model_methods import ModelMethods
from flyte.io.placement import StoredData, new_location, reachable, upload
from flyte.storage import objects
from flyte.storage.locations import is_remote, local_path


class DataFrame(ModelMethods):
    """A table in the object store, or one of this process that will be stored when it is passed on.

    `DataFrame.from_local(frame)` stores a frame of pandas, pyarrow or polars; `open(pandas.DataFrame).all()` reads it.
    """

    __flyte_reference__: ClassVar[str] = "data_frame"

    def __init__(self, *, uri: str | None = None, format: str | None = "", hash: str | None = None) -> None:
        self.uri = uri
        self.format = format or ""
        self.hash = hash
        self._value: Any = None
        self._read_as: Any = None
        self._columns: tuple[str, ...] | None = None
        self._size_bytes: int | None = None

    def __repr__(self) -> str:
        return f"DataFrame(uri={self.uri!r}, format={self.format!r}, hash={self.hash!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DataFrame):
            return NotImplemented
        return self.to_dict() == other.to_dict() and self._value is other._value

    def __hash__(self) -> int:
        return hash((self.uri, self.hash))

    @property
    def val(self) -> Any:
        """The frame that this was made of in this process; None if it was not."""
        return self._value

    @property
    def lazy_uploader(self) -> None:
        """Nothing: a frame of this process is stored when it is passed on."""
        return None

    @property
    def literal(self) -> None:
        """Return None: a frame is read by its address, the message that it came as is not kept."""

    @property
    def metadata(self) -> None:
        """Nothing: the schema is in the stored data."""
        return None

    @classmethod
    def columns(cls) -> dict[str, type]:
        """Return the columns that the type promises: none."""
        return {}

    @classmethod
    def column_names(cls) -> list[str]:
        """Return the names of the columns that the type promises: none."""
        return []

    @classmethod
    def wrap_df(cls, val: Any = None, uri: str | None = None) -> DataFrame:
        """Wrap a frame; it is stored, at `uri` or a new address, when it is passed to another task."""
        wrapped = cls(uri=uri, format=PARQUET)
        wrapped._value = val
        return wrapped

    from_df = wrap_df

    @classmethod
    def from_existing_remote(cls, remote_path: str, format: str | None = None, **kwargs: Any) -> DataFrame:
        """Refer to a table that exists already: a file, or a folder of files."""
        return cls(uri=remote_path, format=format or PARQUET, hash=kwargs.get("hash"))

    @classmethod
    def from_local_sync(
        cls,
        df: Any,
        columns: OrderedDict[str, type[Any]] | None = None,
        remote_destination: str | None = None,
        hash_method: HashMethod | str | None = None,
    ) -> DataFrame:
        """Store a frame as parquet, at a new address or at `remote_destination`.

        Its hash, by which it is an input of cached tasks, is that of the stored bytes unless `hash_method` says
        otherwise.

        Raises TypeError for a value that is no frame of a known library.
        """
        return cls.stored(df, remote_destination=remote_destination, hash_method=hash_method)

    @classmethod
    def stored(
        cls,
        df: Any,
        *,
        remote_destination: str | None = None,
        hash_method: HashMethod | str | None = None,
        frame_format: str = "",
    ) -> DataFrame:
        """Do the same as `from_local_sync`, in any format that frames have."""
        method = as_hash_method(hash_method)
        known = hash_of(df, method) if method is not None else None
        frame = cls.wrap_df(df, remote_destination)
        frame.prefer_format(frame_format)
        frame.hash = known
        frame._store()
        return frame

    @classmethod
    async def from_local(
        cls,
        df: Any,
        columns: OrderedDict[str, type[Any]] | None = None,
        remote_destination: str | None = None,
        hash_method: HashMethod | str | None = None,
    ) -> DataFrame:
        """Do the same as `from_local_sync`, without blocking the event loop."""
        return await asyncio.to_thread(cls.from_local_sync, df, columns, remote_destination, hash_method)

    def prefer_format(self, frame_format: str) -> None:
        """Store a frame of this process in this format, unless it is stored already or the format is empty."""
        if frame_format and self._value is not None and self._size_bytes is None:
            self.format = frame_format

    def choose_columns(self, names: Iterable[str]) -> None:
        """Have `all` and `iter` read these columns only; a column that is not there is then an error."""
        self._columns = tuple(names)

    def open(self, dataframe_type: type[Any]) -> DataFrame:
        """Say as what the table is to be read; `all` and `iter` then read it."""
        self._read_as = dataframe_type
        return self

    def all_sync(self) -> Any:
        """Return the whole table. Raises ValueError before `open` said as what."""
        owner = self._reader()
        if self._value is not None and isinstance(self._value, owner):
            return self._value
        with self._local() as path:
            stay = not is_remote(str(self.uri))
            return read_frame(owner, path, self.format or PARQUET, columns=self._columns, files_stay=stay)

    async def all(self) -> Any:
        """Do the same as `all_sync`, without blocking the event loop."""
        return await asyncio.to_thread(self.all_sync)

    def iter(self) -> Parts:
        """Give the table in parts: `async for part in frame.iter()`, or in `await frame.iter()`.

        Of a remote parquet file only what the next part needs is fetched. Raises ValueError before `open` said as what.
        """
        return Parts(self._parts())

    async def _parts(self) -> AsyncGenerator[Any]:
        owner, frame_format = self._reader(), self.format or PARQUET
        with await asyncio.to_thread(self._open_source, owner, frame_format) as source:
            batches: Iterator[Any] = read_batches(owner, source, frame_format, columns=self._columns)
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                yield batch

    def to_dict(self) -> dict[str, Any]:
        """Return the fields."""
        return {"uri": self.uri, "format": self.format, "hash": self.hash}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> DataFrame:
        """Make one of its fields. Raises ValueError without `uri`."""
        if "uri" not in fields:
            raise ValueError("A DataFrame needs the field 'uri'")
        return cls(uri=fields["uri"], format=fields.get("format"), hash=fields.get("hash"))

    def _reader(self) -> type[Any]:
        if self._read_as is None:
            raise ValueError("Say first as what to read the table: frame.open(pandas.DataFrame).all()")
        return self._read_as  # type: ignore[no-any-return]

    def _store(self) -> None:
        """Write the frame of this process to its address, once."""
        if self._value is None or self._size_bytes is not None:
            return
        frame_format = self.format or PARQUET
        with tempfile.TemporaryDirectory(prefix="flyte-") as folder:
            path = Path(folder, f"data.{frame_format}")
            write_frame(self._value, path, frame_format)
            uploaded = upload(path, name=path.name) if self.uri is None else None
            self.uri = uploaded or objects.put_file(path, self.uri or new_location(path.name))
            self._size_bytes = path.stat().st_size
            # Of the bytes: equal frames that another version of a library writes otherwise are computed again.
            self.hash = self.hash or content_hash(path)

    def _open_source(self, owner: type[Any], frame_format: str) -> AbstractContextManager[Path | BinaryIO]:
        copy = self._local()
        uri = str(self.uri)
        if is_remote(uri) and reads_open_files(owner, frame_format) and objects.size_of(uri) is not None:
            return closing(objects.open_read(uri))
        copy.fetch()
        return copy

    def _local(self) -> _LocalCopy:
        self._store()
        if self.uri is None:
            raise ValueError("The DataFrame holds no data")
        return _LocalCopy(self.uri)

    def __flyte_store__(self) -> StoredData:
        self._store()
        if self.uri is None:
            raise ValueError("The DataFrame holds no data: make it with DataFrame.from_local(frame)")
        return StoredData(
            uri=reachable(self.uri), format=self.format or PARQUET, hash=self.hash, size_bytes=self._size_bytes
        )

    @classmethod
    def __flyte_restore__(cls, stored: StoredData) -> DataFrame:
        frame = cls(uri=stored.uri, format=stored.format, hash=stored.hash)
        frame._size_bytes = stored.size_bytes
        return frame

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from flyte.io.pydantic_support import core_schema_for

        return core_schema_for(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        from flyte.io.pydantic_support import json_schema_for

        return json_schema_for(cls, "uri")


class Parts:
    """The parts of a table, to be iterated once with `async for`; awaiting it gives itself."""

    def __init__(self, parts: AsyncGenerator[Any]) -> None:
        self._parts = parts

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._parts

    def __await__(self) -> Generator[Any, None, Parts]:
        yield from ()
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._parts.__anext__()

    async def aclose(self) -> None:
        """Read no further."""
        await self._parts.aclose()


class _LocalCopy:
    """Context manager: a path of this machine with the data; a copy of remote data vanishes afterwards."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._path: Path | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Path:
        return self._path if self._path is not None else self.fetch()

    def fetch(self) -> Path:
        """Bring the data here and return its path. Raises FileNotFoundError."""
        self._path = local_path(self._uri) if not is_remote(self._uri) else self._fetched()
        return self._path

    def _fetched(self) -> Path:
        self._folder = tempfile.TemporaryDirectory(prefix="flyte-")
        target = Path(self._folder.name, "data")
        if objects.size_of(self._uri) is not None:
            objects.get_file(self._uri, target)
        else:
            objects.get_folder(self._uri, target)
        return target

    def __exit__(self, *failure: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()
