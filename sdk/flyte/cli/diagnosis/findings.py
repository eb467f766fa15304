"""What was found when one thing was looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis."""

    check: str
    level: Level
    text: str
    """What is the case."""
    mend: str = ""
    """What to do about it; empty where nothing is to be done."""


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", text)


def warn(check: str, text: str, *, mend: str) -> Finding:
    """It works, and may not for long or not as meant."""
    return Finding(check, "warn", text, mend)


def fail(check: str, text: str, *, mend: str) -> Finding:
    """It does not work."""
    return Finding(check, "fail", text, mend)
