"""About 1 MB of nested dataclasses, the same for every system that is measured. Needs nothing but Python."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Item:
    """One item of a row."""

    name: str
    count: int
    score: float
    tags: list[str]
    note: str | None = None


@dataclass
class Row:
    """One row, with items inside."""

    number: int
    title: str
    items: list[Item]
    attributes: dict[str, int] = field(default_factory=dict)


def rows() -> list[Row]:
    """2,900 rows with 14,500 items: 1.1 MB in the encoding of the peer SDK."""
    return [
        Row(
            number,
            f"row number {number}",
            [
                Item(f"item {number}-{place}", place, place * 0.5, ["alpha", "beta"], "n" if place % 2 else None)
                for place in range(5)
            ],
            {"a": number, "b": 2 * number},
        )
        for number in range(2_900)
    ]


def figures(encode: Callable[[], object], decode: Callable[[], object]) -> dict[str, float]:
    """Milliseconds of processor time, the best of nine: other work on the machine does not count."""
    wrote, read = _best(encode), _best(decode)
    return {"round_trip_ms": round(wrote + read, 1), "encode_ms": round(wrote, 1), "decode_ms": round(read, 1)}


def _best(step: Callable[[], object]) -> float:
    times = []
    for _ in range(9):
        gc.collect()
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    return min(times) * 1e3
