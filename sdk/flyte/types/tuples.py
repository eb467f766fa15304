"""Codecs of tuples of fixed length: one value of named fields, `item_0`, `item_1`, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args, get_origin

from flyte.types.annotations import describe, strip
from flyte.types.codec import Codec, Definitions, JsonSchema, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.pickles import read_other
from flyte.types.sequences import SEQUENCE_KINDS, unpacked_items


def build_tuple(annotation: Any, of: Callable[[Any], Codec]) -> Codec | None:
    """Return the codec of `tuple[A, B]`."""
    bare = strip(annotation)
    if get_origin(bare) is not tuple:
        return None
    items = tuple(of(argument) for argument in get_args(bare))
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_writer(annotation, items),
        read=_reader(annotation, items),
        schema=lambda definitions: _schema(items, definitions),
        plain=len(items) <= 10 and all(item.plain for item in items),  # beyond, item_10 comes before item_2
    )


def _writer(annotation: Any, items: tuple[Codec, ...]) -> Write:
    parts = tuple((f"item_{index}", item.write) for index, item in enumerate(items))

    def write(message: Value, value: Any) -> None:
        if not isinstance(value, tuple):
            raise wrong_type(annotation, value)
        if len(value) != len(parts):
            raise TypeTransformerFailedError(f"Expected a tuple of {len(parts)} items, got {len(value)}")
        struct = message.struct
        struct.type_name = "tuple"
        name = ""
        try:
            for (name, write_item), element in zip(parts, value, strict=True):
                write_item(struct.fields.add(name=name).value, element)
        except TypeTransformerFailedError as failure:
            raise failure.inside(f"[{name.removeprefix('item_')}]") from None

    return write


def _reader(annotation: Any, items: tuple[Codec, ...]) -> Read:
    readers = tuple(item.read for item in items)

    def read(message: Value) -> Any:
        kind = message.WhichOneof("kind")
        if kind == "struct":
            elements = [part.value for part in message.struct.fields]
        elif kind in SEQUENCE_KINDS:  # as a form or another language writes it
            elements = unpacked_items(message)
        else:
            return read_other(annotation, message, read)
        if len(elements) != len(readers):
            raise TypeTransformerFailedError(f"Expected a tuple of {len(readers)} items, got {len(elements)}")
        return tuple(read_item(element) for read_item, element in zip(readers, elements, strict=True))

    return read


def _schema(items: tuple[Codec, ...], definitions: Definitions) -> JsonSchema:
    count = len(items)
    prefix = [item.schema(definitions) for item in items]
    return {"type": "array", "prefixItems": prefix, "minItems": count, "maxItems": count}
