"""Fields of dataclasses that hold something else than their annotation says.

Nothing checks what is put into a dataclass, and programs rely on it: a float where an int stands, a tuple for a list, a
str for a path. Such a value is made what the annotation names where Python can; a builtin comes back as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final, get_args, get_origin
from uuid import UUID

from flyte.types.annotations import is_union, strip
from flyte.types.codec import Codec, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError
from flyte.types.pickles import write_pickle

_SCALARS: Final = (int, float, str, bool, bytes)
_COLLECTIONS: Final = (list, set, frozenset, tuple)
_TEXTS: Final = (PurePath, Decimal, UUID)
_BUILTIN: Final = frozenset({*_SCALARS, *_COLLECTIONS, dict})


def as_it_is(codec: Codec) -> Write:
    """Return the writer of a field; it takes what does not fit, too, unless only an instance of its class will do."""
    owners = _owners(codec.annotation)
    if not any(owner in _BUILTIN or _is_text(owner) for owner in owners):
        return codec.write
    write_fitting = codec.write

    def write(message: Value, value: Any) -> None:
        try:
            write_fitting(message, value)
        except TypeTransformerFailedError as failure:
            message.Clear()
            _write_unfit(message, value, owners, write_fitting, failure)

    return write


def _write_unfit(
    message: Value, value: Any, owners: tuple[Any, ...], write_fitting: Write, failure: TypeTransformerFailedError
) -> None:
    for owner in owners:
        try:
            write_fitting(message, _made(owner, value))
        except (TypeError, ValueError, ArithmeticError):
            message.Clear()
        else:
            return
    if _BUILTIN.isdisjoint(owners):
        raise failure
    try:
        write_pickle(message, value)
    except TypeTransformerFailedError:
        raise failure from None


def _made(owner: Any, value: Any) -> Any:
    """Make a value what a class is made of. Raises TypeError where the class takes more than means the same."""
    if owner in _COLLECTIONS and isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        return owner(value)
    if _is_text(owner) and isinstance(value, str | int | PurePath):
        return owner(str(value))
    raise TypeError


def _is_text(owner: Any) -> bool:
    return isinstance(owner, type) and issubclass(owner, _TEXTS)


def _owners(annotation: Any) -> tuple[Any, ...]:
    bare = strip(annotation)
    if is_union(bare):
        return tuple(owner for argument in get_args(bare) for owner in _owners(argument))
    owner = get_origin(bare) or bare
    return (owner,)
