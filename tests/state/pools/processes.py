"""The two kinds of processes: schedulers and reuse pools, one after another, wired as `main` wires them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.scheduler.harness import ScriptedWorkers
from tests.state.fleet.life import Life, LifeClock
from tests.state.fleet.lines import StoreLine
from tests.state.pools.lines import ClusterLine, RegisterLine, Switch

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.scheduler.v1.worker_service_pb2 import Assign
from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.ids import SeededIds
from flyteplane.observe import Metrics
from flyteplane.reuse_pool.domain.policy import PoolSettings
from flyteplane.reuse_pool.main import Given, ReusePoolService, open_on
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.rpc.tokens import Claims, TokenKind
from flyteplane.scheduler.application.scheduler import Parts, Scheduler
from flyteplane.scheduler.clients.pool_declarations import PoolDeclarations
from flyteplane.scheduler.clients.pool_stream import PoolStream

if TYPE_CHECKING:
    from tests.state.pools.world import PoolsWorld

    from flyteplane.scheduler.application.ports import RunKey


CONTACT_S: Final = 12.0


class _Logs:
    """Output is nobody's business here."""

    def append(self, run: RunKey, action: str, attempt: int, data: bytes, *, position: int = 0) -> None:
        """See the port."""

    def notify(self, run: RunKey, action: str) -> None:
        """See the port."""

    async def close(self) -> None:
        """See the port."""


class Tokens:
    """Tokens that say whose they are."""

    ttl_s = 60.0

    def attempt_token(self, assign: Assign, *, lease: int) -> str:
        """See the port."""
        return f"{assign.run}/{assign.action}/{assign.attempt}/{lease}"

    def hello_token(self, declaration: DeclarePool, *, replica: str) -> str:
        """See the port."""
        scope = declaration.scope
        return "/".join((scope.project, scope.domain, declaration.pool, replica))

    def claims(self, token: str) -> Claims:
        """See the port."""
        project, domain, pool, replica = token.split("/")
        return Claims(
            kind=TokenKind.REPLICA,
            project=project,
            domain=domain,
            secrets=frozenset(),
            expires_at=0,
            pool=pool,
            replica=replica,
        )


async def _no_bundle(digest: str) -> str:
    raise AssertionError("no task has a bundle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What processes are made of; a fault replaces a part."""

    stream: type[PoolStream] = PoolStream
    spoil: Callable[[ReusePoolService], None] = lambda service: None
    contact_s: float = CONTACT_S
    """What the reuse pool goes by."""
    told_contact_s: float = CONTACT_S
    """What replicas go by."""
    trouble: str = ""
    """The only thing that goes wrong, by its name; empty: all of it."""


class SchedulerProcess:
    """One life of a scheduler."""

    def __init__(self, world: PoolsWorld) -> None:
        self.world = world
        self.life = Life()
        self.clock = LifeClock(world.clock, self.life)
        self.line = Switch()
        self.line._server = world.pool.server if world.pool is not None else None
        self.records = StoreLine(
            world.memory.open(),
            on_durable=world.checker.durable,
            life=self.life,
            clock=world.clock,
            delay=world.commit_delay_s,
        )
        cluster = ClusterLine(world.cluster, self.life)
        parts = Parts(
            records=self.records,
            logs=_Logs(),  # type: ignore[arg-type]
            cache=world.cache,
            clock=self.clock,
            administration=world.administration.open(),
            clusters=[cluster],
            pool_clusters=["pods"],
        )
        self.scheduler = Scheduler(parts, on_failure=self._unfit)
        self.stream = world.kit.stream(
            engine=self.scheduler.engine,
            channel=self.line,  # type: ignore[arg-type]
            declarations=PoolDeclarations(
                clusters={"pods": cluster},
                resource_class=self.scheduler.admission.resource_class,
                secrets=None,  # type: ignore[arg-type]
                bundle_path=_no_bundle,
            ),
            mint_token=lambda run, action, attempt, lease, secrets: f"{run}/{action}/{attempt}/{lease}",
            background=self.scheduler.background,
            clock=self.clock,
            data_prefix="file:///data/",
        )
        self.serves = False

    async def start(self) -> None:
        """Takes the shard over."""
        try:
            await self.scheduler.start(epoch=1, placements={"fresh": ScriptedWorkers(), "pool": self.stream})
        except PlatformError:
            if not self.life.dead:
                raise
            return
        self.stream.start()
        self.serves = True

    def kill(self) -> None:
        """kill -9."""
        self.serves = False
        self.life.die()
        self.records.die(keep=self.world.random.randint(0, 4))
        self.line.break_calls()
        self.world.bury(self.scheduler.background.stop())

    def _unfit(self, error: BaseException) -> None:
        if not self.life.dead:
            self.world.checker.expect(False, f"the scheduler cannot go on: {error!r}")


class PoolProcess:
    """One life of a reuse pool."""

    def __init__(self, world: PoolsWorld, number: int) -> None:
        self.world = world
        self.number = number
        self.life = Life()
        self.clock = LifeClock(world.clock, self.life)
        self.server: InProcessServer | None = None
        self.service: ReusePoolService | None = None

    async def start(self) -> None:
        """Takes the register over, and serves."""
        given = Given(
            clusters=[ClusterLine(self.world.cluster, self.life)],
            clock=self.clock,
            ids=SeededIds(self.number),
            secrets=None,
            tokens=Tokens(),
            settings=PoolSettings(start_timeout_s=60.0, overflow_limit=4),
            metrics=Metrics(),
            leads=self._leads,
            on_failure=self._unfit,
        )
        register: Any = RegisterLine(self.world.register.open(), self.life)
        try:
            service = await open_on(register, given, epoch=1)
        except PlatformError:
            if not self.life.dead:
                raise
            return
        if self.life.dead:
            return
        self.world.kit.spoil(service)
        self.service = service
        self.server = InProcessServer()
        service.add_to(self.server)
        service.add_workers_to(self.server)

    def kill(self) -> None:
        """kill -9."""
        self.life.die()
        if self.service is not None:
            self.world.bury(self.service._background.stop())
        self.retire()

    def retire(self) -> None:
        """It is replaced: its streams break. It goes on all the same, as far as it does not look at its clock."""
        if self.server is not None:
            self.world.bury(self.server.stop(None))

    def _leads(self) -> bool:
        return not self.life.dead and self.world.pool is self

    def _unfit(self, error: BaseException) -> None:
        self.world.checker.expect(self.world.pool is not self, f"the reuse pool cannot go on: {error!r}")
        asyncio.get_running_loop().call_soon(self.kill)
