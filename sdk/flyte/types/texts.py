"""Codecs of single values that have an exact text: paths, UUIDs, decimals.

A value of a subclass is carried as a pickle: its text would not bring back what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final
from uuid import UUID

from flyte.types.annotations import describe, strip
from flyte.types.codec import Codec, Read, Value, Write, constant_schema
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.pickles import read_other, write_pickle
from flyte.types.scalars import write_str

_FORMATS: Final[dict[Any, str]] = {
    Path: "path",
    PosixPath: "path",
    PurePath: "path",
    PurePosixPath: "path",
    PureWindowsPath: "path",
    UUID: "uuid",
    Decimal: "decimal",
}


def build_text(annotation: Any, of: Callable[[Any], Codec]) -> Codec | None:
    """Return the codec of a path class, UUID or Decimal."""
    owner = strip(annotation)
    if not isinstance(owner, type) or owner not in _FORMATS:
        return None
    made = type(owner()) if owner in (Path, PurePath) else owner
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_writer(annotation, owner, made),
        read=_reader(annotation, owner),
        schema=constant_schema(type="string", format=_FORMATS[owner]),
        plain=True,
        exact=made,
    )


def _writer(annotation: Any, owner: type, made: type) -> Write:
    def write(message: Value, value: Any) -> None:
        if type(value) is made:
            write_str(message, str(value))
        elif isinstance(value, owner):
            write_pickle(message, value)
        else:
            raise wrong_type(annotation, value)

    return write


def _reader(annotation: Any, owner: Callable[[str], Any]) -> Read:
    def read(message: Value) -> Any:
        if message.WhichOneof("kind") != "string":
            value = read_other(annotation, message, read)
            # A text with lone surrogates, as paths may be, is a pickle of the text.
            return owner(value) if type(value) is str else value
        try:
            return owner(message.string)
        except (ValueError, ArithmeticError) as error:
            raise TypeTransformerFailedError(f"{message.string!r} is no {describe(annotation)}: {error}") from error

    return read
