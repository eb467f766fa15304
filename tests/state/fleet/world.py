"""The world of a fleet: stores, clusters, network, scheduler processes, and the people who hand programs in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Any, Final

from tests.scheduler.harness import MemoryCache
from tests.state.fleet.agent import Agent
from tests.state.fleet.follower import Follower
from tests.state.fleet.judge import FleetChecker, Judge
from tests.state.fleet.pods import Pod, PodCluster
from tests.state.fleet.process import Kit, Process
from tests.state.fleet.programs import Program, random_fleet_program, spec_of
from tests.state.fleet.trace import Trace

from flyte.spec.digests import task_digest
from flyteplane.cluster.ports import ClusterCapacity
from flyteplane.coordination import MemoryCoordination
from flyteplane.coordination.election import leader_key
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.leadership import shards
from flyteplane.scheduler.application.intake import NewRun
from flyteplane.scheduler.domain.phases import ROOT, Phase
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.store.memory_administration import MemoryAdministration

if TYPE_CHECKING:
    from tests.state.fleet.network import Stream

    from flyteplane.scheduler.application.ports import RunKey

#: How long somebody waits for the answer to a call.
_PATIENCE_S: Final = 8.0


class FleetWorld:
    """See the module. All that is random comes from `random`."""

    def __init__(self, random: Random, *, clock: ManualClock, kit: Kit) -> None:
        self.random = random
        self.clock = clock
        self.kit = kit
        self.hold_s = 0.0
        self.trace = Trace(clock)
        self.checker = FleetChecker(self.trace)
        self.judge = Judge(self)
        self.cache = MemoryCache(clock=clock)
        self.memory = kit.records()
        self.administration = MemoryAdministration(self.memory)
        self.coordination = MemoryCoordination(clock=clock)
        self.room = ClusterCapacity(cpu_millis=random.choice([700, 1_500]), memory_bytes=0)
        unbounded = ClusterCapacity(cpu_millis=0, memory_bytes=0)
        self.prod = PodCluster(
            "prod",
            clock=clock,
            random=random,
            capacity=unbounded,
            contact_s=kit.contact_s,
            on_create=self.judge.created,
            on_stop=self.judge.stopped,
            on_run=self._run_pod,
            trace=self.trace,
        )
        self.clusters = [self.prod]
        self.agents: dict[Pod, Agent] = {}
        self.streams: list[Stream] = []
        self.slow_store_s = 0.0
        self.healed = self.closed = False
        self.programs_refused: set[RunKey] = set()
        """Programs that gave up calling into a full queue."""
        self._define_queues()
        self.programs = [self._program(number) for number in range(random.randint(1, 3))]
        self.nodes = {(program.key, node.name): node for program in self.programs for node in program.root.all()}
        self.queues_of = {program.key: program.queues for program in self.programs}
        self.followers = [Follower(self, program.key) for program in self.programs if random.random() < 0.4]
        self.processes: list[Process] = []
        self._people: set[asyncio.Future[Any]] = set()
        self._graves: set[asyncio.Future[Any]] = set()

    def _define_queues(self) -> None:
        random = self.random
        for name, clusters in (("pods", ("prod",)), ("both", ()), ("here", ("local",)), ("also", ("prod",))):
            self.administration.queues[name] = QueueSettings(
                name=name,
                clusters=clusters,
                action_concurrency=random.choice([0, 0, 1, 2]),
                run_concurrency=random.choice([0, 0, 0, 1, 2]) if name == "pods" else 0,
                depth=random.choice([0, 0, 0, 6]),
                priority=random.choice([0, 500, 1000]),
            )
        if random.random() < 0.5:
            small = ResourceClass(name="small", max_cpu_millis=300, quota_cpu_millis=random.choice([0, 500]))
            large = ResourceClass(name="large", max_cpu_millis=1000, quota_cpu_millis=random.choice([0, 1000]))
            self.administration.classes.update(small=small, large=large)

    def _program(self, number: int) -> Program:
        queues = self.random.choice([["pods"], ["pods", "also"], ["pods", "both", "here", "also", "default"]])
        return random_fleet_program(self.random, number, queues=queues)

    # --- processes --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything begins."""
        asyncio.get_running_loop().set_exception_handler(self._unexpected)
        for number in range(self.random.choice([1, 2, 3])):
            self.processes.append(Process(self, number))
        for program in self.programs:
            self.person(self._submit(program))
        for follower in self.followers:
            self.person(follower.follow())

    def leader(self) -> Process | None:
        """The process that answers calls."""
        return next((process for process in self.processes if process.serving is not None), None)

    def leading_epoch(self) -> int:
        """The epoch of whoever has the lead by the coordination store's own word; 0 if nobody has."""
        held = self._mirror.snapshot.get(leader_key(shards.SCHEDULER))
        return held.create_revision if held is not None else 0

    async def watch_leaders(self) -> None:
        """Follows the coordination store itself."""
        self._mirror = self.coordination.mirror(leader_key(shards.SCHEDULER))
        await self._mirror.__aenter__()

    def kill(self, process: Process) -> None:
        """kill -9; something starts the process again, some time later."""
        if process.life.dead:
            return
        self.trace(f"{process.name} dies")
        process.life.die()
        keep = self.random.randint(0, 4)
        for service in process.services:
            service.records.die(keep=keep)
        self._bury(process)
        self._in_background(process.node.stop())

    def stop(self, process: Process) -> None:
        """SIGTERM."""

        async def stop() -> None:
            await process.node.stop()
            if not process.life.dead:
                self.trace(f"{process.name} has stopped")
                process.life.die()
                self._bury(process)

        self._in_background(stop())

    def _bury(self, process: Process) -> None:
        process.local.owner_died()
        for pods in self.clusters:
            pods.links = [link for link in pods.links if link not in process.clusters]
        self.end_streams(process)
        self.clock.call_later(self.random.choice([0.2, 3.0, 12.0]), lambda: self._begin_again(process))

    def _begin_again(self, process: Process) -> None:
        if not self.closed:
            process.begin()

    def end_streams(self, process: Process) -> None:
        """All streams of a process end, since it does, or no longer leads."""
        if not process.life.dead and not self.kit.minds_its_lease:
            return
        for stream in [stream for stream in self.streams if stream.server is process]:
            if process.life.dead:
                stream.server_died()
            else:
                stream.close()

    # --- pods -------------------------------------------------------------------------------------------------------

    def _run_pod(self, pod: Pod) -> None:
        self.agents[pod] = Agent(self, pod, contact_s=self.kit.told_contact_s)

    def commit_delay_s(self) -> float:
        """How long the next commit takes."""
        usual = self.random.choice([0.0005, 0.002])
        return self.random.uniform(0, self.slow_store_s) if self.slow_store_s else usual

    # --- people -----------------------------------------------------------------------------------------------------

    def person(self, work: Awaitable[None]) -> None:
        """Somebody does something, and the world waits for them."""
        task: asyncio.Future[None] = asyncio.ensure_future(work)
        self._people.add(task)
        task.add_done_callback(lambda done: self._done(self._people, done))

    def _in_background(self, work: Awaitable[None]) -> None:
        task: asyncio.Future[None] = asyncio.ensure_future(work)
        self._graves.add(task)
        task.add_done_callback(lambda done: self._done(self._graves, done))

    def _done(self, group: set[asyncio.Future[Any]], task: asyncio.Future[Any]) -> None:
        group.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.checker.mistakes.append(f"somebody failed: {error!r}")

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
        while not await self.call(lambda process: process.service.scheduler.intake.accept_run(new)):  # type: ignore[union-attr]
            await self.clock.sleep(1.0)
        self.checker.accepted(program.key)
        program.accepted = True

    async def call(self, what: Callable[[Process], Awaitable[object]]) -> bool:
        """Calls whoever leads. False: it was refused, or nobody knows what became of it."""
        process = self.leader()
        if process is None:
            return False
        service = process.service
        calling = asyncio.ensure_future(what(process))
        await self.until_it_ends(calling, process)
        if calling.cancelled() or process.serving is not service:
            return False
        return calling.exception() is None or self._is_defect(calling.exception())

    async def until_it_ends(self, work: asyncio.Future[Any], process: Process) -> None:
        """Waits for an answer, for the end of the process, or until patience is over; the work has ended then."""
        patience = asyncio.ensure_future(self.clock.sleep(_PATIENCE_S))
        await asyncio.wait([work, process.life.died, patience], return_when=asyncio.FIRST_COMPLETED)
        for task in (work, patience):
            task.cancel()
        await asyncio.wait([work, patience])

    def _is_defect(self, error: BaseException | None) -> bool:
        self.checker.expect(isinstance(error, PlatformError), f"a call failed: {error!r}")
        return False

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.checker.mistakes.append(f"{context['message']}: {context.get('exception')!r}")

    # --- the end ----------------------------------------------------------------------------------------------------

    @property
    def runs_ended(self) -> bool:
        """Every program was accepted and has ended, and everybody who asked was answered."""
        rows = [self.checker.row(program.key, ROOT) for program in self.programs]
        return not self._people and all(row is not None and Phase(row.phase).terminal for row in rows)

    @property
    def is_empty(self) -> bool:
        """No worker is left anywhere, and none is remembered."""
        process = self.leader()
        if process is None or process.service is None:
            return False
        if any(process.service.fresh.known_names(cluster.name) for cluster in process.clusters):
            return False
        if self.agents:
            return False
        return not any(pods.pods for pods in self.clusters) and not any(one.local.workers for one in self.processes)

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self.healed = True
        self.slow_store_s = 0.0
        for pods in self.clusters:
            pods.heal()
        for process in self.processes:
            process.life.fuse = 0
            process.life.go_on()
            process.unreachable = False
            process.line.cut, process.line.loses_answers, process.line.slow_s = False, 0.0, 0.0
        for agent in list(self.agents.values()):
            agent.life.go_on()

    async def close(self) -> None:
        """Ends all processes."""
        self.closed = True
        for task in list(self._people):
            task.cancel()
        for process in self.processes:
            process.life.go_on()
            process.life.die()
            for service in process.services:
                service.records.die(keep=0)
        await asyncio.gather(*(process.node.stop() for process in self.processes), *self._graves)
        await self.coordination.close()
