"""Inputs from the command line: from a text and an annotation to a value.

Numbers, texts, flags, dates, durations, enum members and literals are read from the text itself, files and folders from
a path or URI, everything with parts from JSON. `@PATH` reads the text from a file.
"""

from __future__ import annotations

import enum
import json
import re
import types
import typing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


class NotReadable(ValueError):
    """A text is no value of its type. The message says what would be."""


def read_text(text: str, annotation: Any) -> Any:
    """Return the value that a text means for an annotation. Raises NotReadable."""
    annotation = strip_annotated(annotation)
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
    if annotation is Any:
        return _read_anything(text)
    return _read_json(_from_file(text), annotation)


def strip_annotated(annotation: Any) -> Any:
    """Return an annotation without `Annotated`."""
    return get_args(annotation)[0] if get_origin(annotation) is typing.Annotated else annotation


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
    if text in ("now", "today"):
        now = datetime.now(UTC)
        return now if text == "now" else now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise NotReadable(f"{text!r} is no date and time: use ISO 8601 (2026-01-31T12:00:00), now or today") from None


def _read_date(text: str) -> date:
    if text == "today":
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotReadable(f"{text!r} is no date: use ISO 8601 (2026-01-31) or today") from None


def _read_time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise NotReadable(f"{text!r} is no time: use ISO 8601 (12:30:00)") from None


def _read_timedelta(text: str) -> timedelta:
    compact = text.strip().lower().replace(" ", "").removeprefix("p").replace("t", "")
    match = _DURATION.fullmatch(compact)
    if match is not None and any(match.groups()):
        parts = zip(_UNITS.values(), match.groups(), strict=True)
        return timedelta(**{unit: float(amount) for unit, amount in parts if amount})
    try:
        return timedelta(seconds=float(compact))
    except ValueError:
        raise NotReadable(f"{text!r} is no duration: use 1h30m, PT1H30M or seconds") from None


def _read_literal(text: str, annotation: Any) -> Any:
    for choice in get_args(annotation):
        if str(choice) == text:
            return choice
    raise NotReadable(f"{text!r} is none of {', '.join(map(str, get_args(annotation)))}")


def _read_member(text: str, annotation: type[enum.Enum]) -> enum.Enum:
    for member in annotation:
        if text in (member.name, str(member.value)) or text.lower() == member.name.lower():
            return member
    raise NotReadable(f"{text!r} is none of {', '.join(member.name for member in annotation)}")


def _reference_class(annotation: Any) -> Any:
    """Return the class if an annotation is `flyte.io.File`, `Dir` or a parametrised one of them."""
    bare = get_origin(annotation) or annotation
    if isinstance(bare, type) and bare.__module__.startswith("flyte.io") and bare.__name__ in ("File", "Dir"):
        return bare
    return None


def _read_reference(text: str, reference: Any) -> Any:
    text = text.removeprefix("@")
    if "://" in text:
        return reference.from_existing_remote(text)
    path = Path(text).expanduser().resolve()
    found = path.is_dir() if reference.__name__ == "Dir" else path.is_file()
    if not found:
        kind = "folder" if reference.__name__ == "Dir" else "file"
        raise NotReadable(f"{kind} {text!r} does not exist")
    return reference.from_local_sync(path)


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


def _read_json(text: str, annotation: Any) -> Any:
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(annotation)
    except PydanticUserError:
        return _read_json_otherwise(text, annotation)
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        problems = [_problem(detail) for detail in error.errors(include_url=False, include_context=False)]
        raise NotReadable(f"not the JSON that is needed: {'; '.join(problems[:5])}") from None


def _read_json_otherwise(text: str, annotation: Any) -> Any:
    """Read what pydantic has no reader for, such as a TypedDict before Python 3.12."""
    import msgspec

    try:
        return msgspec.json.decode(text, type=annotation)
    except msgspec.MsgspecError as error:
        raise NotReadable(f"not the JSON that is needed: {error}") from None
    except TypeError:
        name = getattr(annotation, "__name__", annotation)
        raise NotReadable(f"a value of type {name} cannot be given on the command line") from None


def _problem(detail: Any) -> str:
    where = ".".join(str(step) for step in detail["loc"])
    return f"{where}: {detail['msg']}" if where else str(detail["msg"])


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
