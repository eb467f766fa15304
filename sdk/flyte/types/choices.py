"""Codecs of values out of a fixed choice: enum members, which travel by name, and literals."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from flyte.types.annotations import describe, strip
from flyte.types.codec import Codec, JsonSchema, Read, Value, Write, unwrapped
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.natural import read_natural, write_natural
from flyte.types.pickles import read_other, write_pickle


def build_choice(annotation: Any, of: Callable[[Any], Codec]) -> Codec | None:
    """Return the codec of an Enum class or a Literal."""
    bare = strip(annotation)
    if get_origin(bare) is Literal:
        return _literal_codec(annotation, get_args(bare))
    if isinstance(bare, type) and issubclass(bare, Enum) and len(bare.__members__):
        return _enum_codec(annotation, bare)
    return None


def _enum_codec(annotation: Any, owner: type[Enum]) -> Codec:
    names = list(owner.__members__)
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_enum_writer(owner),
        read=_enum_reader(owner),
        schema=lambda definitions: definitions.refer(owner, owner.__name__, lambda: {"type": "string", "enum": names}),
        plain=True,
        exact=owner,
    )


def _enum_writer(owner: type[Enum]) -> Write:
    members = owner.__members__

    def write(message: Value, value: Any) -> None:
        if type(value) is str and value in members:  # as the command line and forms give it
            message.enum_name = value
        elif not isinstance(value, owner):
            raise wrong_type(owner, value)
        elif value.name in members:
            message.enum_name = value.name
        else:  # flags that are combined have no name of their own
            write_pickle(message, value)

    return write


def _enum_reader(owner: type[Enum]) -> Read:
    members = owner.__members__

    def read(message: Value) -> Any:
        kind = message.WhichOneof("kind")
        if kind not in ("enum_name", "string", "int"):
            return read_other(owner, message, read)
        name = getattr(message, kind)
        member = members.get(name)
        if member is None and kind != "enum_name":  # as people write it
            member = next((member for member in members.values() if member.value == name), None)
        if member is None:
            raise TypeTransformerFailedError(
                f"{name!r} is not a member of {owner.__name__}: use one of {list(members)}"
            )
        return member

    return read


def _literal_codec(annotation: Any, choices: tuple[Any, ...]) -> Codec:
    by_key = {_choice_key(choice): choice for choice in choices}

    def write(message: Value, value: Any) -> None:
        if _choice_key(value) not in by_key:
            raise _no_choice(annotation, value)
        if isinstance(value, Enum):
            message.enum_name = value.name
        else:
            write_natural(message, value)

    def read(message: Value) -> Any:
        message = unwrapped(message)
        if message.WhichOneof("kind") == "enum_name":
            return _member_named(choices, message.enum_name)
        value = read_natural(message)
        if _choice_key(value) in by_key:
            return value
        raise _no_choice(annotation, value)

    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=write,
        read=read,
        schema=lambda definitions: _literal_schema(choices),
        plain=True,
        accepts_none=None in choices,
    )


def _choice_key(value: Any) -> tuple[type, Any]:
    # 1, True and 1.0 are equal but not the same choice; what cannot be hashed is none.
    return (type(value), value) if isinstance(value, Hashable) else (type(value), None)


def _member_named(choices: tuple[Any, ...], name: str) -> Any:
    for choice in choices:
        if choice == name or (isinstance(choice, Enum) and choice.name == name):
            return choice  # the bare name where the class of the enum is not known
    raise TypeTransformerFailedError(f"No member named {name!r} is among the choices {choices}")


def _no_choice(annotation: Any, value: Any) -> TypeTransformerFailedError:
    return TypeTransformerFailedError(f"Expected one of {annotation}, got {value!r}")


def _literal_schema(choices: tuple[Any, ...]) -> JsonSchema:
    plain = [choice.name if isinstance(choice, Enum) else choice for choice in choices]
    if any(isinstance(choice, bytes) for choice in plain):
        return {}
    kinds = {str: "string", int: "integer", bool: "boolean"}
    only = {kinds.get(type(choice)) for choice in plain}
    schema: JsonSchema = {"enum": plain}
    return {"type": only.pop(), **schema} if len(only) == 1 and None not in only else schema
