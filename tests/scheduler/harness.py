"""A scheduler on memory records with workers that the test plays itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from flyte.spec.digests import task_digest
from flyteapi.cache.v1.cache_service_pb2 import (
    CacheEntry,
    CacheKey,
    ExtendRequest,
    LookupRequest,
    PutRequest,
    PutResponse,
    ReleaseRequest,
    ReserveRequest,
    ReserveResponse,
    WaitResponse,
)
from flyteapi.common.v1.error_pb2 import TaskError
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import EndAccepted, WorkerOrder, WorkerReport
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.cluster.ports import Cluster, ClusterCapacity, PodConstraints
from flyteplane.cluster.process_fitness import process_fitness
from flyteplane.foundation.clock import ManualClock, Timer
from flyteplane.foundation.errors import Unavailable
from flyteplane.observe.spans import KeptSpans
from flyteplane.scheduler.application.intake import NewRun
from flyteplane.scheduler.application.living import Action
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.application.reserving import TTL_S
from flyteplane.scheduler.application.scheduler import Parts, Scheduler
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.store.log_files import LogFiles
from flyteplane.scheduler.store.memory_administration import MemoryAdministration
from flyteplane.scheduler.store.memory_records import MemoryRecords


def task(
    name: str = "env.work", *, retries: int = 0, reuse: bool = False, cached: bool = False, **timeouts: float
) -> TaskSpec:
    """A task version; timeouts in seconds by their name in the proto."""
    environment = name.partition(".")[0]
    spec = TaskSpec(name=name, environment=environment, short_name=name.partition(".")[2], max_inline_io_bytes=1 << 20)
    spec.entrypoint.module, spec.entrypoint.attribute = "module", "work"
    spec.retries.count = retries
    spec.is_async = True
    if reuse:
        spec.reuse.min_replicas = spec.reuse.max_replicas = spec.reuse.concurrency = 1
        spec.reuse.idle_ttl.seconds = spec.reuse.scaledown_ttl.seconds = 30
        spec.reuse.scope = "global"
    if cached:
        spec.cache.enabled, spec.cache.version = True, "v1"
    for field, seconds in timeouts.items():
        getattr(spec.timeouts, field).FromMilliseconds(round(seconds * 1000))
    return spec


NO_LIMIT = ClusterCapacity(cpu_millis=0, memory_bytes=0)


class LikeProcesses(MemoryCluster):
    """A cluster in memory that refuses what processes refuse."""

    def __init__(self, *, name: str = "local", capacity: ClusterCapacity = NO_LIMIT, cpu_millis: int = 0) -> None:
        room = ClusterCapacity(cpu_millis=cpu_millis, memory_bytes=0) if cpu_millis else capacity
        super().__init__(name=name, capacity=room)

    def refuse_unfit(self, task: TaskSpec, constraints: PodConstraints) -> None:
        """See the port."""
        process_fitness(task)


class ScriptedWorkers:
    """Placement whose workers do what the test says."""

    def __init__(self) -> None:
        self.placed: list[tuple[int, Action]] = []
        self.sent: dict[int, list[WorkerOrder]] = {}
        self.stopped: list[int] = []
        self.ended: list[int] = []
        self.adopts = False
        """Whether workers outlive the scheduler."""

    def place(self, action: Action) -> None:
        """See the port."""
        assert action.attempt is not None
        self.placed.append((action.attempt.lease, action))

    def whereabouts(self, lease: int) -> tuple[str, str]:
        """See the port."""
        return "", ""

    def adopt(self, action: Action) -> bool:
        """See the port."""
        return self.adopts

    def send(self, lease: int, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        self.sent.setdefault(lease, []).extend(orders)

    def stop(self, lease: int, reason: str) -> None:
        """See the port."""
        self.stopped.append(lease)

    def finished(self, lease: int) -> None:
        """See the port."""
        self.send(lease, [WorkerOrder(lease=lease, end_accepted=EndAccepted())])
        self.ended.append(lease)

    async def close(self) -> None:
        """See the port."""

    def lease_of(self, name: str) -> int:
        """The newest lease of an action."""
        return next(lease for lease, action in reversed(self.placed) if action.name == name)

    def kinds(self, lease: int) -> list[str]:
        """What a worker was sent."""
        return [str(order.WhichOneof("order")) for order in self.sent.get(lease, ())]


class MemoryCache:
    """A cache that keeps what it is given. Several schedulers may share it.

    Args:
        clock: ends reservations that are not extended; without one they live until `lapse`.
    """

    def __init__(self, *, clock: ManualClock | None = None) -> None:
        self.entries: dict[bytes, CacheEntry] = {}
        self.lookups: list[int] = []
        self.holders: dict[bytes, tuple[str, int]] = {}
        """Who has which key, with the token."""
        self.tokens: dict[bytes, int] = {}
        """The token that a key was given out with last."""
        self.asked: list[str] = []
        """Owners that reserved, or tried to."""
        self.waiters: list[tuple[dict[bytes, CacheKey], asyncio.Queue[WaitResponse | None]]] = []
        self.down = False
        self._clock = clock
        self._ends: dict[bytes, Timer] = {}

    def go_down(self) -> None:
        """It cannot be asked, and whoever waits learns that."""
        self.down = True
        for _, queue in self.waiters:
            queue.put_nowait(None)
        self.waiters.clear()

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("the cache is down")

    async def lookup(self, queries: Sequence[LookupRequest.Query]) -> Sequence[CacheEntry | None]:
        """See the port."""
        self._answer()
        self.lookups.append(len(queries))
        return [None if _too_old(query) else self.entries.get(_name(query.key)) for query in queries]

    async def put(self, items: Sequence[PutRequest.Item]) -> Sequence[PutResponse.Outcome.ValueType]:
        """See the port."""
        self._answer()
        return [self._put(item) for item in items]

    def _put(self, item: PutRequest.Item) -> PutResponse.Outcome.ValueType:
        name = _name(item.entry.key)
        if item.reservation and self.tokens.get(name) != item.reservation:
            return PutResponse.OUTCOME_FENCED
        known = name in self.entries
        if item.overwrite or not known or _too_old(item):
            self.entries[name] = item.entry
        self._wake(name, self.entries[name])
        if item.reservation:
            self.lapse(name)
        return PutResponse.OUTCOME_EXISTED if known and not item.overwrite else PutResponse.OUTCOME_STORED

    async def reserve(self, items: Sequence[ReserveRequest.Item], *, ttl_s: float) -> Sequence[ReserveResponse.Result]:
        """See the port."""
        self._answer()
        return [self._reserve(item, ttl_s) for item in items]

    def _reserve(self, item: ReserveRequest.Item, ttl_s: float) -> ReserveResponse.Result:
        name = _name(item.key)
        self.asked.append(item.owner)
        if name not in self.holders:
            if name in self.entries and not item.overwrite:
                return ReserveResponse.Result(entry=self.entries[name])
            self.tokens[name] = self.tokens.get(name, 0) + 1
            self.holders[name] = (item.owner, self.tokens[name])
            self._end_later(name, ttl_s)
        owner, token = self.holders[name]
        return ReserveResponse.Result(acquired=owner == item.owner, reservation=token, owner=owner)

    async def extend(self, items: Sequence[ExtendRequest.Item]) -> Sequence[bool]:
        """See the port."""
        self._answer()
        return [self._extend(_name(item.key), item.reservation) for item in items]

    def _extend(self, name: bytes, token: int) -> bool:
        lives = self.holders.get(name, ("", 0))[1] == token
        if lives:
            self._end_later(name, TTL_S)
        return lives

    def _end_later(self, name: bytes, ttl_s: float) -> None:
        if self._clock is not None:
            if name in self._ends:
                self._ends[name].cancel()
            self._ends[name] = self._clock.call_later(ttl_s, lambda: self.lapse(name))

    async def release(self, items: Sequence[ReleaseRequest.Item]) -> None:
        """See the port."""
        self._answer()
        for item in items:
            name = _name(item.key)
            if self.holders.get(name, ("", 0))[1] == item.reservation:
                self.lapse(name)

    async def wait(self, keys: Sequence[CacheKey]) -> AsyncIterator[WaitResponse]:
        """See the port."""
        self._answer()
        waiting = {_name(key): key for key in keys}
        queue: asyncio.Queue[WaitResponse | None] = asyncio.Queue()
        self.waiters.append((waiting, queue))
        for name in tuple(waiting):
            if name not in self.holders:
                self._wake(name, self.entries.get(name))
        for _ in keys:
            ready = await queue.get()
            if ready is None:
                raise Unavailable("the cache is down")
            yield ready

    def lapse(self, name: bytes | None = None) -> None:
        """A reservation ends, or all of them do."""
        for one in [name] if name is not None else list(self.holders):
            if one in self._ends:
                self._ends.pop(one).cancel()
            self.holders.pop(one, None)
            self._wake(one, self.entries.get(one))

    def _wake(self, name: bytes, entry: CacheEntry | None) -> None:
        for waiting, queue in self.waiters:
            key = waiting.pop(name, None)
            if key is not None:
                queue.put_nowait(WaitResponse(key=key, entry=entry))


def _too_old(asked: LookupRequest.Query | PutRequest.Item) -> bool:
    """This cache knows of no time: what may be of no age at all is too old."""
    return asked.HasField("max_age") and not asked.max_age.ToMicroseconds()


def _name(key: CacheKey) -> bytes:
    return key.SerializeToString(deterministic=True)


class Bench:
    """One scheduler after another on the same stores."""

    def __init__(self, folder: Path, *, room: ClusterCapacity = NO_LIMIT) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.records = MemoryRecords()
        self.cache = MemoryCache()
        self.administration = MemoryAdministration(self.records)
        self.room = room
        self.clusters: Sequence[Cluster] = ()
        """Set before a start: other clusters than one like processes with the room."""
        self.pool_clusters: Sequence[str] = ["local"]
        """Set before a start: where the reuse pool places replicas."""
        self.failures: list[BaseException] = []
        self.spans = KeptSpans()
        """What is told of traced runs, by all schedulers."""
        self.workers = ScriptedWorkers()
        self.scheduler: Scheduler

    async def start(self) -> Scheduler:
        """Starts the next scheduler; the one before it, if any, is simply forgotten, as after kill -9."""
        if hasattr(self, "scheduler"):
            self.scheduler.engine.timers.close()
        self.workers = ScriptedWorkers()
        self.workers.adopts = any(cluster.outlives_owner for cluster in self.clusters)
        parts = Parts(
            records=self.records.open(),
            logs=LogFiles(self.folder / "logs"),
            cache=self.cache,
            clock=self.clock,
            administration=self.administration.open(),
            clusters=self.clusters or [LikeProcesses(capacity=self.room)],
            pool_clusters=self.pool_clusters,
            spans=self.spans,
        )
        self.scheduler = Scheduler(parts, on_failure=self.failures.append)
        await self.scheduler.start(epoch=1, placements={"fresh": self.workers, "pool": self.workers})
        await settle()
        return self.scheduler

    async def submit(
        self, spec: TaskSpec, *, name: str = "r1", project: str = "project", settings: RunSettings | None = None
    ) -> RunKey:
        """Accepts a run."""
        key = RunKey(project, "domain", name)
        new = NewRun(
            key=key,
            digest=task_digest(spec),
            task=spec,
            inputs=b"",
            inputs_digest=b"i" * 32 if spec.cache.enabled else b"",
            settings=settings or RunSettings(),
        )
        await self.scheduler.intake.accept_run(new)
        await settle()
        return key

    async def say(self, lease: int, **report: object) -> None:
        """A worker says something."""
        self.scheduler.engine.receive([WorkerReport(lease=lease, **report)], placement=self.workers)  # type: ignore[arg-type]
        await settle()

    async def started(self, name: str) -> int:
        """The action's newest worker says that it runs; returns its lease."""
        lease = self.workers.lease_of(name)
        await self.say(lease, started={})
        return lease

    async def succeed(self, name: str, data: bytes = b"value") -> int:
        """The action's newest worker returns."""
        lease = self.workers.lease_of(name)
        await self.say(lease, ended={"outputs": Payload(inline=data)})
        return lease

    async def fail(self, name: str, *, recoverable: bool = True) -> int:
        """The action's newest worker raises."""
        lease = self.workers.lease_of(name)
        error = TaskError(kind=1, code="ValueError", message="boom", recoverable=recoverable)  # type: ignore[arg-type]
        await self.say(lease, ended={"error": error})
        return lease

    async def call(self, parent: str, child: str, spec: TaskSpec, *, number: int = 1) -> int:
        """The parent calls a child; returns the parent's lease."""
        lease = self.workers.lease_of(parent)
        digest = task_digest(spec)
        await self.say(lease, declare_task={"digest": digest, "spec": spec})
        submit = {"call": number, "name": child, "task_digest": digest, "inputs_digest": b"i" * 32}
        await self.say(lease, submit=submit)
        return lease

    async def advance(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        await settle()

    async def phase(self, key: RunKey, name: str = "a0") -> Phase:
        """The stored phase of an action."""
        response = await self.scheduler.queries.get(key, name)
        return Phase(response.action.phase)

    def results(self, lease: int) -> list[tuple[int, int, bytes]]:
        """Results that a parent was given: call, phase, outputs."""
        return [
            (order.result.call, order.result.phase, order.result.outputs.inline)
            for order in self.workers.sent.get(lease, ())
            if order.HasField("result")
        ]


async def settle() -> None:
    """Lets everything that is ready run."""
    for _ in range(12):
        await asyncio.sleep(0)
