"""Inputs from the command line: from a text and an annotation to a value.

Numbers, texts, flags, dates, durations, enum members and literals are read from the text itself, files and folders from
a path or URI, everything with parts from JSON. `@PATH` reads the text from a file.
"""

from __future__ import annotations

import enum
import json
import re
import types
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from flyte.cli.json_inputs import read_json
from flyte.cli.not_readable import NotReadable
from flyte.types.annotations import strip

_RELATIVE = re.compile(r"(now|today)(?:\s*([+-])\s*(\S.*))?")
_EXACT_TEXTS = (Decimal, UUID)


def read_text(text: str, annotation: Any) -> Any:
    """Return the value that a text means for an annotation. Raises NotReadable."""
    annotation = strip(annotation)
    if is_union(annotation):
        return _read_union(text, annotation)
    simple = _SIMPLE.get(annotation)
    if simple is not None:
        return simple(text)
    if get_origin(annotation) is Literal:
        return _read_literal(text, annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _read_member(text, annotation)
    if (reference := _reference_class(annotation)) is not None:
        return _read_reference(text, reference)
    if isinstance(annotation, type) and issubclass(annotation, (*_EXACT_TEXTS, PurePath)):
        return _read_exact(text, annotation)
    if annotation is Any:
        return _read_anything(text)
    return read_json(_from_file(text), annotation)


def is_union(annotation: Any) -> bool:
    """Tell whether an annotation is a union, `Optional` included."""
    return get_origin(annotation) in (Union, types.UnionType)


def _read_union(text: str, annotation: Any) -> Any:
    members = get_args(annotation)
    if type(None) in members and text.lower() in ("null", "none"):
        return None
    # A text that could be anything must not win over a number.
    ordered = sorted((member for member in members if member is not type(None)), key=lambda member: member is str)
    reasons = []
    for member in ordered:
        try:
            return read_text(text, member)
        except NotReadable as error:
            reasons.append(str(error))
    raise NotReadable("; ".join(reasons))


def _read_bool(text: str) -> bool:
    word = text.strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise NotReadable(f"{text!r} is not a valid boolean: use true or false")


def _read_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise NotReadable(f"{text!r} is not a valid integer") from None


def _read_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise NotReadable(f"{text!r} is not a valid number") from None


def _read_datetime(text: str) -> datetime:
    relative = _RELATIVE.fullmatch(text)
    try:
        return _relative(relative) if relative is not None else datetime.fromisoformat(text)
    except ValueError:
        raise NotReadable(
            f"{text!r} is no date and time: use ISO 8601 (2026-01-31T12:00:00), now or today, or now-1h30m"
        ) from None


def _relative(match: re.Match[str]) -> datetime:
    from flyte.spec.durations import parse_duration

    start, sign, duration = match.groups()
    now = datetime.now(UTC)
    moment = now if start == "now" else now.replace(hour=0, minute=0, second=0, microsecond=0)
    if not sign:
        return moment
    return moment + (parse_duration(duration) if sign == "+" else -parse_duration(duration))


def _read_date(text: str) -> date:
    relative = _RELATIVE.fullmatch(text)
    try:
        if relative is not None and relative[1] == "today":
            return _relative(relative).date()
        return date.fromisoformat(text)
    except ValueError:
        raise NotReadable(f"{text!r} is no date: use ISO 8601 (2026-01-31) or today") from None


def _read_time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise NotReadable(f"{text!r} is no time: use ISO 8601 (12:30:00)") from None


def _read_timedelta(text: str) -> timedelta:
    from flyte.spec.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise NotReadable(str(error)) from None


def _read_literal(text: str, annotation: Any) -> Any:
    choices = {choice.name if isinstance(choice, enum.Enum) else str(choice): choice for choice in get_args(annotation)}
    if text in choices:
        return choices[text]
    raise NotReadable(f"{text!r} is none of {', '.join(choices)}")


def _read_member(text: str, annotation: type[enum.Enum]) -> enum.Enum:
    for member in annotation:
        if text in (member.name, str(member.value)) or text.lower() == member.name.lower():
            return member
    raise NotReadable(f"{text!r} is none of {', '.join(member.name for member in annotation)}")


def _reference_class(annotation: Any) -> Any:
    """Return the class of `flyte.io` that a path or URI is to become: also for a raw frame, which is read from one."""
    from flyte.types.frames import is_raw_frame

    bare = get_origin(annotation) or annotation
    if not isinstance(bare, type):
        return None
    if is_raw_frame(bare):
        from flyte.io import DataFrame

        return DataFrame
    return bare if hasattr(bare, "__flyte_reference__") else None


def _read_reference(text: str, reference: Any) -> Any:
    kind = reference.__flyte_reference__
    text = text.removeprefix("@")
    if "://" in text:
        return reference.from_existing_remote(text)
    path = Path(text).expanduser().resolve()
    if kind == "data_frame":
        return _read_table(text, path, reference)
    if not (path.is_dir() if kind == "dir" else path.is_file()):
        raise NotReadable(f"{'folder' if kind == 'dir' else 'file'} {text!r} does not exist")
    return reference.from_local_sync(path)


def _read_table(text: str, path: Path, reference: Any) -> Any:
    if not path.exists():
        raise NotReadable(f"table {text!r} does not exist")
    return reference.from_existing_remote(str(path), format="csv" if path.suffix == ".csv" else None)


def _from_file(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).expanduser().read_text()
    except OSError as error:
        raise NotReadable(f"{text[1:]!r} cannot be read: {error.strerror}") from None


def _read_bytes(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).expanduser().read_bytes()
    except OSError as error:
        raise NotReadable(f"{text[1:]!r} cannot be read: {error.strerror}") from None


def _read_anything(text: str) -> Any:
    try:
        return json.loads(_from_file(text))
    except ValueError:
        return text


def _read_exact(text: str, annotation: Any) -> Any:
    """Read a value that has an exact text of its own: a path, a UUID, a decimal."""
    try:
        return annotation(text)
    except (ValueError, ArithmeticError):
        raise NotReadable(f"{text!r} is not a valid {annotation.__name__}") from None


_SIMPLE: dict[Any, Any] = {
    str: str,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    bytes: _read_bytes,
    datetime: _read_datetime,
    date: _read_date,
    time: _read_time,
    timedelta: _read_timedelta,
    type(None): lambda text: None,
}
