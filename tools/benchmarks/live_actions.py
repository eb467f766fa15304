"""What many live actions cost the scheduler: memory of each one that waits, and the time to bring all back.

The whole scheduler on a SQLite file, without services around it: placed attempts are kept by a placement that does
nothing else, as pods are that go on while schedulers come and go.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import cast

from flyte.spec.digests import task_digest
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import AttemptEnded, WorkerOrder, WorkerReport
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.cluster.ports import ClusterCapacity
from flyteplane.foundation.clock import SystemClock
from flyteplane.records import migrate, open_database
from flyteplane.scheduler.application.intake import NewRun
from flyteplane.scheduler.application.living import Action
from flyteplane.scheduler.application.ports import CacheClient, RunKey
from flyteplane.scheduler.application.scheduler import Parts, Scheduler
from flyteplane.scheduler.store.log_files import LogFiles
from flyteplane.scheduler.store.sql_administration import SqlAdministration
from flyteplane.scheduler.store.sql_records import SqlRecords

MANY = 100_000
RUNS = 10
PLACED = 2_000
"""Of the children; the cluster has no room for more."""
CYCLES = 200
IN_A_CYCLE = 10
_BATCH = 500
_CLUSTER = "cluster"


class Keeping:
    """A placement that keeps what is placed and hears nothing of it."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        """Leases of the runs' roots."""
        self.children: deque[int] = deque()
        """Leases of all others, the oldest first."""

    def place(self, action: Action) -> None:
        """See the port."""
        assert action.attempt is not None
        (self.children if action.parent else self.parents).append(action.attempt.lease)

    def adopt(self, action: Action) -> bool:
        """See the port."""
        return True

    def whereabouts(self, lease: int) -> tuple[str, str]:
        """See the port."""
        return "", ""

    def send(self, lease: int, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""

    def stop(self, lease: int, reason: str) -> None:
        """See the port."""

    def finished(self, lease: int) -> None:
        """See the port."""

    async def close(self) -> None:
        """See the port."""


async def _open(folder: Path, placement: Keeping) -> Scheduler:
    database = await open_database(f"sqlite:///{folder}/scheduler.db")
    await migrate(database, package="flyteplane.scheduler.store.migrations")
    room = ClusterCapacity(cpu_millis=(PLACED + RUNS) * 100, memory_bytes=0)
    parts = Parts(
        records=SqlRecords(database),
        logs=LogFiles(folder / "logs"),
        # Nothing here is cached, so nobody asks.
        cache=cast(CacheClient, None),
        clock=SystemClock(),
        administration=SqlAdministration(database),
        clusters=[MemoryCluster(name=_CLUSTER, capacity=room, outlives_owner=True)],
        pool_clusters=[_CLUSTER],
    )
    scheduler = Scheduler(parts, on_failure=_fail)
    await scheduler.start(epoch=1, placements={"fresh": placement, "pool": placement})
    return scheduler


def _fail(error: BaseException) -> None:
    raise SystemExit(f"the scheduler failed: {error!r}")


def _task() -> TaskSpec:
    spec = TaskSpec(name="bench.work", environment="bench", short_name="work", is_async=True)
    spec.entrypoint.module, spec.entrypoint.attribute = "module", "work"
    spec.resources.cpu = "100m"
    return spec


async def _call_children(scheduler: Scheduler, placement: Keeping, numbers: range) -> None:
    """Has every parent call children with these numbers; returns when all are stored."""
    task = _task()
    for parent, lease in enumerate(placement.parents):
        for begin in numbers[::_BATCH]:
            batch = range(begin, min(begin + _BATCH, numbers.stop))
            reports = [_call(task, lease, number, f"c{parent:02}{number:017}") for number in batch]
            scheduler.engine.receive(reports, placement=placement)
            await _stored(scheduler)


def _call(task: TaskSpec, lease: int, number: int, name: str) -> WorkerReport:
    submit = {"call": number + 1, "name": name, "task_digest": task_digest(task), "inputs_digest": os.urandom(32)}
    return WorkerReport(lease=lease, submit={**submit, "inputs": Payload(inline=os.urandom(40))})  # type: ignore[arg-type]


async def _stored(scheduler: Scheduler) -> None:
    stored = asyncio.get_running_loop().create_future()
    scheduler.engine.turn.after_commit(lambda: stored.set_result(None))
    await stored


async def _cycle_us(scheduler: Scheduler, placement: Keeping, *, number: int) -> float:
    """Microseconds of cpu for each action that ends, with the one that is admitted for it and the one that then comes
    to wait: ten of each at a time, until they are stored. `number`: of the first that comes."""
    task, parent = _task(), placement.parents[0]
    began = time.process_time()
    for cycle in range(CYCLES):
        ended = [_success(placement.children.popleft()) for _ in range(IN_A_CYCLE)]
        first = number + cycle * IN_A_CYCLE
        calls = [_call(task, parent, each, f"d{each:019}") for each in range(first, first + IN_A_CYCLE)]
        scheduler.engine.receive([*ended, *calls], placement=placement)
        await _stored(scheduler)
    return (time.process_time() - began) / (CYCLES * IN_A_CYCLE) * 1e6


def _success(lease: int) -> WorkerReport:
    return WorkerReport(lease=lease, ended=AttemptEnded(outputs=Payload(inline=b"done")))


async def _begin(scheduler: Scheduler) -> None:
    task = _task()
    for number in range(RUNS):
        new = NewRun(
            key=RunKey("project", "domain", f"run{number}"),
            digest=task_digest(task),
            task=task,
            inputs=b"",
            inputs_digest=b"",
            settings=RunSettings(),
        )
        await scheduler.intake.accept_run(new)
    await _stored(scheduler)


def _resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _measure(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="flyteplane-bench-") as name:
        folder, placement = Path(name), Keeping()
        scheduler = await _open(folder, placement)
        await _begin(scheduler)
        before = _resident_bytes()
        await _call_children(scheduler, placement, range(count // RUNS))
        used, waiting = _resident_bytes() - before, len(scheduler.admission)
        cycle_us = await _cycle_us(scheduler, placement, number=count)
        left = len(scheduler.admission)
        await scheduler.close()
        began = time.perf_counter()
        recovered = await _open(folder, Keeping())
        seconds = time.perf_counter() - began
        if len(recovered.admission) != left:
            raise RuntimeError(f"{left} waited, and {len(recovered.admission)} do after the recovery")
        await recovered.close()
    return {"recovery_s": seconds, "bytes_per_waiting": used / waiting, "cycle_us": cycle_us}


def measure(count: int) -> dict[str, float]:
    """Figures of so many live actions, taken in a process of their own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, count).result()


def _run(count: int) -> dict[str, float]:
    return asyncio.run(_measure(count))


def live_actions() -> dict[str, float]:
    """Live actions by the thousand: a cycle of the whole scheduler's core over few and over many of them, memory of
    each that waits, recovery."""
    few, some, many = (measure(count) for count in (PLACED + 1_000, MANY // 10, MANY))
    return {
        "cycle_us_of_1000": round(few["cycle_us"], 1),
        "cycle_us_of_100000": round(many["cycle_us"], 1),
        "cycle_times": round(many["cycle_us"] / few["cycle_us"], 2),
        "bytes_per_waiting": round(many["bytes_per_waiting"]),
        "recovery_s_of_10000": round(some["recovery_s"], 2),
        "recovery_s_of_100000": round(many["recovery_s"], 2),
    }
