"""What is measured. Each scenario returns figures by name; times in milliseconds unless the name says otherwise."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks import pools, programs
from benchmarks.admission import admission
from benchmarks.console import console
from benchmarks.conversion import conversion
from benchmarks.live_actions import live_actions
from benchmarks.local_mode import local_mode
from benchmarks.measured_platform import MeasuredPlatform

Figures = dict[str, float]


def percentile(values: list[float], share: float) -> float:
    """The value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def latencies(seconds: list[float]) -> Figures:
    """Median and 99th percentile in milliseconds."""
    return {"p50_ms": round(statistics.median(seconds) * 1e3, 3), "p99_ms": round(percentile(seconds, 0.99) * 1e3, 3)}


def import_flyte(_: MeasuredPlatform | None = None) -> Figures:
    """Time that `import flyte` adds to an interpreter's start, the best of ten."""

    def best(statement: str) -> float:
        times = []
        for _ in range(10):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            times.append(time.perf_counter() - began)
        return min(times)

    return {"ms": round((best("import flyte") - best("pass")) * 1e3, 1)}


def cold_start(_: MeasuredPlatform | None = None) -> Figures:
    """From nothing to the first result of an empty platform: `flyte up`, submit, result."""
    with MeasuredPlatform() as platform:
        up = time.perf_counter() - platform.started_at
        platform.run(programs.first)
        total = time.perf_counter() - platform.started_at
    return {"up_ms": round(up * 1e3), "first_result_ms": round(total * 1e3)}


def idle(platform: MeasuredPlatform) -> Figures:
    """Memory and cpu of a platform that does nothing, over five seconds."""
    before = platform.cpu_seconds()
    time.sleep(5.0)
    used = platform.cpu_seconds() - before
    return {"memory_mb": round(sum(platform.memory_mb().values()), 1), "cpu_percent": round(used / 5.0 * 100, 2)}


def whole_run(platform: MeasuredPlatform) -> Figures:
    """A run of one task on a warm replica, from submit to result, one after another."""

    def once(number: int) -> float:
        began = time.perf_counter()
        platform.run(programs.warm_child, number=number)
        return time.perf_counter() - began

    once(-1)
    return latencies([once(number) for number in range(50)])


def warm_child(platform: MeasuredPlatform) -> Figures:
    """A child on a warm replica, one after another. Cpu is that of services and replica, not of the parent."""
    count = 500
    before = platform.cpu_seconds()
    seconds = platform.run(programs.warm_sequence, count=count)
    used = platform.cpu_seconds() - before
    return latencies(seconds) | {"cpu_us_per_child": round(used / count * 1e6)}


def fresh_child(platform: MeasuredPlatform) -> Figures:
    """A child in a process of its own, one after another."""
    return latencies(platform.run(programs.fresh_sequence, count=100))


def fan_out(platform: MeasuredPlatform, *, count: int) -> Figures:
    """Warm children all at once."""
    before = platform.cpu_seconds()
    seconds = platform.run(programs.fan_out, count=count)
    used = platform.cpu_seconds() - before
    figures = {
        "per_second": round(count / seconds),
        "us_per_action": round(seconds / count * 1e6, 1),
        "cpu_us_per_action": round(used / count * 1e6, 1),
    }
    return figures | {f"{role}_mb": megabytes for role, megabytes in platform.memory_mb().items()}


def fan_out_1000(platform: MeasuredPlatform) -> Figures:
    """1,000 warm children at once."""
    return fan_out(platform, count=1_000)


def fan_out_10000(platform: MeasuredPlatform) -> Figures:
    """10,000 warm children at once."""
    return fan_out(platform, count=10_000)


def cache_hit(platform: MeasuredPlatform) -> Figures:
    """A child whose result is in the cache, one after another."""
    numbers = {"first": time.time_ns(), "count": 500}
    _, computed = platform.outputs(programs.cached_fan_out, **numbers)
    seconds, found = platform.outputs(programs.cached_sequence, **numbers)
    _same(computed, found)
    return latencies(seconds)


def cache_hits_10000(platform: MeasuredPlatform) -> Figures:
    """10,000 children at once, all of which are in the cache."""
    count = 10_000
    numbers = {"first": time.time_ns(), "count": count}
    _, computed = platform.outputs(programs.cached_fan_out, **numbers)
    before = platform.cpu_seconds()
    seconds, found = platform.outputs(programs.cached_fan_out, **numbers)
    used = platform.cpu_seconds() - before
    _same(computed, found)
    return {
        "per_second": round(count / seconds),
        "cpu_us_per_hit": round(used / count * 1e6, 1),
        "services_mb": platform.memory_mb().get("services", 0.0),
    }


def _same(computed: list[int], found: list[int]) -> None:
    if computed != found:
        raise RuntimeError("children were computed again")


def pods_first_line() -> Figures:
    """A pod through the platform against a bare one."""
    from benchmarks import pods

    return pods.first_line()


def pods_rate() -> Figures:
    """Many pods through the platform against as many bare ones."""
    from benchmarks import pods

    return pods.rate()


def nested(platform: MeasuredPlatform) -> Figures:
    """1,000 warm children below 10 warm parents."""
    seconds = platform.run(programs.nested, number_of_parents=10, children=100)
    return {"per_second": round(1_000 / seconds), "ms": round(seconds * 1e3, 1)}


#: Scenarios that start what they need themselves.
ALONE: dict[str, Callable[[], Figures]] = {
    "import": import_flyte,
    "conversion": conversion,
    "local-mode": local_mode,
    "admission": admission,
    "live-actions": live_actions,
    "cold-start": cold_start,
    "console": console,
    "pods": pods_first_line,
    "pod-rate": pods_rate,
}
#: Scenarios on a running platform, in this order.
ON_PLATFORM: dict[str, Callable[[MeasuredPlatform], Figures]] = {
    "idle": idle,
    "run": whole_run,
    "warm-child": warm_child,
    "fresh-child": fresh_child,
    "fan-out-1000": fan_out_1000,
    "fan-out-10000": fan_out_10000,
    "nested": nested,
    "pool-scale-up": pools.scale_up,
    "pool-idle-while-waiting": pools.idle_while_waiting,
    "big-inputs": pools.large_inputs,
    "cache-hit": cache_hit,
    "cache-hits-10000": cache_hits_10000,
}
#: The figure by which a scenario is compared with a peer, and whether more of it is better.
COMPARED: dict[str, tuple[str, bool]] = {
    "import": ("ms", False),
    "conversion": ("round_trip_ms", False),
    "cold-start": ("first_result_ms", False),
    "warm-child": ("p50_ms", False),
    "fresh-child": ("p50_ms", False),
    "fan-out-1000": ("per_second", True),
    "fan-out-10000": ("per_second", True),
    "nested": ("per_second", True),
    "pool-scale-up": ("seconds", False),
    "pool-idle-while-waiting": ("replica_idle_ms", False),
    "big-inputs": ("p50_ms", False),
}
