"""Codecs of abstract collections, such as `Sequence[Row]` and `Mapping[str, Row]`.

The annotation leaves open which class the value is of. A list, set or dict is written as one; any other class is
carried as a pickle, because it has to come back as what it was.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Callable
from typing import Any, Final, get_args, get_origin

from flyte.types.annotations import describe, strip
from flyte.types.codec import Codec, Value, Write
from flyte.types.mismatch import wrong_type
from flyte.types.pickles import write_pickle

_CONCRETE: Final[dict[Any, Any]] = {
    abc.Iterable: list,
    abc.Collection: list,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Set: set,
    abc.MutableSet: set,
    abc.Mapping: dict,
    abc.MutableMapping: dict,
}


def build_abstract(annotation: Any, of: Callable[[Any], Codec]) -> Codec | None:
    """Return the codec of an abstract collection with the types of its parts."""
    bare = strip(annotation)
    owner, arguments = get_origin(bare), get_args(bare)
    concrete = _CONCRETE.get(owner) if arguments else None
    if concrete is None or not isinstance(owner, type):
        return None
    codec = of(concrete[arguments])
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_writer(annotation, owner, concrete, codec.write),
        read=codec.read,
        schema=codec.schema,
    )


def _writer(annotation: Any, owner: type, concrete: type, write_concrete: Write) -> Write:
    def write(message: Value, value: Any) -> None:
        if type(value) is concrete:
            write_concrete(message, value)
        elif isinstance(value, owner) and not isinstance(value, str | bytes):
            write_pickle(message, value)
        else:
            raise wrong_type(annotation, value)

    return write
