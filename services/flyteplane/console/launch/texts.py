"""Values that are written as one text, in both directions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final
from uuid import UUID

from flyte.spec.durations import parse_duration
from flyteapi.task.v1.value_pb2 import Value
from flyteplane.console.launch.shapes import TextKind

_MOST_DIGITS: Final = 4000


class NotReadable(ValueError):
    """A text that is no value of the kind. Says what is wrong, to be shown at the control."""


def write_text(message: Value, text: str, kind: TextKind) -> None:
    """Write what a text means. Raises NotReadable."""
    if kind is not TextKind.STRING and not text.strip():
        raise NotReadable("Give a value.")
    try:
        _WRITERS[kind](message, text if kind in (TextKind.STRING, TextKind.PATH) else text.strip())
    except NotReadable:
        raise
    except (ValueError, ArithmeticError):
        raise NotReadable(_WANTED[kind]) from None


def split_zone(iso: str) -> tuple[str, str]:
    """A point in time as a picker shows it, and its offset from UTC; empty for a naive one."""
    moment = datetime.fromisoformat(iso)
    bare = moment.replace(tzinfo=None)
    offset = moment.isoformat()[len(bare.isoformat()) :]
    spec = "milliseconds" if bare.microsecond else "seconds"
    return bare.isoformat(timespec=spec), offset


def _write_int(message: Value, text: str) -> None:
    if len(text) > _MOST_DIGITS:
        raise NotReadable(f"At most {_MOST_DIGITS} digits.")
    number = int(text)
    if -(2**63) <= number < 2**63:
        message.int = number
    else:
        message.big_int = str(number)


def _write_float(message: Value, text: str) -> None:
    message.float = float(text)


def _write_string(message: Value, text: str) -> None:
    message.string = text


def _write_bytes(message: Value, text: str) -> None:
    try:
        message.bytes = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise NotReadable(_WANTED[TextKind.BYTES]) from None


def _write_duration(message: Value, text: str) -> None:
    message.duration_us = parse_duration(text) // timedelta(microseconds=1)


def _write_uuid(message: Value, text: str) -> None:
    message.string = str(UUID(text))


def _write_decimal(message: Value, text: str) -> None:
    try:
        message.string = str(Decimal(text))
    except InvalidOperation:
        raise NotReadable(_WANTED[TextKind.DECIMAL]) from None


def _moment(kind: type[datetime] | type[date] | type[time]) -> Callable[[Value, str], None]:
    def write(message: Value, text: str) -> None:
        message.datetime.iso = kind.fromisoformat(text).isoformat()
        message.datetime.type = kind.__name__

    return write


_WRITERS: Final[dict[TextKind, Callable[[Value, str], None]]] = {
    TextKind.STRING: _write_string,
    TextKind.INTEGER: _write_int,
    TextKind.NUMBER: _write_float,
    TextKind.BYTES: _write_bytes,
    TextKind.DATETIME: _moment(datetime),
    TextKind.DATE: _moment(date),
    TextKind.TIME: _moment(time),
    TextKind.DURATION: _write_duration,
    TextKind.PATH: _write_string,
    TextKind.UUID: _write_uuid,
    TextKind.DECIMAL: _write_decimal,
}
_WANTED: Final = {
    TextKind.STRING: "Give a text.",
    TextKind.INTEGER: "Give a whole number, such as 42.",
    TextKind.NUMBER: "Give a number, such as 0.5 or 1e-3.",
    TextKind.BYTES: "Give the bytes as base64.",
    TextKind.DATETIME: "Give a date and a time, such as 2026-01-31T12:00.",
    TextKind.DATE: "Give a date, such as 2026-01-31.",
    TextKind.TIME: "Give a time of day, such as 12:30.",
    TextKind.DURATION: "Give a duration, such as 1h30m, PT1H30M or a number of seconds.",
    TextKind.PATH: "Give a path.",
    TextKind.UUID: "Give a UUID, such as 123e4567-e89b-12d3-a456-426614174000.",
    TextKind.DECIMAL: "Give a decimal number, such as 12.50.",
}
