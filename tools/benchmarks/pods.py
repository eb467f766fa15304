"""What a pod costs through the platform, against bare pods of the same image on the same cluster, in turn.

A first line has two times: when it was printed, as the pod itself says (the nodes and this machine have to share a
clock), and when whoever asked for the pod has it in hand.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import bare_pods, pod_first_line, pod_programs
from benchmarks.bare_pods import BarePods
from benchmarks.measured_platform import MeasuredPlatform
from benchmarks.pod_cluster import PodCluster

PAIRS = 10
#: User code is to begin at most so many times as late as that of a bare pod.
PRINTED_TIMES_LIMIT = 1.3
BATCHES = 3
COUNT = 16
AT_A_TIME = 8


def first_line() -> dict[str, float]:
    """From the client's call to the first line of user code in a pod. Each starts when all others are gone. The first
    round is not counted: connections, the upload of the code and the node's caches."""
    rounds: list[tuple[float, ...]] = []

    async def compare(platform: MeasuredPlatform, bare: BarePods) -> None:
        for _ in range(PAIRS + 1):
            await bare.none_left()
            theirs = await bare.first_line()
            await bare.none_left()
            hardened, _ = await bare.first_line(hardened=True)
            await bare.none_left()
            began = time.time()
            line, seen = await asyncio.to_thread(platform.first_line_of, pod_first_line.first_line)
            rounds.append((float(line) - began, seen - began, *theirs, hardened))

    _side_by_side(compare)
    medians = (statistics.median(times) for times in zip(*rounds[1:], strict=True))
    printed, seen, bare_printed, bare_seen, hardened_printed = medians
    return {
        "printed_p50_ms": round(printed * 1e3),
        "bare_printed_p50_ms": round(bare_printed * 1e3),
        "hardened_bare_printed_p50_ms": round(hardened_printed * 1e3),
        "printed_times_a_bare_pod": round(printed / bare_printed, 3),
        "printed_times_limit": PRINTED_TIMES_LIMIT,
        "printed_times_a_hardened_bare_pod": round(printed / hardened_printed, 3),
        "seen_p50_ms": round(seen * 1e3),
        "bare_seen_p50_ms": round(bare_seen * 1e3),
        "seen_times_a_bare_pod": round(seen / bare_seen, 3),
    }


def rate() -> dict[str, float]:
    """Pods per second, with so many at a time on both sides, and what each costs the scheduler's process."""
    batches: list[tuple[float, float, float]] = []

    async def compare(platform: MeasuredPlatform, bare: BarePods) -> None:
        await asyncio.to_thread(platform.run, pod_first_line.first_line)
        for _ in range(BATCHES):
            theirs = await bare.seconds_of(COUNT, at_a_time=AT_A_TIME)
            before = platform.services_cpu_seconds()
            ours = await asyncio.to_thread(platform.run, pod_programs.many, count=COUNT)
            batches.append((ours, theirs, platform.services_cpu_seconds() - before))

    _side_by_side(compare)
    ours, theirs, cpu = (sum(seconds) for seconds in zip(*batches, strict=True))
    pods = BATCHES * COUNT
    return {
        "per_second": round(pods / ours, 2),
        "bare_per_second": round(pods / theirs, 2),
        "share_of_bare_rate": round(theirs / ours, 2),
        "services_cpu_ms_per_pod": round(cpu / pods * 1e3, 1),
    }


def _side_by_side(compare: Callable[[MeasuredPlatform, BarePods], Awaitable[None]]) -> None:
    async def with_client(platform: MeasuredPlatform, cluster: PodCluster) -> None:
        async with bare_pods.opened(cluster) as bare:
            await compare(platform, bare)

    with _platform_with_pods() as (platform, cluster):
        asyncio.run(with_client(platform, cluster))


@contextmanager
def _platform_with_pods() -> Iterator[tuple[MeasuredPlatform, PodCluster]]:
    with PodCluster() as cluster, tempfile.TemporaryDirectory(prefix="flyteplane-bench-") as folder:
        port = _free_port()
        file = cluster.operator_file(Path(folder), worker_port=port, at_a_time=AT_A_TIME)
        with MeasuredPlatform(options=("--config", str(file), "--worker-listen", f"0.0.0.0:{port}")) as platform:
            yield platform, cluster


def _free_port() -> int:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        return int(listener.getsockname()[1])
