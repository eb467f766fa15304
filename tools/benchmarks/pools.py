"""Pools of several replicas: how fast they grow, and whether one idles while something waits. And large inputs."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks import pool_programs
from benchmarks.measured_platform import MeasuredPlatform
from benchmarks.pool_programs import CONCURRENCY, REPLICAS


class Span(NamedTuple):
    """One task on one replica, by the clock that all processes of a machine share."""

    replica: float
    began: float
    ended: float


def idle_while_waiting(platform: MeasuredPlatform) -> dict[str, float]:
    """1,500 tasks that wait at once for eight replicas of sixteen slots: by their own clocks, the longest time that a
    replica had nothing to do, and that a slot was free, while something waited."""
    spans = [Span(*one) for one in platform.run(pool_programs.keep_busy, count=1_500)]
    used = len({span.replica for span in spans})
    if used != REPLICAS:
        raise RuntimeError(f"{used} replicas were used, not {REPLICAS}")
    free = gaps(spans, slots=CONCURRENCY)
    return {
        "replica_idle_ms": round(max(gaps(spans, slots=1), default=0.0) * 1e3, 2),
        "slot_free_p50_ms": round(statistics.median(free) * 1e3, 2),
        "slot_free_max_ms": round(max(free) * 1e3, 2),
    }


def scale_up(platform: MeasuredPlatform) -> dict[str, float]:
    """1,000 tasks for which no replica runs yet, to their last result."""
    seconds, replicas = platform.run(pool_programs.scale_up, count=1_000)
    return {"seconds": round(seconds, 3), "replicas": replicas}


def large_inputs(platform: MeasuredPlatform) -> dict[str, float]:
    """A warm child with inputs of 64 KiB against one with next to none, in turn."""
    small, large = (statistics.median(times) for times in platform.run(pool_programs.inputs_of_two_sizes, count=250))
    return {"p50_ms": round(large * 1e3, 3), "small_p50_ms": round(small * 1e3, 3), "times": round(large / small, 2)}


def gaps(spans: Iterable[Span], *, slots: int) -> list[float]:
    """How long each time fewer tasks than `slots` ran on a replica while something waited, in seconds.

    All tasks are taken to be there from the beginning, so something waits until the last of them has begun. A replica
    counts from its first task on; before, it was being started."""
    by_replica: dict[float, list[Span]] = defaultdict(list)
    for span in spans:
        by_replica[span.replica].append(span)
    last_began = max((span.began for each in by_replica.values() for span in each), default=0.0)
    return [gap for each in by_replica.values() for gap in _gaps_of(each, slots=slots, until=last_began)]


def _gaps_of(spans: Sequence[Span], *, slots: int, until: float) -> list[float]:
    changes = sorted([(span.began, 1) for span in spans] + [(span.ended, -1) for span in spans])
    found: list[float] = []
    running, full_before, free_since = 0, False, 0.0
    for at, change in changes:
        if at > until:
            break
        if running == slots and change < 0:
            free_since = at
        running += change
        if running == slots and change > 0:
            if full_before:
                found.append(at - free_since)
            full_before = True
    if full_before and running < slots:
        found.append(until - free_since)
    return found
