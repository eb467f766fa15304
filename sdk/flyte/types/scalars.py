"""Codecs of single values: None, bool, int, float, str, bytes, points in time and durations.

No value is converted to another type on the way in: a bool is not an int and an int is not a float. A naive datetime
stays naive. A reader also takes the JSON form of its values, as a form or another language writes it.

What the portable kind cannot hold (an int of thousands of digits, a str with lone surrogates, a duration beyond 64 bits
of microseconds) travels as a pickle, so that every value of the type comes back.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Final, cast

from flyte.spec.durations import parse_duration
from flyte.types.annotations import NoneType
from flyte.types.codec import Codec, Read, Value, constant_schema
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.pickles import read_other, write_pickle

_MICROSECOND: Final = timedelta(microseconds=1)
_MOST_DECIMAL_BITS: Final = 14_000  # the interpreter refuses to write ints of more than 4300 digits as text

# A subclass may override what int(), str() and bytes() return, these slots are the base type's own.
_BARE: Final[dict[type, Callable[[Any], Any]]] = {
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
    bytes: lambda value: memoryview(value).tobytes(),
}


def write_none(message: Value, value: Any) -> None:
    """Write None."""
    if value is not None:
        raise wrong_type(NoneType, value)
    message.none.SetInParent()


def write_bool(message: Value, value: Any) -> None:
    """Write a bool."""
    if type(value) is not bool:
        value = _plain(bool, value)
    message.bool = value


def write_int(message: Value, value: Any) -> None:
    """Write an int of any size."""
    if type(value) is not int:
        value = _plain(int, value)
    try:
        message.int = value
    except ValueError:
        _write_big_int(message, value)


def write_float(message: Value, value: Any) -> None:
    """Write a float."""
    if type(value) is not float:
        value = _plain(float, value)
    message.float = value


def write_loose_float(message: Value, value: Any) -> None:
    """Write a float, or an int as one: fields of records are as lenient as the annotations of a class are."""
    message.float = float(value) if type(value) is int else _plain(float, value)


def write_str(message: Value, value: Any) -> None:
    """Write a str."""
    if type(value) is not str:
        value = _plain(str, value)
    try:
        message.string = value
    except ValueError:
        write_pickle(message, value)


def write_bytes(message: Value, value: Any) -> None:
    """Write bytes."""
    if type(value) is not bytes:
        value = _plain(bytes, value)
    message.bytes = value


def write_datetime(message: Value, value: Any) -> None:
    """Write a datetime, naive or aware."""
    if not isinstance(value, datetime):
        raise wrong_type(datetime, value)
    _write_moment(message, value.isoformat(), "datetime")


def write_date(message: Value, value: Any) -> None:
    """Write a date; a datetime is refused, because its time would be lost."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise wrong_type(date, value)
    _write_moment(message, value.isoformat(), "date")


def write_time(message: Value, value: Any) -> None:
    """Write a time of day."""
    if not isinstance(value, time):
        raise wrong_type(time, value)
    _write_moment(message, value.isoformat(), "time")


def write_timedelta(message: Value, value: Any) -> None:
    """Write a duration."""
    if not isinstance(value, timedelta):
        raise wrong_type(timedelta, value)
    try:
        message.duration_us = value // _MICROSECOND
    except ValueError:
        write_pickle(message, value)


def read_int(message: Value) -> int:
    """Read an int."""
    value = message.int
    if value:  # only a message of the kind has anything but the default, so most reads need not ask for the kind
        return value
    kind = message.WhichOneof("kind")
    if kind == "int":
        return message.int
    if kind == "big_int":
        return int(message.big_int)
    return cast(int, read_other(int, message, read_int))


def read_float(message: Value) -> float:
    """Read a float; an int that a form or another language wrote is one too."""
    value = message.float
    if value:
        return value
    kind = message.WhichOneof("kind")
    if kind == "float":
        return message.float
    if kind == "int":
        return float(message.int)
    return cast(float, read_other(float, message, read_float))


def read_str(message: Value) -> str:
    """Read a str."""
    value = message.string
    if value or message.WhichOneof("kind") == "string":
        return value
    return cast(str, read_other(str, message, read_str))


def read_bool(message: Value) -> bool:
    """Read a bool."""
    value = message.bool
    if value or message.WhichOneof("kind") == "bool":
        return value
    return cast(bool, read_other(bool, message, read_bool))


def _write_big_int(message: Value, value: int) -> None:
    if value.bit_length() > _MOST_DECIMAL_BITS:
        write_pickle(message, value)
    else:
        message.big_int = str(value)


def _write_moment(message: Value, iso: str, kind: str) -> None:
    moment = message.datetime
    moment.iso = iso
    moment.type = kind


def _plain(expected: type, value: Any) -> Any:
    """Return a value of a subclass (not bool, which only looks like an int) as the bare type itself."""
    if isinstance(value, expected) and not isinstance(value, bool):
        return _BARE[expected](value)
    if expected is int and isinstance(value, bool):
        # To the letter what the peer says, whose wire refuses it: programs look for these words.
        raise TypeTransformerFailedError("Field flyteidl2.core.Primitive.integer: Expected an int, got a boolean.")
    raise wrong_type(expected, value)


def _reader(annotation: Any, expected: str, get: Callable[[Value], Any]) -> Read:
    def read(message: Value) -> Any:
        kind = message.WhichOneof("kind")
        if kind == expected:
            return get(message)
        return read_other(annotation, message, read)

    return read


def _moment_reader(annotation: Any, expected: str, parse: Callable[[str], Any]) -> Read:
    def read(message: Value) -> Any:
        kind = message.WhichOneof("kind")
        if kind == "datetime" and message.datetime.type == expected:
            return parse(message.datetime.iso)
        return _parsed(annotation, parse, message) if kind == "string" else read_other(annotation, message, read)

    return read


def _read_duration(message: Value) -> timedelta:
    kind = message.WhichOneof("kind")
    if kind == "duration_us":
        return timedelta(microseconds=message.duration_us)
    if kind == "string":
        return cast(timedelta, _parsed(timedelta, parse_duration, message))
    return cast(timedelta, read_other(timedelta, message, _read_duration))


def _read_bytes(message: Value) -> bytes:
    kind = message.WhichOneof("kind")
    if kind == "bytes":
        return message.bytes
    if kind == "string":
        return cast(bytes, _parsed(bytes, partial(b64decode, validate=True), message))
    return cast(bytes, read_other(bytes, message, _read_bytes))


def _parsed(annotation: Any, parse: Callable[[str], Any], message: Value) -> Any:
    """Read a value of which a form or another language wrote the JSON form."""
    try:
        return parse(message.string)
    except ValueError:
        raise TypeTransformerFailedError(f"{message.string!r} is no {annotation.__name__}") from None


def _scalar(annotation: type, write: Any, read: Read, plain: bool = True, **schema: Any) -> Codec:
    return Codec(
        annotation=annotation,
        type_name="None" if annotation is NoneType else annotation.__name__,
        write=write,
        read=read,
        schema=constant_schema(**schema),
        plain=plain,
        exact=annotation,
        accepts_none=annotation is NoneType,
    )


def _date_time(annotation: Any, write: Any, name: str, schema_format: str) -> Codec:
    read = _moment_reader(annotation, name, annotation.fromisoformat)
    return _scalar(annotation, write, read, type="string", format=schema_format)


SCALARS: Final[dict[Any, Codec]] = {
    codec.annotation: codec
    for codec in (
        _scalar(NoneType, write_none, _reader(NoneType, "none", lambda message: None), type="null"),
        _scalar(bool, write_bool, read_bool, type="boolean"),
        _scalar(int, write_int, read_int, type="integer"),
        _scalar(float, write_float, read_float, plain=False, type="number"),
        _scalar(str, write_str, read_str, type="string"),
        _scalar(
            bytes,
            write_bytes,
            _read_bytes,
            type="string",
            contentEncoding="base64",
        ),
        _date_time(datetime, write_datetime, "datetime", "date-time"),
        _date_time(date, write_date, "date", "date"),
        _date_time(time, write_time, "time", "time"),
        _scalar(
            timedelta,
            write_timedelta,
            _read_duration,
            type="string",
            format="duration",
        ),
    )
}
"""The codec of each type of single values."""

LOOSE_FLOAT: Final = _scalar(float, write_loose_float, read_float, plain=False, type="number")
"""The codec of float in the fields of records."""
