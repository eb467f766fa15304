"""The world of pools: stores, a cluster of pods, the processes, and programs whose results are known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, fields
from random import Random
from typing import TYPE_CHECKING, Any

from tests.scheduler.harness import MemoryCache
from tests.state.fleet.judge import FleetChecker
from tests.state.fleet.programs import Program, spec_of
from tests.state.fleet.trace import Trace
from tests.state.pools.lines import PodCluster
from tests.state.pools.processes import Kit, PoolProcess, SchedulerProcess
from tests.state.pools.replica import Replica
from tests.state.program import Node, random_program

from flyte.spec.digests import task_digest
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult, WorkerOrder
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.reuse_pool.store.memory_store import MemoryPoolStore
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.intake import NewRun
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.domain.phases import ROOT, Phase
from flyteplane.scheduler.store.memory_administration import MemoryAdministration
from flyteplane.scheduler.store.memory_records import MemoryRecords

if TYPE_CHECKING:
    from tests.state.pools.replica import Task

    from flyteplane.cluster.memory import MemoryWorker


class PoolsWorld:
    """See the module. All that is random comes from `random`."""

    def __init__(self, random: Random, *, clock: ManualClock, kit: Kit) -> None:
        self.random = random
        self.kit = kit
        self.clock = clock
        self.trace = Trace(clock)
        self.checker = FleetChecker(self.trace)
        self.contact_s = kit.told_contact_s
        self.cache = MemoryCache()
        self.memory = MemoryRecords()
        self.administration = MemoryAdministration(self.memory)
        self.register = MemoryPoolStore()
        self.replicas: dict[str, Replica] = {}
        self.cluster = PodCluster(contact_s=kit.contact_s, began=self._began, within_reach=self._within_reach)
        self.judge = self
        self.programs = [_program(random, number) for number in range(random.randint(1, 3))]
        self.nodes = {(program.key, node.name): node for program in self.programs for node in program.root.all()}
        self.queues_of = {program.key: program.queues for program in self.programs}
        self.programs_refused: set[RunKey] = set()
        self.scheduler: SchedulerProcess | None = None
        self.pool: PoolProcess | None = None
        self.pools_begun = 0
        self.slow_store_s = 0.0
        self.healed = self.closed = False
        self._graves: dict[asyncio.Future[Any], None] = {}

    def commit_delay_s(self) -> float:
        """How long the next commit of the scheduler takes."""
        usual = self.random.choice([0.0005, 0.002])
        return self.random.uniform(0, self.slow_store_s) if self.slow_store_s else usual

    # --- processes --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything begins."""
        asyncio.get_running_loop().set_exception_handler(self._unexpected)
        self.begin_pool()
        self.begin_scheduler()
        for program in self.programs:
            self.bury(self._submit(program))

    def begin_scheduler(self) -> None:
        """A scheduler leads from now on."""
        if not self.closed:
            self.trace("a scheduler begins")
            self.scheduler = SchedulerProcess(self)
            self.bury(self.scheduler.start())

    def begin_pool(self) -> None:
        """A reuse pool leads from now on, whatever became of the one before."""
        if self.closed:
            return
        self.pools_begun += 1
        self.trace(f"reuse pool {self.pools_begun} begins")
        before, self.pool = self.pool, PoolProcess(self, self.pools_begun)
        if before is not None:
            before.retire()
        self.bury(self._open_pool(self.pool))

    async def _open_pool(self, pool: PoolProcess) -> None:
        await pool.start()
        if self.pool is pool and self.scheduler is not None:
            self.scheduler.line.point(pool.server)

    def kill_scheduler(self) -> None:
        """kill -9; the next one leads some time later."""
        if self.scheduler is None or self.scheduler.life.dead:
            return
        self.trace("the scheduler dies")
        self.scheduler.kill()
        self.clock.call_later(self.random.choice([0.1, 3.0, 12.0]), self.begin_scheduler)

    def kill_pool(self) -> None:
        """kill -9; the next one leads some time later."""
        if self.pool is None or self.pool.life.dead:
            return
        self.trace(f"reuse pool {self.pool.number} dies")
        self.pool.kill()
        self.clock.call_later(self.random.choice([0.1, 3.0, 15.0, 40.0]), self.begin_pool)

    def replica_server(self) -> Any:
        """What replicas reach."""
        return self.pool.server if self.pool is not None and not self.pool.life.dead else None

    def bury(self, work: Coroutine[Any, Any, None] | Awaitable[Any]) -> None:
        """Something goes on in the background."""
        task: asyncio.Future[Any] = asyncio.ensure_future(work)
        self._graves[task] = None
        task.add_done_callback(self._buried)

    def _buried(self, task: asyncio.Future[Any]) -> None:
        self._graves.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.checker.mistakes.append(f"somebody failed: {error!r}")

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # What a process was about to do when it was killed is never done.
        if "destroyed but it is pending" not in context["message"]:
            self.checker.mistakes.append(f"{context['message']}: {context.get('exception')!r}")

    # --- replicas ---------------------------------------------------------------------------------------------------

    def _began(self, worker: MemoryWorker) -> None:
        replica = self.replicas[worker.spec.name] = Replica(self, worker)
        self.trace(f"replica {replica.name} begins")
        self.bury(self._follow(replica))

    async def _within_reach(self, name: str) -> None:
        """Return once the node of a replica can be reached, or the replica has ended."""
        while (replica := self.replicas.get(name)) is not None and replica.cut_off:
            await self.clock.sleep(0.5)

    async def _follow(self, replica: Replica) -> None:
        await replica.worker.ended.wait()
        replica.ended()
        self.replicas.pop(replica.name, None)

    def begins(self, replica: Replica, order: WorkerOrder) -> None:
        """A replica begins an attempt: nobody else may still be at the action, unless told to stop."""
        run, action = order.assign.run, order.assign.action
        self.trace(f"{replica.name} begins {run}/{action} under {order.lease}")
        for other in self.replicas.values():
            for task in other.tasks.values():
                same = (task.assign.run, task.assign.action) == (run, action)
                if same and task.may_work and not task.stopped and not self._is_given_up(task):
                    self.checker.expect(False, f"{action} begins under {order.lease} beside {task.lease}")

    def _is_given_up(self, task: Task) -> bool:
        """It took too long: it is being stopped, and the next attempt does not wait for that."""
        found = self.checker.leases.get(task.lease)
        if found is None:
            # Never stored: whoever placed it has died before, and nothing that it says has an effect.
            return True
        row = self.checker.rows[found[0], found[1]]
        past = [entry for entry in wire.history_of(row.history) if entry.attempt == found[2]]
        return any(entry.phase is Phase.TIMED_OUT for entry in past)

    def told_to_stop(self, task: Task) -> None:
        """A replica that was not given up is told that an attempt is over: so the store says as well."""
        found = self.checker.leases.get(task.lease)
        row = self.checker.rows[found[0], found[1]] if found is not None else None
        goes_on = row is not None and row.lease == task.lease and Phase(row.phase).placed
        self.checker.expect(not goes_on, f"{task.assign.action} is stopped under {task.lease}, which goes on")

    # --- what actors ask of their world -----------------------------------------------------------------------------

    def answered(self, run: RunKey, child: str, result: ActionResult) -> None:
        """A parent was given a result: it is durable."""
        row = self.checker.row(run, child)
        if result.phase:
            durable = row is not None and row.phase == result.phase
            self.checker.expect(durable, f"{child} was answered with {result.phase} before that was durable")

    def refused_for_now(self, result: ActionResult) -> None:
        """A call was refused and may be made again."""

    # --- people -----------------------------------------------------------------------------------------------------

    async def _submit(self, program: Program) -> None:
        await self.clock.sleep(self.random.uniform(0, 10))
        spec = spec_of(program.root, program.queues)
        new = NewRun(
            key=program.key,
            digest=task_digest(spec),
            task=spec,
            inputs=b"",
            inputs_digest=b"i" * 32,
            settings=program.settings,
        )
        while not program.accepted:
            program.accepted = await self._accepted(new)
            await self.clock.sleep(1.0)

    async def _accepted(self, new: NewRun) -> bool:
        process = self.scheduler
        if process is None or not process.serves:
            return False
        calling = asyncio.ensure_future(process.scheduler.intake.accept_run(new))
        waits: list[asyncio.Future[Any]] = [calling, process.life.died]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if process.life.dead or not calling.done():
            calling.cancel()
            return self.checker.row(new.key, ROOT) is not None
        try:
            calling.result()
        except PlatformError as error:
            self.checker.expect(False, f"a submit failed: {error!r}")
        return True

    # --- the end ----------------------------------------------------------------------------------------------------

    @property
    def runs_ended(self) -> bool:
        """Every program was accepted and has ended."""
        rows = [self.checker.row(program.key, ROOT) for program in self.programs]
        return all(row is not None and Phase(row.phase).terminal for row in rows)

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self.healed = True
        self.slow_store_s = 0.0
        self.cluster.unreachable = ""
        for replica in self.replicas.values():
            replica.cut_off = False
        if self.pool is not None:
            self.pool.life.fuse = 0
        if self.scheduler is not None:
            self.scheduler.life.fuse = 0

    async def close(self) -> None:
        """Ends everything."""
        self.closed = True
        for process in (self.scheduler, self.pool):
            if process is not None and not process.life.dead:
                process.kill()
        for replica in list(self.replicas.values()):
            replica.worker.exit()
        while self._graves:
            await asyncio.wait(list(self._graves))


def _program(random: Random, number: int) -> Program:
    program = random_program(random, size=random.randint(0, 6))
    root = _on_replicas(program, most=random.choice([1, 1, 2, 3]), concurrency=random.choice([1, 1, 3]))
    key = RunKey(f"project{number % 2}", "domain", f"r{number}")
    return Program(key, root, RunSettings(), {node.name: "default" for node in root.all()})


@dataclass(frozen=True, slots=True, kw_only=True)
class _PoolNode(Node):
    """An action on a pool of some size."""

    most: int
    concurrency: int

    def spec(self) -> TaskSpec:
        """See the base."""
        spec = Node.spec(self)
        spec.reuse.max_replicas, spec.reuse.concurrency = self.most, self.concurrency
        return spec


def _on_replicas(node: Node, *, most: int, concurrency: int) -> _PoolNode:
    given = {field.name: getattr(node, field.name) for field in fields(Node)}
    children = tuple(_on_replicas(child, most=most, concurrency=concurrency) for child in node.children)
    given |= {"kind": "reuse", "hangs": "", "deadly": False, "children": children}
    return _PoolNode(**given, most=most, concurrency=concurrency)
