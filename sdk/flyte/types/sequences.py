"""Codecs of lists, sets and tuples of any length.

Homogeneous ints, floats and strs are packed: one message for the whole sequence instead of one for each item. A set is
written in the order of its items' bytes, so that equal sets are equal messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final, get_args, get_origin

from flyte.types.annotations import describe, strip
from flyte.types.codec import Codec, Definitions, JsonSchema, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.pickles import read_other

_BUILT: Final[dict[Any, type]] = {list: list, set: set, frozenset: frozenset, tuple: tuple}
_PACKED: Final[dict[type, str]] = {int: "ints", float: "floats", str: "strings"}
_ITEM_KINDS: Final = {"ints": "int", "floats": "float", "strings": "string"}
SEQUENCE_KINDS: Final = frozenset({"list", *_ITEM_KINDS})
"""The kinds of messages that hold items."""


def build_sequence(annotation: Any, of: Callable[[Any], Codec]) -> Codec | None:
    """Return the codec of a list, set, frozenset or variadic tuple, bare or with the type of its items."""
    bare = strip(annotation)
    container = _BUILT.get(get_origin(bare) or bare) if _hashable(bare) else None
    arguments = get_args(bare)
    if container is None or (container is tuple and arguments and arguments[-1] is not Ellipsis):
        return None
    if container is tuple and bare is not tuple and not arguments:
        return None
    item = of(arguments[0] if arguments else Any)
    unordered = container in (set, frozenset)
    write_items = items_writer(item)
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_set_writer(annotation, container, item) if unordered else _writer(annotation, container, write_items),
        read=_reader(annotation, container, item),
        schema=lambda definitions: _schema(item, unordered, definitions),
        plain=item.plain,
        exact=container if not arguments else None,
    )


def items_writer(item: Codec) -> Callable[[Value, Iterable[Any]], None]:
    """Return a writer of items that packs them if their type allows it."""
    packed = _PACKED.get(item.annotation) if isinstance(item.annotation, type) else None
    if packed is None:
        general = _one_by_one(item.write)
        return _packing_if_homogeneous(general) if item.annotation is Any else general
    return _packing_writer(item, item.annotation, packed)


def read_items(message: Value) -> Any | None:
    """Return the packed items of a message, the messages of general ones, or None if it holds no sequence."""
    kind = message.WhichOneof("kind")
    if kind in ("ints", "floats", "strings"):
        return getattr(message, kind).items
    return message.list.items if kind == "list" else None


def _packing_writer(item: Codec, expected: type, packed: str) -> Callable[[Value, Any], None]:
    general = _one_by_one(item.write)
    only = {expected}

    def write(message: Value, values: Any) -> None:
        if not only.issuperset(map(type, values)):
            general(message, values)
            return
        target = getattr(message, packed)
        target.SetInParent()
        try:
            target.items.extend(values)
        except ValueError:  # an int beyond 64 bits, or a str with lone surrogates
            general(message, values)

    return write


def pack_homogeneous(message: Value, values: Any) -> bool:
    """Write items that are all of one packed type; tell whether they are."""
    kinds = set(map(type, values))
    packed = _PACKED.get(next(iter(kinds))) if len(kinds) == 1 else None
    if packed is None:
        return False
    try:
        getattr(message, packed).items.extend(values)
    except ValueError:  # an int beyond 64 bits, or a str with lone surrogates
        return False
    return True


def _packing_if_homogeneous(general: Callable[[Value, Any], None]) -> Callable[[Value, Any], None]:
    def write(message: Value, values: Any) -> None:
        if not pack_homogeneous(message, values):
            general(message, values)

    return write


def _one_by_one(write_item: Write) -> Callable[[Value, Any], None]:
    def write(message: Value, values: Any) -> None:
        message.ClearField("list")
        target = message.list
        target.SetInParent()
        add = target.items.add
        index = 0
        try:
            for index, value in enumerate(values):  # noqa: B007 - says where an item did not fit
                write_item(add(), value)
        except TypeTransformerFailedError as failure:
            raise failure.inside(f"[{index}]") from None

    return write


def _writer(annotation: Any, container: type, write_items: Callable[[Value, Any], None]) -> Write:
    def write(message: Value, value: Any) -> None:
        if type(value) is not container and not isinstance(value, container):
            raise wrong_type(annotation, value)
        write_items(message, value)

    return write


def _set_writer(annotation: Any, container: type, item: Codec) -> Write:
    write_items, write_apart = items_writer(item), _one_by_one(item.write)
    sortable = isinstance(item.annotation, type) and item.annotation in _PACKED

    def write(message: Value, value: Any) -> None:
        if not isinstance(value, set | frozenset):
            raise wrong_type(annotation, value)
        if sortable and {item.annotation}.issuperset(map(type, value)):
            write_items(message, sorted(value, key=_nan_last if item.annotation is float else None))
            return
        message.list.SetInParent()
        write_apart(message, value)
        ordered = sorted(message.list.items, key=_canonical)
        general = Value()
        general.list.items.extend(ordered)
        message.CopyFrom(general)

    return write


def _nan_last(number: float) -> tuple[bool, float]:
    # NaN is neither less nor greater than any number, so where it comes to stand would depend on the set's own order.
    return (True, 0.0) if number != number else (False, number)


def _canonical(item: Value) -> bytes:
    from flyte.spec.digests import canonical_bytes

    return canonical_bytes(item)


def _reader(annotation: Any, container: type, item: Codec) -> Read:
    expected = _PACKED.get(item.annotation) if isinstance(item.annotation, type) else None
    packed_items = attrgetter(f"{expected}.items")
    read_item = item.read

    def read(message: Value) -> Any:
        kind = message.WhichOneof("kind")
        if kind == expected:
            return container(packed_items(message))
        if kind == "list":
            return container([read_item(element) for element in message.list.items])
        if kind in _ITEM_KINDS:
            return container([read_item(element) for element in unpacked_items(message)])
        return read_other(annotation, message, read)

    return read


def unpacked_items(message: Value) -> list[Value]:
    """Return the items of a message of one of `SEQUENCE_KINDS`, each as a message of its own."""
    if message.WhichOneof("kind") == "list":
        return list(message.list.items)
    kind = _ITEM_KINDS[message.WhichOneof("kind") or ""]
    return [Value(**{kind: element}) for element in read_items(message) or ()]


def _schema(item: Codec, unordered: bool, definitions: Definitions) -> JsonSchema:
    schema: JsonSchema = {"type": "array", "items": item.schema(definitions)}
    return {**schema, "uniqueItems": True} if unordered else schema


def _hashable(annotation: Any) -> bool:
    try:
        hash(annotation)
    except TypeError:
        return False
    return True
