"""What was declared on streams: runs, task versions and pools, each sent once and then called by its key.

Bounded. What was used longest ago is forgotten first; an attempt that names something forgotten is refused with
NOT_DECLARED, upon which the scheduler declares it again. Attempts that were accepted hold on to what they need.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.scheduler.v1.worker_service_pb2 import DeclareRun, DeclareTask, WorkerOrder, WorkerReport

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: Some kilobytes each, and every override of a task makes a version of its own.
_MOST_RUNS: Final = 5_000
_MOST_TASKS: Final = 5_000
_MOST_POOLS: Final = 5_000


class Recent(Generic[K, V]):
    """The `most` values that were used last."""

    __slots__ = ("_most", "_values")

    def __init__(self, most: int) -> None:
        self._values: OrderedDict[K, V] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._values)

    def put(self, key: K, value: V) -> None:
        """Remember a value."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def get(self, key: K) -> V | None:
        """A value that is remembered, or None. It counts as used."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value


class Catalogue:
    """Declarations, in the form in which they are passed on."""

    def __init__(self, *, most_runs: int = _MOST_RUNS, most_tasks: int = _MOST_TASKS) -> None:
        self._runs: Recent[str, WorkerOrder] = Recent(most_runs)
        self._tasks: Recent[bytes, WorkerOrder] = Recent(most_tasks)
        self._pools: Recent[str, DeclarePool] = Recent(_MOST_POOLS)
        self._told: Recent[bytes, WorkerReport] = Recent(most_tasks)

    def declare_run(self, run: DeclareRun) -> None:
        """The scheduler introduces a run."""
        self._runs.put(run.key, WorkerOrder(declare_run=run))

    def declare_task(self, task: DeclareTask) -> None:
        """The scheduler introduces a task version. Declared for pods, it names no folder of this machine; where it has
        pools of both kinds, the folder stays known for the other."""
        known = self._tasks.get(task.digest)
        if known is not None and known.declare_task.bundle_path and not task.bundle_path:
            return
        self._tasks.put(task.digest, WorkerOrder(declare_task=task))

    def declare_pool(self, pool: DeclarePool) -> None:
        """The scheduler introduces a pool."""
        self._pools.put(pool.pool, pool)

    def told(self, report: WorkerReport) -> None:
        """A replica introduces a task version to the scheduler."""
        self._told.put(report.declare_task.digest, report)

    def run(self, key: str) -> WorkerOrder | None:
        """The order that introduces a run to a replica."""
        return self._runs.get(key)

    def task(self, digest: bytes) -> WorkerOrder | None:
        """The order that introduces a task version to a replica."""
        return self._tasks.get(digest)

    def pool(self, name: str) -> DeclarePool | None:
        """How a pool was declared."""
        return self._pools.get(name)

    def telling(self, digest: bytes) -> WorkerReport | None:
        """The report that introduces a task version to the scheduler."""
        return self._told.get(digest)
