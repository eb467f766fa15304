"""Codecs of `flyte.io.File` and `Dir`: the data stays in the object store, its address travels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_origin

from flyte.types.annotations import describe, hash_method_of, strip
from flyte.types.codec import Codec, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.pickles import read_other
from flyteapi.task.v1 import value_pb2

_TYPES: Final = {
    "file": value_pb2.Reference.TYPE_FILE,
    "dir": value_pb2.Reference.TYPE_DIR,
    "data_frame": value_pb2.Reference.TYPE_DATA_FRAME,
}


def build_reference(annotation: Any, of: Callable[[Any], Codec]) -> Codec | None:
    """Return the codec of File or Dir, bare or with the format that it promises, such as `File["csv"]`."""
    bare = strip(annotation)
    owner = get_origin(bare) or bare
    kind = getattr(owner, "__flyte_reference__", None) if isinstance(owner, type) else None
    if kind not in ("file", "dir"):
        return None
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_writer(annotation, owner),
        read=_reader(annotation, owner, _TYPES[kind]),
        schema=lambda definitions: {
            "type": "object",
            "format": kind,
            "properties": {"path": {"type": "string"}, "hash": {"type": "string"}, "format": {"type": "string"}},
            "required": ["path"],
        },
        exact=owner,
    )


def write_reference(message: Value, value: Any, *, hash_method: Any = None) -> None:
    """Write a File, Dir or DataFrame; one that holds data not yet stored stores it first.

    A `hash_method` is given the File, Dir or DataFrame itself, and its result takes the place of the hash.
    """
    stored = value.__flyte_store__()
    reference = message.reference
    reference.type = _TYPES[value.__flyte_reference__]
    reference.uri = stored.uri
    reference.format = stored.format or ""
    reference.hash = stored.hash or ""
    if hash_method is not None:
        from flyte.io.hashing import hash_of

        reference.hash = hash_of(value, hash_method)
    reference.name = stored.name or ""
    reference.size_bytes = -1 if stored.size_bytes is None else stored.size_bytes


def read_reference(message: Value) -> Any:
    """Return the File or Dir of a message of kind `reference`."""
    from flyte.io import Dir, File

    owner: Any = Dir if message.reference.type == value_pb2.Reference.TYPE_DIR else File
    return restored(owner, message)


def restored(owner: Any, message: Value) -> Any:
    """Return an instance of a class of flyte.io for what is stored already."""
    from flyte.io.placement import StoredData

    reference = message.reference
    return owner.__flyte_restore__(
        StoredData(
            uri=reference.uri,
            format=reference.format,
            hash=reference.hash or None,
            name=reference.name or None,
            size_bytes=None if reference.size_bytes < 0 else reference.size_bytes,
        )
    )


def _writer(annotation: Any, owner: type) -> Write:
    hash_method = hash_method_of(annotation)

    def write(message: Value, value: Any) -> None:
        if not isinstance(value, owner):
            raise wrong_type(annotation, value)
        write_reference(message, value, hash_method=hash_method)

    return write


def _reader(annotation: Any, owner: type, kind: Any) -> Read:
    def read(message: Value) -> Any:
        if message.WhichOneof("kind") == "reference" and message.reference.type == kind:
            return restored(owner, message)
        found = of_json_form(owner, message)
        return found if found is not None else read_other(annotation, message, read)

    return read


def of_json_form(owner: Any, message: Value) -> Any | None:
    """Return the reference that an address or a dict of fields means, as a form writes it; None for anything else."""
    kind = message.WhichOneof("kind")
    if kind == "string":
        return owner.from_existing_remote(message.string)
    if kind != "map" or any(entry.key.WhichOneof("kind") != "string" for entry in message.map.entries):
        return None
    fields = {entry.key.string: entry.value.string or None for entry in message.map.entries}
    try:
        return owner.from_dict({name: text for name, text in fields.items() if text is not None})
    except ValueError as error:
        raise TypeTransformerFailedError(str(error)) from None
