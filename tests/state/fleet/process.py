"""One scheduler process: a real node over the coordination store, with the real scheduler that it opens as leader."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.scheduler.harness import ScriptedWorkers
from tests.state.fleet.life import Life, LifeClock
from tests.state.fleet.lines import CoordinationLine, StoreLine
from tests.state.fleet.local_workers import LocalCluster
from tests.state.fleet.pods import PodLink
from tests.state.fleet.watched_engine import WatchedEngine

from flyteapi.scheduler.v1.worker_service_pb2 import Hello, WorkerOrder
from flyteapi.task.v1.task_spec_pb2 import SecretRequest
from flyteplane.cluster.ports import PodConstraints
from flyteplane.foundation.errors import Unauthenticated, Unavailable
from flyteplane.leadership import shards
from flyteplane.leadership.node import LeaderNode, Term
from flyteplane.rpc.gate import Gate, Leads
from flyteplane.rpc.tokens import Claims, TokenKind
from flyteplane.scheduler.application.ports import Placement, RunKey
from flyteplane.scheduler.application.scheduler import Parts, Scheduler
from flyteplane.scheduler.clients.fresh_workers import FreshWorkers
from flyteplane.scheduler.clients.provisions import Provisions
from flyteplane.scheduler.clients.sweeper import sweep_for_ever
from flyteplane.scheduler.clients.worker_sessions import WorkerSession, WorkerSessions
from flyteplane.scheduler.domain.definitions import Entries
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.store.memory_administration import MemoryAdministration, MemoryAdministrationOwner
from flyteplane.scheduler.store.memory_records import MemoryRecords

if TYPE_CHECKING:
    from tests.state.fleet.network import ServerEnd
    from tests.state.fleet.world import FleetWorld

    from flyteplane.cluster.ports import Cluster

LEASE_TTL_S: Final = 6.0
CONTACT_S: Final = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a fleet is built of; a fault replaces a part."""

    engine: type[WatchedEngine] = WatchedEngine
    fresh: type[FreshWorkers] = FreshWorkers
    sessions: type[WorkerSessions] = WorkerSessions
    sweep: Callable[..., Awaitable[None]] = sweep_for_ever
    records: Callable[[], MemoryRecords] = MemoryRecords
    contact_s: float = CONTACT_S
    """What the scheduler goes by."""
    told_contact_s: float = CONTACT_S
    """What pods go by."""
    minds_its_lease: bool = True
    """It says nothing once its lease may have ended."""
    queue: Callable[[QueueSettings], QueueSettings] = lambda queue: queue
    """How the scheduler reads the definition of a queue."""


class _Logs:
    """Output is nobody's business here."""

    def append(self, run: RunKey, action: str, attempt: int, data: bytes, *, position: int = 0) -> None:
        """See the port."""

    def notify(self, run: RunKey, action: str) -> None:
        """See the port."""

    async def close(self) -> None:
        """See the port."""


class _AsRead(MemoryAdministrationOwner):
    """Definitions as the scheduler reads them."""

    def __init__(self, rows: MemoryAdministration, queue: Callable[[QueueSettings], QueueSettings]) -> None:
        super().__init__(rows)
        self._queue = queue

    async def load(self) -> Entries:
        """See the port."""
        entries = await super().load()
        return replace(entries, queues=tuple(self._queue(queue) for queue in entries.queues))


class _Tokens:
    """Makes and reads tokens."""

    def mint(self, run: RunKey, action: str, attempt: int, lease: int, secrets: Sequence[SecretRequest]) -> str:
        """The token of an attempt."""
        return f"{run}/{action}/{attempt}/{lease}"

    def verify(self, token: str) -> Claims:
        """See the port."""
        parts = token.split("/")
        if len(parts) != 6:
            raise Unauthenticated("the token was not made by this platform", reason="TOKEN")
        project, domain, run, action, attempt, lease = parts
        return Claims(
            kind=TokenKind.ATTEMPT,
            project=project,
            domain=domain,
            secrets=frozenset(),
            expires_at=0,
            run=run,
            action=action,
            attempt=int(attempt),
            lease=int(lease),
        )


class _Gate(Gate):
    """A gate whose state the world can see."""

    def __init__(self, *, on_shut: Callable[[], None] = lambda: None) -> None:
        super().__init__(["simulated"])
        self.leads: Leads | None = None
        self._on_shut = on_shut

    def open(self, register: Callable[[Any], None], *, leads: Leads) -> None:
        """See the base."""
        self.leads = leads

    def shut(self) -> None:
        """See the base."""
        if self.leads is not None:
            self.leads = None
            self._on_shut()


class Service:
    """The scheduler of one term, as `main` wires it."""

    def __init__(self, process: Process, term: Term) -> None:
        world, kit = process.world, process.world.kit
        self.term = term
        self.records = StoreLine(
            world.memory.open(),
            on_durable=world.checker.durable,
            life=process.life,
            clock=world.clock,
            delay=world.commit_delay_s,
        )
        parts = Parts(
            records=self.records,
            logs=_Logs(),  # type: ignore[arg-type]
            cache=world.cache,
            clock=process.clock,
            administration=_AsRead(world.administration, kit.queue),
            clusters=process.clusters,
            pool_clusters=["local"],
            hold_s=world.hold_s,
        )
        self.scheduler = Scheduler(parts, on_failure=term.fail, engine=kit.engine)
        engine = self.scheduler.engine
        assert isinstance(engine, WatchedEngine)
        engine.admitted = partial(world.judge.admitted, self)
        tokens = _Tokens()
        self.fresh = kit.fresh(
            engine=engine,
            clusters={cluster.name: cluster for cluster in process.clusters},
            constraints=lambda name: PodConstraints(),
            provisions=Provisions(
                secrets=None,  # type: ignore[arg-type]
                mint_token=tokens.mint,
                bundle_path=_no_bundle,
                data_prefix="file:///data/",
            ),
            background=self.scheduler.background,
        )
        leads = term.leads if kit.minds_its_lease else _always
        self.sessions = kit.sessions(self.fresh, verifier=tokens, leads=leads, clock=process.clock)

    async def start(self, *, clusters: Iterable[Any], sweep: Callable[..., Any], clock: LifeClock) -> None:
        """Takes the shard over."""
        try:
            placements: dict[str, Placement] = {"fresh": self.fresh, "pool": ScriptedWorkers()}
            await self.scheduler.start(epoch=self.term.epoch, placements=placements)
        except BaseException:
            await self.close()
            raise
        sweeping = sweep(
            self.fresh, clusters, clock=clock, leads=self.term.leads, reachable=self.scheduler.cluster_reachable
        )
        self.scheduler.background.start(sweeping, name="sweep workers")

    def add_to(self, server: Any) -> None:
        """See `LeadingService`."""

    def add_workers_to(self, server: Any) -> None:
        """See `LeadingService`."""

    async def close(self) -> None:
        """See `LeadingService`."""
        await self.fresh.close()
        await self.scheduler.close()


def _always() -> bool:
    return True


async def _no_bundle(digest: str) -> str:
    raise AssertionError("no task has a bundle")


class Process:
    """See the module; it implements `Server` for streams of pods."""

    def __init__(self, world: FleetWorld, number: int) -> None:
        self.world = world
        self.number = number
        self.name = f"scheduler{number}"
        self.unreachable = False
        """Nothing of the network reaches it, nor does it reach the coordination store."""
        self.begin()

    def begin(self) -> None:
        """The process starts."""
        world = self.world
        self.life = Life()
        self.clock = LifeClock(world.clock, self.life)
        self.line = CoordinationLine(world.coordination, life=self.life, clock=world.clock, random=world.random)
        self.gate = _Gate()
        self.workers_gate = _Gate(on_shut=lambda: world.end_streams(self))
        self.service: Service | None = None
        self.services: list[Service] = []
        self.local = LocalCluster(world, life=self.life, capacity=world.room)
        self.clusters: list[Cluster] = [
            self.local,
            *(PodLink(pods, life=self.life, clock=self.clock) for pods in world.clusters),
        ]
        self.calls: set[asyncio.Future[Any]] = set()
        self.node = LeaderNode(
            self.line,
            name=shards.SCHEDULER,
            clock=self.clock,
            address=f"unix:/{self.name}",
            open_service=self._open,
            services=self.gate,
            workers=self.workers_gate,
            on_change=self._changed,
            on_failure=self._unfit,
            lease_ttl_s=LEASE_TTL_S,
        )
        self.node.start()

    async def _open(self, term: Term) -> Service:
        self.world.trace(f"{self.name} opens for epoch {term.epoch}")
        service = Service(self, term)
        self.services.append(service)
        await service.start(clusters=self.clusters, sweep=self.world.kit.sweep, clock=self.clock)
        self.service = service
        self.world.judge.took_over(service)
        return service

    async def _changed(self, serves: bool) -> None:
        if not self.life.dead:
            self.world.trace(f"{self.name} {'serves' if serves else 'serves no longer'}")

    def _unfit(self, error: BaseException) -> None:
        self.world.trace(f"{self.name} cannot go on: {type(error).__name__}")
        self.world.judge.unfit(self, error)
        self.world.kill(self)

    # --- what others see --------------------------------------------------------------------------------------------

    @property
    def serving(self) -> Service | None:
        """The service that answers calls, if there is one."""
        open_gate = self.gate.leads is not None and self.gate.leads()
        return self.service if open_gate and not self.life.dead and not self.life.paused else None

    def open(self, hello: Hello, channel: ServerEnd) -> WorkerSession:
        """See `Server`."""
        if self.workers_gate.leads is None or self.service is None or not self.workers_gate.leads():
            raise Unavailable("this process does not lead", reason="NOT_LEADER")
        return self.service.sessions.open(hello, channel)

    def may_speak(self) -> bool:
        """See `Server`."""
        gate = self.workers_gate
        return gate.leads is not None and (gate.leads() or not self.world.kit.minds_its_lease)

    def said(self, orders: Sequence[WorkerOrder]) -> None:
        """See `Server`."""
        self.world.judge.said(self, orders)
