"""Durations as people and forms write them: `1h30m`, `1 day 2 hours`, ISO 8601 (`PT1H30M`), or a number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_PARTS: Final = ("weeks", "days", "hours", "minutes", "seconds")
_NUMBER: Final = r"(\d+(?:\.\d+)?)"
_DATE: Final = "".join(rf"(?:{_NUMBER}{unit})?" for unit in ("w(?:eeks?)?", "d(?:ays?)?"))
_TIME: Final = "".join(
    rf"(?:{_NUMBER}{unit})?" for unit in ("h(?:ours?)?", "m(?:in(?:s|utes?)?)?", "s(?:ec(?:s|onds?)?)?")
)
_DURATION: Final = re.compile(f"p?{_DATE}t?{_TIME}")


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text means. Raises ValueError."""
    compact = text.strip().lower().replace(" ", "")
    if compact.startswith("-"):
        return -parse_duration(compact[1:])
    match = _DURATION.fullmatch(compact)
    try:
        if match is None or not any(match.groups()):
            return timedelta(seconds=float(compact))
        parts = zip(_PARTS, match.groups(), strict=True)
        return timedelta(**{part: float(amount) for part, amount in parts if amount})
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no duration: use 1h30m, PT1H30M or seconds") from None


def short_duration(duration: timedelta) -> str:
    """Return a duration as people write it, for example `1h30m` or `-1d2.5s`."""
    if duration < timedelta(0):
        return f"-{short_duration(-duration)}"
    minutes, seconds = divmod(duration.seconds, 60)
    fraction = f".{duration.microseconds:06d}".rstrip("0") if duration.microseconds else ""
    parts = ((duration.days, "d"), (minutes // 60, "h"), (minutes % 60, "m"))
    whole = "".join(f"{amount}{letter}" for amount, letter in parts if amount)
    return f"{whole}{seconds}{fraction}s" if seconds or fraction or not whole else whole


def iso_duration(duration: timedelta) -> str:
    """Return a duration as ISO 8601 writes it, for example `-P1DT2.5S`."""
    if duration < timedelta(0):
        return f"-{iso_duration(-duration)}"
    days = f"{duration.days}D" if duration.days else ""
    fraction = f".{duration.microseconds:06d}".rstrip("0") if duration.microseconds else ""
    seconds = f"T{duration.seconds}{fraction}S" if duration.seconds or fraction or not days else ""
    return f"P{days}{seconds}"
