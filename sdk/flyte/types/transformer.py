"""Custom types: subclass `TypeTransformer` and register an instance with `TypeEngine`, as with the peer SDK.

A transformer returns messages of this platform (`Literal`), which `TypeEngine.to_literal` makes of plain values, or any
protobuf message of its own, which is carried as its bytes.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeAlias, TypeVar, get_origin, runtime_checkable

from google.protobuf.message import Message

from flyte.types.annotations import describe
from flyte.types.codec import Codec, Value
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.pickles import read_other

if TYPE_CHECKING:
    from flyte.types.codecs import TypeCodecFactory

T = TypeVar("T")
Literal: TypeAlias = Value
"""The message of one value."""

_MESSAGE_FIELD: Final = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralType:
    """The type of a value, as it is stored with a task: a text for people and a JSON Schema for forms."""

    type_name: str
    json_schema: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Renderable(Protocol):
    """In `Annotated[T, renderer]`: shows the values of an annotation in reports."""

    def to_html(self, python_value: Any) -> str:
        """Return the value as HTML."""
        ...


class TypeTransformer(ABC, Generic[T]):
    """Converts the values of one class. `name` is for people, `t` the class."""

    def __init__(self, name: str, t: type[T], enable_type_assertions: bool = True) -> None:
        self._name = name
        self._type = t
        self._type_assertions_enabled = enable_type_assertions

    @property
    def name(self) -> str:
        """The name, for people."""
        return self._name

    @property
    def python_type(self) -> type[T]:
        """The class."""
        return self._type

    @property
    def type_assertions_enabled(self) -> bool:
        """Whether values are checked before they are converted."""
        return self._type_assertions_enabled

    def isinstance_generic(self, obj: Any, generic_alias: Any) -> bool:
        """Tell whether a value is of the class that an alias such as `Box[int]` is of."""
        return isinstance(obj, get_origin(generic_alias) or generic_alias)

    def assert_type(self, t: type[T], v: T) -> None:
        """Raise TypeTransformerFailedError for a value of another class."""
        if not self.isinstance_generic(v, t):
            raise wrong_type(t, v)

    @abstractmethod
    def get_literal_type(self, t: type[T]) -> Any:
        """Return what describes the values: a `LiteralType`, or whatever else `to_literal` expects."""

    @abstractmethod
    async def to_literal(self, python_val: T, python_type: type[T], expected: Any) -> Message:
        """Return the message of a value; `expected` is what `get_literal_type` returned."""

    @abstractmethod
    async def to_python_value(self, lv: Any, expected_python_type: type[T]) -> T | None:
        """Return the value of a message that `to_literal` made."""

    def from_binary_idl(self, binary_idl_object: Any, expected_python_type: type[T]) -> T | None:
        """Return the value of bytes in the peer SDK's msgpack form. This platform writes none: override to read some.

        Raises TypeTransformerFailedError unless overridden.
        """
        raise TypeTransformerFailedError(
            f"The transformer {self.name} reads no msgpack: values are messages here, which to_python_value reads"
        )

    def guess_python_type(self, literal_type: Any) -> type[T]:
        """Return the class for a type that is known by its description only. Raises ValueError unless overridden."""
        raise ValueError(f"The transformer {self.name} does not guess types")

    def to_html(self, python_val: T, expected_python_type: type[T]) -> str:
        """Return a value as HTML for a report."""
        return escape(str(python_val))

    def __repr__(self) -> str:
        return f"{self.name} Transforms ({self._type}) to Flyte native"


def codec_factory(transformer: TypeTransformer[Any]) -> TypeCodecFactory:
    """Return what `register_codec` takes: makes codecs that call a transformer."""

    def make(annotation: Any, of: Callable[[Any], Codec]) -> Codec:
        expected = transformer.get_literal_type(annotation)
        known = expected if isinstance(expected, LiteralType) else None
        schema = known.json_schema if known is not None else {"title": transformer.name}

        def write(message: Value, value: Any) -> None:
            if transformer.type_assertions_enabled:
                transformer.assert_type(annotation, value)
            keep_message(message, result_of(transformer.to_literal(value, annotation, expected)), transformer.name)

        def read(message: Value) -> Any:
            kind = message.WhichOneof("kind")
            if kind == "union":
                return read_other(annotation, message, read)
            return result_of(transformer.to_python_value(kept_message(message), annotation))

        return Codec(
            annotation=annotation,
            type_name=describe(annotation),
            write=write,
            read=read,
            schema=lambda definitions: dict(schema),
            exact=transformer.python_type,
        )

    return make


def keep_message(target: Value, literal: Any, name: str) -> None:
    """Write what a transformer returned. Raises TypeTransformerFailedError for anything but a protobuf message."""
    if isinstance(literal, Value):
        target.CopyFrom(literal)
    elif isinstance(literal, Message):
        target.struct.type_name = literal.DESCRIPTOR.full_name
        target.struct.fields.add(name=_MESSAGE_FIELD).value.bytes = literal.SerializeToString(deterministic=True)
    else:
        raise TypeTransformerFailedError(f"The transformer {name} returned {type(literal)}, not a protobuf message")


def kept_message(message: Value) -> Message:
    """Return what `keep_message` wrote: the message itself, or the foreign one inside it."""
    fields = message.struct.fields
    if len(fields) != 1 or fields[0].name != _MESSAGE_FIELD or "." not in message.struct.type_name:
        return message
    from google.protobuf import descriptor_pool, message_factory

    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(message.struct.type_name)
    except KeyError:
        raise TypeTransformerFailedError(
            f"The message type {message.struct.type_name} is not known here: import the module that defines it"
        ) from None
    return message_factory.GetMessageClass(descriptor).FromString(fields[0].value.bytes)


def result_of(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine of a transformer to its end, for a caller that cannot await it.

    It gets an event loop in a thread of its own, since the caller's loop may be the one that waits here.
    """
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(_awaited(coroutine)))
        except BaseException as error:
            failure.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name="flyte-transformer", daemon=True)
    thread.start()
    thread.join()
    if not failure:
        return outcome[0]
    if isinstance(failure[0], TypeTransformerFailedError) or not isinstance(failure[0], Exception):
        raise failure[0]
    error = failure[0]
    raise TypeTransformerFailedError(f"{type(error).__name__}: {error}") from error


async def _awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await coroutine
