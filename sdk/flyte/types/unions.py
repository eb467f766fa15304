"""Codecs of unions: a value travels with the text of the alternative that it is.

The alternative is chosen by the exact type of the value first, then by trying, in the order of the annotation, those
of the value's own class before others; those that take anything come last. The reader goes by the text, and tries
only if the text names none of its alternatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args, get_origin

from flyte.types.annotations import describe, is_union, strip
from flyte.types.codec import Codec, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError


def build_union(annotation: Any, of: Callable[[Any], Codec]) -> Codec | None:
    """Return the codec of a Union or Optional in either spelling."""
    bare = strip(annotation)
    if not is_union(bare):
        return None
    named = _named([of(argument) for argument in get_args(bare)])
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_writer(annotation, named),
        read=_reader(annotation, named),
        schema=lambda definitions: {"anyOf": [codec.schema(definitions) for _, codec in named]},
        plain=all(codec.plain for _, codec in named),
        accepts_all=any(codec.accepts_all for _, codec in named),
        accepts_none=any(codec.accepts_none for _, codec in named),
    )


def _named(codecs: list[Codec]) -> list[tuple[str, Codec]]:
    """Return each alternative with a text of its own; two classes of one name are numbered."""
    seen: dict[str, int] = {}
    named = []
    for codec in codecs:
        count = seen[codec.type_name] = seen.get(codec.type_name, 0) + 1
        named.append((codec.type_name if count == 1 else f"{codec.type_name}#{count}", codec))
    return named


def _writer(annotation: Any, named: list[tuple[str, Codec]]) -> Write:
    exact = {codec.exact: (name, codec.write) for name, codec in reversed(named) if codec.exact is not None}
    in_order = sorted(named, key=lambda alternative: alternative[1].accepts_all)
    own_first = _own_first(in_order)

    def write(message: Value, value: Any) -> None:
        chosen = exact.get(type(value))
        if chosen is not None:
            union = message.union
            union.alternative, write_alternative = chosen
            write_alternative(union.value, value)
            return
        _write_first_fit(annotation, own_first.get(type(value), in_order), message, value)

    return write


def _own_first(alternatives: list[tuple[str, Codec]]) -> dict[type, list[tuple[str, Codec]]]:
    """Return, for the values of each class that an alternative names, the alternatives with those of the class first:
    a set takes what a frozenset is, too."""
    owners = [_class_of(codec) for _, codec in alternatives]
    return {
        owner: [
            *(one for one, its in zip(alternatives, owners, strict=True) if its is owner),
            *(one for one, its in zip(alternatives, owners, strict=True) if its is not owner),
        ]
        for owner in owners
        if isinstance(owner, type)
    }


def _class_of(codec: Codec) -> Any:
    bare = strip(codec.annotation)
    return get_origin(bare) or bare


def _write_first_fit(annotation: Any, alternatives: list[tuple[str, Codec]], message: Value, value: Any) -> None:
    reasons = []
    for name, codec in alternatives:
        if codec.accepts_all and isinstance(codec.exact, type) and not isinstance(value, codec.exact):
            continue
        try:
            codec.write(message.union.value, value)
        except TypeTransformerFailedError as failure:
            reasons.append(f"{name}: {failure}")
            message.union.ClearField("value")
        else:
            message.union.alternative = name
            return
    message.ClearField("union")
    raise TypeTransformerFailedError(
        f"Cannot convert from type {type(value)} to any of the alternatives of {annotation} ({'; '.join(reasons)})"
    )


def _reader(annotation: Any, named: list[tuple[str, Codec]]) -> Read:
    readers = {name: codec.read for name, codec in named}
    in_order = [codec.read for _, codec in sorted(named, key=lambda alternative: alternative[1].accepts_all)]
    read_text = next((codec.read for _, codec in named if codec.exact is str), None)

    def read(message: Value) -> Any:
        union = message.union  # empty, and so without an alternative, in a message of another kind
        read_alternative = readers.get(union.alternative)
        if read_alternative is not None:
            return read_alternative(union.value)
        if message.WhichOneof("kind") == "union":
            message = union.value
        if read_text is not None and message.WhichOneof("kind") == "string":
            return read_text(message)  # before those that read a text as what it may mean
        return _read_first_fit(annotation, in_order, message)

    return read


def _read_first_fit(annotation: Any, readers: list[Read], message: Value) -> Any:
    reasons = []
    for read in readers:
        try:
            return read(message)
        except TypeTransformerFailedError as failure:
            reasons.append(str(failure))
    raise TypeTransformerFailedError(f"The value is none of {annotation} ({'; '.join(reasons)})")
