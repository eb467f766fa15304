"""Amounts for people: cpu, memory, limits, shares."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def cpu_text(millis: int) -> str:
    """Thousandths of a core as cores, such as "1.5"; empty for 0."""
    return f"{millis / 1000:g}" if millis else ""


def bytes_text(amount: int) -> str:
    """A size with its unit, such as "1.5 GiB"; empty for 0."""
    if not amount:
        return ""
    size, unit = float(amount), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f}".removesuffix(".0") + f" {_UNITS[unit]}"


def of_limit(count: int, limit: int) -> str:
    """How many there are, and of how many there may be."""
    return f"{count:,} of {limit:,}" if limit else f"{count:,}"


def share(count: int, whole: int) -> float | None:
    """A share between 0 and 1; None where there is no whole."""
    return min(count / whole, 1.0) if whole else None
