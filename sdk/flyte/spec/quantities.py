"""Kubernetes quantities, read strictly.

`Resources` keeps what the user wrote, because that is what the user wants to see again. What the platform enforces are
numbers, and this module is the one place that turns the first into the second. Binary (`Ki`, `Mi`, ...) and decimal
(`k`, `M`, ...) suffixes and exponents are understood as Kubernetes does; a negative, infinite or malformed quantity is
refused. Fractions are rounded up, so that a request never becomes smaller than what was asked.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

from flyte.spec.problems import InvalidSetting

_QUANTITY: Final = re.compile(r"\A(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<suffix>[eE][+-]?\d{1,2}|[A-Za-z]{0,2})\Z")

_FACTORS: Final[dict[str, Decimal]] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}

_GREATEST: Final = Decimal(2**63 - 1)


def parse_quantity(value: int | float | str, *, field: str) -> Decimal:
    """Return the exact number that a quantity means.

    Raises InvalidSetting for anything that Kubernetes would not accept as a request.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _malformed(value, field)
    match = _QUANTITY.match(value.strip() if isinstance(value, str) else f"{Decimal(repr(value)):f}")
    if match is None:
        raise _malformed(value, field)
    suffix = match["suffix"]
    if suffix in _FACTORS:
        amount = Decimal(match["number"]) * _FACTORS[suffix]
    elif len(suffix) > 1 and suffix[0] in "eE":
        amount = Decimal(match["number"]) * Decimal(f"1{suffix}")
    else:
        raise _malformed(value, field)
    if amount > _GREATEST:
        raise InvalidSetting(f"{field} {value!r} is beyond the greatest quantity, 2^63-1.", field=field)
    return amount


def parse_cpu_millis(value: int | float | str, *, field: str = "cpu") -> int:
    """Return a cpu quantity in thousandths of a core: 1, 0.5, '100m' and '2' give 1000, 500, 100 and 2000."""
    return _ceiling(parse_quantity(value, field=field) * 1000)


def parse_bytes(value: int | str, *, field: str = "memory") -> int:
    """Return a memory or storage quantity in bytes: '1Gi' gives 1073741824 and '1G' gives 1000000000."""
    return _ceiling(parse_quantity(value, field=field))


def format_cpu_millis(millis: int) -> str:
    """Return the shortest Kubernetes quantity of so many thousandths of a core."""
    return str(millis // 1000) if millis % 1000 == 0 else f"{millis}m"


def format_bytes(amount: int) -> str:
    """Return the shortest exact Kubernetes quantity of so many bytes."""
    for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        factor = int(_FACTORS[suffix])
        if amount and amount % factor == 0:
            return f"{amount // factor}{suffix}"
    return str(amount)


def _ceiling(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_CEILING))


def _malformed(value: object, field: str) -> InvalidSetting:
    return InvalidSetting(
        f"{field} {value!r} is not a Kubernetes quantity. Write a number of at least 0, with an optional suffix "
        "(m; k, M, G, T; Ki, Mi, Gi, Ti), such as 1, 0.5, '100m' or '512Mi'.",
        field=field,
    )
