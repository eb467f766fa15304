"""Local mode: what a child costs in this process, without a platform.

Runs in a process of its own with an empty home, as a script would. What is measured: children at once, one after
another, synchronous ones, and calls that are read from the cache.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import flyte

env = flyte.TaskEnvironment("bench_local")

AT_ONCE = 2_000
ONE_AFTER_ANOTHER = 1_000


@env.task
async def child(number: int) -> int:
    """Does nothing."""
    return number


@env.task
def synchronous_child(number: int) -> int:
    """Does nothing, on a thread."""
    return number


@env.task(cache="auto")
async def cached_child(number: int) -> int:
    """Is in the cache."""
    return number


@env.task
async def at_once(count: int) -> float:
    """Seconds that `count` children take in one gather."""
    began = time.perf_counter()
    await asyncio.gather(*(child(number) for number in range(count)))
    return time.perf_counter() - began


@env.task
def mapped(count: int) -> float:
    """The same with flyte.map."""
    began = time.perf_counter()
    for _ in flyte.map(child, range(count)):
        pass
    return time.perf_counter() - began


@env.task
async def sequence(count: int) -> list[float]:
    """Seconds that each of `count` children takes, one after another."""
    return [await _timed(number) for number in range(count)]


@env.task
def synchronous_sequence(count: int) -> list[float]:
    """The same for synchronous children of a synchronous parent."""
    times = []
    for number in range(count):
        began = time.perf_counter()
        synchronous_child(number)
        times.append(time.perf_counter() - began)
    return times


@env.task
async def cache_hits(count: int) -> list[float]:
    """Seconds that each of `count` reads of a cached result takes."""
    await cached_child(0)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        await cached_child(0)
        times.append(time.perf_counter() - began)
    return times


async def _timed(number: int) -> float:
    began = time.perf_counter()
    await child(number)
    return time.perf_counter() - began


def local_mode() -> dict[str, float]:
    """Children per second, and medians in milliseconds."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).resolve())],
            env={**os.environ, "HOME": home},
            stdout=subprocess.PIPE,
            check=True,
        )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def measure() -> dict[str, float]:
    """The figures, in this process and its home."""
    for task in (at_once, sequence, synchronous_sequence):
        flyte.run(task, 50)
    one_at_a_time = {
        "child_ms": sequence,
        "synchronous_child_ms": synchronous_sequence,
        "cache_hit_ms": cache_hits,
    }
    medians = {name: statistics.median(_run(task, ONE_AFTER_ANOTHER)) for name, task in one_at_a_time.items()}
    return {
        "per_second": round(AT_ONCE / _run(at_once, AT_ONCE)),
        "mapped_per_second": round(AT_ONCE / _run(mapped, AT_ONCE)),
        **{name: round(seconds * 1e3, 3) for name, seconds in medians.items()},
    }


def _run(task: object, count: int) -> Any:
    return flyte.with_runcontext("local").run(task, count).outputs()[0]


if __name__ == "__main__":
    print(json.dumps(measure()))
