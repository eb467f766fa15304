"""The way from an annotation to its codec.

`codec_for` asks the families in order, the registered ones first. For what none of them knows the installed plugins are
loaded, and if none of these registers it either, it is carried by its natural form or, without one, as a pickle. Codecs
are kept for the life of the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from flyte.types.abstract import build_abstract
from flyte.types.annotations import describe, strip
from flyte.types.choices import build_choice
from flyte.types.codec import Codec, Value
from flyte.types.dataclass_records import build_dataclass
from flyte.types.frames import build_frame
from flyte.types.mappings import build_mapping
from flyte.types.named_records import build_named_record
from flyte.types.natural import build_natural
from flyte.types.nesting import RECORD_LEVELS, counted
from flyte.types.plugins import load_type_plugins
from flyte.types.pydantic_records import build_pydantic_model
from flyte.types.references import build_reference
from flyte.types.scalars import LOOSE_FLOAT, SCALARS
from flyte.types.sequences import build_sequence
from flyte.types.texts import build_text
from flyte.types.tuples import build_tuple
from flyte.types.unions import build_union

Family: TypeAlias = Callable[[Any, "Building"], Codec | None]
"""Returns the codec of an annotation, or None if it belongs to another family."""


class TypeCodecFactory(Protocol):
    """What a registered family is: makes the codec of an annotation of its type."""

    def __call__(self, annotation: Any, of: Callable[[Any], Codec]) -> Codec:
        """Return the codec; `of` gives the codecs of the parts of the annotation."""
        ...


_FAMILIES: Final[tuple[Family, ...]] = (
    build_union,
    build_sequence,
    build_tuple,
    build_mapping,
    build_choice,
    build_reference,
    build_frame,
    build_dataclass,
    build_pydantic_model,
    build_named_record,
    build_abstract,
    build_text,
)

_lock = threading.RLock()
_finished: dict[Any, Codec] = {}
_registered: dict[Any, TypeCodecFactory] = {}


@dataclass(frozen=True, slots=True)
class Building:
    """One build under way: gives families the codecs of the parts of their annotations."""

    loose: bool = False
    """Whether an int is taken for a float, as in the fields of records."""
    open_keys: set[Any] = field(default_factory=set)

    def __call__(self, annotation: Any) -> Codec:
        """Return the codec of a part."""
        return _build(annotation, self)

    def loosely(self) -> Building:
        """Return the same build for the fields of a record."""
        return self if self.loose else Building(loose=True, open_keys=self.open_keys)


def codec_for(annotation: Any) -> Codec:
    """Return the codec of an annotation; always the same one for the same annotation."""
    try:
        return _finished[_key(annotation, loose=False)]
    except KeyError:
        with _lock:
            return _build(annotation, Building())
    except TypeError:  # an annotation that cannot be hashed, such as Annotated[int, []]
        with _lock:
            return _build_unkept(annotation, Building())


def register_codec(owner: Any, factory: TypeCodecFactory) -> None:
    """Have `factory` make the codecs of a class, and of the generic aliases of it, from now on."""
    with _lock:
        _registered[owner] = factory
        _finished.clear()


def is_registered(owner: Any) -> bool:
    """Tell whether `register_codec` was called for a class."""
    return owner in _registered


def registered_classes() -> tuple[Any, ...]:
    """Return the classes that `register_codec` was called for."""
    return tuple(_registered)


def _key(annotation: Any, *, loose: bool) -> Any:
    # Unions compare equal whatever their order, but describe themselves in it.
    return annotation, repr(annotation), loose


def _build(annotation: Any, building: Building) -> Codec:
    try:
        key = _key(annotation, loose=building.loose)
        known = _finished.get(key)
    except TypeError:
        return _build_unkept(annotation, building)
    if known is not None:
        return known
    if key in building.open_keys:
        return _deferred(annotation, key)
    building.open_keys.add(key)
    try:
        codec = _finished[key] = _build_unkept(annotation, building)
    finally:
        building.open_keys.discard(key)
    return codec


def _build_unkept(annotation: Any, building: Building) -> Codec:
    bare = strip(annotation)
    registered = _registered.get(getattr(bare, "__origin__", None) or bare) if _registered else None
    if registered is not None:
        return registered(annotation, building)
    if bare is float and building.loose:
        return LOOSE_FLOAT
    if isinstance(bare, type) and bare in SCALARS:
        return SCALARS[bare]
    for family in _FAMILIES:
        codec = family(annotation, building)
        if codec is not None:
            return codec
    load_type_plugins()
    factory = _registered_for_a_base(bare)
    return factory(annotation, building) if factory is not None else build_natural(annotation, building)


def _registered_for_a_base(bare: Any) -> TypeCodecFactory | None:
    """Return what was registered for the class or its nearest base, perhaps just now by a plugin."""
    owner = getattr(bare, "__origin__", None) or bare
    bases = owner.__mro__[:-1] if isinstance(owner, type) else (owner,)
    return next((_registered[base] for base in bases if base in _registered), None) if _registered else None


def _deferred(annotation: Any, key: Any) -> Codec:
    """Return a stand-in for a codec that is being built further out: a class that contains itself."""

    def finished() -> Codec:
        return _finished.get(key) or _build(annotation, Building(loose=key[2]))

    def write(message: Value, value: Any) -> None:
        finished().write(message, value)

    def read(message: Value) -> Any:
        return finished().read(message)

    bare = strip(annotation)
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=counted(write, RECORD_LEVELS),
        read=read,
        schema=lambda definitions: finished().schema(definitions),
        exact=bare if isinstance(bare, type) else None,
    )
