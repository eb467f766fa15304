"""A long, seeded simulation: several programs at once, with workers that die, commits that hang, and schedulers that
are killed or usurped. Whatever happens, each program has the result that was known before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.state.follower import Watch
from tests.state.program import FAILED, IMPATIENT, Node, random_program
from tests.state.workers import Worker
from tests.state.world import HOLD_S, MOST_STEPS, World

from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cluster.ports import ClusterCapacity
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.domain.failures import worker_failure
from flyteplane.scheduler.domain.phases import ROOT, Phase

#: Deaths that the random worker leaves to chance, below the budgets of the scheduler.
MOST_KILLED, MOST_LOST = 3, 15

KILLED = worker_failure(exit_code=0, signal=9, out_of_memory=False, known=True, message="")
UNSEEN = worker_failure(exit_code=0, signal=0, out_of_memory=False, known=False, message="")
EXITED = worker_failure(exit_code=3, signal=0, out_of_memory=False, known=True, message="")


@dataclass(slots=True)
class Program:
    """A run that somebody wants to see through."""

    name: str
    root: Node
    settings: RunSettings
    submitted: bool = False

    @property
    def key(self) -> RunKey:
        """Identity of its run."""
        return RunKey("project", "domain", self.name)


class Actor:
    """The user's code in one attempt."""

    def __init__(self, simulation: Simulation, worker: Worker, node: Node) -> None:
        self.simulation = simulation
        self.worker = worker
        self.node = node
        self.uncalled = list(node.children)
        self.names: dict[int, Node] = {}
        self.total = node.value
        self.fails = worker.action.state.task_failures < node.fails
        self.later(self.begin)

    def later(self, step: Callable[[], None]) -> None:
        """Goes on after some time, unless the worker is gone by then, or dies now."""

        def go_on() -> None:
            if not self.worker.over and not self.worker.owner.dead and not self.dies():
                step()

        delay = self.simulation.random.choice([0.0, 0.1, 0.1, 0.2, 0.5, 1.5])
        self.simulation.world.clock.call_later(delay, go_on)

    def dies(self) -> bool:
        """The worker is lost, now and then, within what the platform forgives."""
        state = self.worker.action.state
        if self.simulation.random.random() > self.simulation.mortality or state.system_failures >= MOST_LOST:
            return False
        self.worker.die(UNSEEN if state.killed >= MOST_KILLED else self.simulation.random.choice([KILLED, UNSEEN]))
        self.haunt()
        return True

    def haunt(self) -> None:
        """What the worker said last arrives once more, perhaps when its action runs elsewhere already."""

        def speak() -> None:
            self.worker.owner = self.simulation.world.now
            self.worker.succeed(b"-1")

        if self.simulation.random.random() < 0.4:
            self.simulation.world.clock.call_later(self.simulation.random.choice([0.0, 0.2, 0.7, 1.5]), speak)

    def begin(self) -> None:
        """The task is called."""
        self.worker.start()
        if self.node.deadly:
            self.worker.die(KILLED)
        elif self.node.hangs == "deadline" or (self.node.hangs and self.fails):
            pass
        elif self.fails and self.node.lasting:
            self.later(self.end)
        else:
            self.call()

    def call(self) -> None:
        """Calls the next child, or all of them."""
        while self.uncalled:
            child = self.uncalled.pop(0)
            call = self.worker.submit(child.name, child.spec())
            self.names[call] = child
            if child.name in self.node.impatient:
                self.later(partial(self.lose_patience, call))
            if self.node.sequential:
                return
        if not self.names:
            self.later(self.end)

    def lose_patience(self, call: int) -> None:
        """Does not wait any longer; the answer may have come already."""
        if call in self.worker.calls:
            self.worker.cancel(call)
            self.add(call, IMPATIENT)

    def told(self, order: WorkerOrder) -> None:
        """The scheduler says something."""
        result = order.result
        child = self.names.get(result.call) if order.HasField("result") else None
        if child is None or self.worker.over:
            return
        if child.name in self.node.impatient:
            self.add(result.call, IMPATIENT)
        elif Phase(result.phase) is Phase.SUCCEEDED:
            self.add(result.call, int(result.outputs.inline))
        else:
            self.add(result.call, FAILED)

    def add(self, call: int, worth: int) -> None:
        """A child is done with."""
        self.total += worth
        del self.names[call]
        if self.uncalled:
            self.later(self.call)
        elif not self.names:
            self.later(self.end)

    def end(self) -> None:
        """Returns, raises, or exits."""
        random, worker = self.simulation.random, self.worker
        if not self.fails:
            worker.succeed(str(self.total).encode())
        elif random.random() < 0.5:
            worker.fail()
        else:
            worker.die(EXITED)
        self.haunt()


class Simulation:
    """One seed, from the first submit to the verdict."""

    def __init__(self, seed: int, folder: Path, **options: Any) -> None:
        self.random = Random(seed)
        self.mortality = self.random.choice([0.0, 0.02, 0.1])
        self.crashes = self.random.choice([0, 1, 2, 4])
        self.rivals = self.random.choice([0, 0, 1, 2])
        self.hangs = self.random.random() < 0.5
        self.unsteady = self.random.random() < 0.4
        room = ClusterCapacity(cpu_millis=self.random.choice([0, 700, 1_500]), memory_bytes=0)
        # Every other seed with writes that wait for each other.
        self.world = World(folder, room=room, hold_s=HOLD_S if seed % 2 else 0.0, **options)
        self.programs = [self._program(number) for number in range(self.random.randint(1, 3))]
        self.nodes = {(program.key, node.name): node for program in self.programs for node in program.root.all()}
        self.actors: dict[Worker, Actor] = {}
        self.world.on_place = self._placed
        self.world.on_order = self._told

    def _program(self, number: int) -> Program:
        settings = RunSettings(max_action_concurrency=self.random.choice([0, 0, 1, 3]))
        return Program(f"r{number}", random_program(self.random, size=self.random.randint(0, 9)), settings)

    def _placed(self, worker: Worker) -> None:
        self.actors[worker] = Actor(self, worker, self.nodes[worker.run, worker.action.name])

    def _told(self, worker: Worker, order: WorkerOrder) -> None:
        self.actors[worker].told(order)

    async def run(self) -> list[str]:
        """Everything, up to the mistakes that were found."""
        await self.world.start()
        for program in self.programs:
            self.world.clock.call_later(self.random.uniform(0, 2), partial(self._submit, program))
        for _ in range(MOST_STEPS):
            if self.world.checker.mistakes or not await self._step():
                break
        if not self.world.checker.mistakes:
            await self.world.judge()
            self._compare_results()
        await self.world.close()
        return self.world.checker.mistakes

    def _submit(self, program: Program) -> None:
        program.submitted = True
        self.world.accept(program.name, program.root.spec(), settings=program.settings)

    async def _step(self) -> bool:
        """Time goes on, and sometimes something goes wrong. False: nothing is left to happen."""
        await self._trouble()
        await self.world.settle()
        self.world.balanced()
        went_on = await self.world.advance_to_next()
        if not went_on and self.world.now.records.held:
            self.world.now.records.release()
            await self.world.settle()
            went_on = True
        await self.world.end_the_fenced()
        return went_on

    async def _trouble(self) -> None:
        chance, records = self.random.random(), self.world.now.records
        if self.crashes and chance < 0.02:
            self.crashes -= 1
            await self.world.crash(keep=self.random.randint(0, 4))
            self._submit_again()
        elif self.rivals and chance < 0.04:
            self.rivals -= 1
            await self.world.usurp()
            self._submit_again()
        elif self.unsteady and chance < 0.05:
            self.world.jump(self.random.choice([-30.0, 30.0]))
        elif self.hangs and chance < 0.35:
            if not records.held:
                records.hold()
            else:
                records.release(self.random.choice([None, 1, 2, 5]))
        elif chance < 0.40 and self.world.watches:
            await self._break(self.random.choice(self.world.watches))
        elif chance < 0.45:
            self._begin_a_watch()

    def _submit_again(self) -> None:
        """Whoever was not answered asks again, and so does everybody else."""
        for program in self.programs:
            if program.submitted:
                self._submit(program)

    async def _break(self, watch: Watch) -> None:
        await watch.cut()
        watch.resume()

    def _begin_a_watch(self) -> None:
        checker = self.world.checker
        if checker.run_ids and len(self.world.watches) < 6:
            key, run_id = self.random.choice(list(checker.run_ids.items()))
            self.world.watch(key, first=self.random.randint(0, len(checker.log[run_id]) + 1))

    def _compare_results(self) -> None:
        for program in self.programs:
            row, due = self.world.checker.row(program.key, ROOT), program.root.result
            if row is None:
                found: object = "nothing"
            elif row.phase == Phase.SUCCEEDED:
                found = int(Payload.FromString(row.outputs or b"").inline)
            else:
                found = None
            self.world.checker.expect(found == due, f"{program.name} returned {found}, it should return {due}")


async def simulate(seed: int, folder: Path, **options: Any) -> list[str]:
    """The mistakes of one seed. Options are those of `World`."""
    return await Simulation(seed, folder, **options).run()
