"""What a pod costs through the platform, against bare pods of the same image on the same cluster, in turn.

A first line counts from the call that asks for the pod (`flyte.run`, or the request to the API server of a client that
is connected already) to the moment when it was printed, as the pod itself says: the nodes and this machine share a
clock. Each pod has the cluster to itself: it starts when the one before it is gone, and nobody asks for it meanwhile.
In each round there is one of every kind, in the other order than in the round before, and the middle of all rounds
counts, so that moments in which the machine is slower meet all kinds alike. The first rounds are not counted, in which
connections are made, the code is uploaded, and the node reads the image.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, get_args

from benchmarks import bare_pods, pod_first_line, pod_programs
from benchmarks.bare_pods import BarePods, Kind
from benchmarks.measured_platform import MeasuredPlatform
from benchmarks.pod_cluster import PodCluster

WARM_UP_ROUNDS = 3
ROUNDS = 11
BARE_KINDS: Final = get_args(Kind)
#: User code is to begin at most so many times as late as that of a bare pod made by hand.
TIMES_BY_HAND_LIMIT = 1.3
BATCHES = 3
COUNT = 16
AT_A_TIME = 8


def first_line() -> dict[str, float]:
    """From the call to the first line of user code in a pod, and to that line in the client's hands."""
    rounds: list[tuple[float, ...]] = []

    async def compare(platform: MeasuredPlatform, bare: BarePods) -> None:
        async def ours() -> tuple[float, ...]:
            return await asyncio.to_thread(_ours, platform)

        async def theirs(kind: Kind) -> tuple[float, ...]:
            return (await bare.first_line(kind),)

        measures: list[Callable[[], Awaitable[tuple[float, ...]]]] = [ours]
        measures += [partial(theirs, kind) for kind in BARE_KINDS]
        for number in range(WARM_UP_ROUNDS + ROUNDS):
            turn = 1 if number % 2 else -1
            times = []
            for measure in measures[::turn]:
                await bare.none_left()
                times.append(await measure())
            rounds.append(tuple(chain.from_iterable(times[::turn])))

    _side_by_side(compare)
    medians = (statistics.median(times) for times in zip(*rounds[WARM_UP_ROUNDS:], strict=True))
    printed, seen, *bare_printed = medians
    figures = {"printed_p50_ms": round(printed * 1e3), "seen_p50_ms": round(seen * 1e3)}
    for kind, theirs in zip(BARE_KINDS, bare_printed, strict=True):
        figures[f"{kind}_p50_ms"] = round(theirs * 1e3)
        figures[f"times_{kind}"] = round(printed / theirs, 3)
    return {**figures, "times_by_hand_limit": TIMES_BY_HAND_LIMIT}


def _ours(platform: MeasuredPlatform) -> tuple[float, float]:
    """Seconds from the call to the line, and to that line in the client's hands."""
    began = time.time()
    line, seen = platform.first_line_of(pod_first_line.first_line)
    return float(line) - began, seen - began


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
