"""Codecs of `flyte.io.DataFrame` and of the frames of pandas, pyarrow and polars themselves.

A raw frame is stored as parquet and read back as what the annotation names, with those columns only that it lists, as
in `Annotated[pandas.DataFrame, {"name": str}]`. The libraries are never imported from here: an annotation that names
one has imported it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, get_origin

from flyte.types.annotations import describe, hash_method_of, metadata, strip
from flyte.types.codec import Codec, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.pickles import read_other, write_pickle
from flyte.types.references import of_json_form, restored, write_reference
from flyteapi.task.v1 import value_pb2

_RAW_FRAMES: Final = frozenset(
    {("pandas", "DataFrame"), ("pyarrow", "Table"), ("polars", "DataFrame"), ("polars", "LazyFrame")}
)
_FORMATS: Final = frozenset({"parquet", "csv"})
_SCHEMA: Final = {
    "type": "object",
    "format": "data_frame",
    "properties": {"uri": {"type": "string"}, "format": {"type": "string"}},
    "required": ["uri"],
}


def build_frame(annotation: Any, of: Callable[[Any], Codec]) -> Codec | None:
    """Return the codec of DataFrame, or of a class of frames that can be stored as parquet."""
    bare = strip(annotation)
    owner = get_origin(bare) or bare
    if not isinstance(owner, type):
        return None
    raw = is_raw_frame(owner)
    if not raw and getattr(owner, "__flyte_reference__", None) != "data_frame":
        return None
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_raw_writer(annotation, owner) if raw else _writer(annotation, owner),
        read=_raw_reader(annotation, owner) if raw else _reader(annotation, owner),
        schema=lambda definitions: dict(_SCHEMA),
        exact=owner,
    )


def is_raw_frame(owner: type) -> bool:
    """Tell whether a class is a frame of one of the known libraries."""
    return (owner.__module__.partition(".")[0], owner.__name__) in _RAW_FRAMES


def read_frame_reference(message: Value) -> Any | None:
    """Return the DataFrame of a message of kind `reference`, or None if it is a File or Dir."""
    if message.reference.type != value_pb2.Reference.TYPE_DATA_FRAME:
        return None
    from flyte.io import DataFrame

    return restored(DataFrame, message)


def _writer(annotation: Any, owner: type) -> Write:
    write_raw = _raw_writer(annotation, object)
    frame_format = _format_of(annotation)
    hash_method = hash_method_of(annotation)

    def write(message: Value, value: Any) -> None:
        if isinstance(value, owner):
            _prefer(value, frame_format)
            write_reference(message, value, hash_method=hash_method)
        elif is_raw_frame(type(value)):
            write_raw(message, value)
        else:
            raise wrong_type(annotation, value)

    return write


def _raw_writer(annotation: Any, owner: type) -> Write:
    hash_method = hash_method_of(annotation)
    frame_format = _format_of(annotation)

    def write(message: Value, value: Any) -> None:
        from flyte.io import DataFrame

        if isinstance(value, DataFrame):
            _prefer(value, frame_format)
            write_reference(message, value)
        elif isinstance(value, owner):
            _write_frame(message, value, hash_method, frame_format)
        else:
            raise wrong_type(annotation, value)

    return write


def _format_of(annotation: Any) -> str:
    """The format that an annotation asks for, as in `Annotated[DataFrame, "csv"]`; empty if it says nothing of one."""
    return next((extra for extra in metadata(annotation) if isinstance(extra, str) and extra in _FORMATS), "")


def _columns_of(annotation: Any) -> tuple[str, ...] | None:
    """The columns that an annotation lists; None if it lists none."""
    listed = next((extra for extra in metadata(annotation) if isinstance(extra, Mapping)), None)
    return None if listed is None else tuple(map(str, listed))


def _prefer(frame: Any, frame_format: str) -> None:
    """Have a frame that is not stored yet stored in the format that the annotation asks for."""
    if frame_format:
        frame.prefer_format(frame_format)


def _write_frame(message: Value, value: Any, hash_method: Any, frame_format: str) -> None:
    from flyte.io import DataFrame
    from flyte.io.frame_formats import FrameEngineMissing

    try:
        frame = DataFrame.stored(value, hash_method=hash_method, frame_format=frame_format)
    except FrameEngineMissing:
        write_pickle(message, value)
    else:
        write_reference(message, frame)


def _reader(annotation: Any, owner: Any) -> Read:
    columns = _columns_of(annotation)

    def read(message: Value) -> Any:
        if message.WhichOneof("kind") == "reference":
            found = restored(owner, message)
        else:
            found = of_json_form(owner, message)
        if found is None:
            return read_other(annotation, message, read)
        if columns is not None:
            found.choose_columns(columns)
        return found

    return read


def _raw_reader(annotation: Any, owner: type) -> Read:
    columns = _columns_of(annotation)

    def read(message: Value) -> Any:
        from flyte.io import DataFrame

        if message.WhichOneof("kind") == "reference":
            frame = read_frame_reference(message)
        elif (frame := of_json_form(DataFrame, message)) is None:
            return read_other(annotation, message, read)
        if frame is None:
            raise TypeTransformerFailedError(f"Expected a frame for {annotation}, got a file or folder")
        if columns is None:
            return frame.open(owner).all_sync()
        frame.choose_columns(columns)
        try:
            return frame.open(owner).all_sync()
        except Exception as error:  # each library has its own for a column that is not there
            raise TypeTransformerFailedError(f"The columns {', '.join(columns)} cannot be read: {error}") from error

    return read
