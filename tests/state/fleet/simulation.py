"""One seed of the fleet, from the first submit to the verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.state.fleet.process import Kit
from tests.state.fleet.programs import Program
from tests.state.fleet.troubles import TROUBLES, Trouble, accept_again
from tests.state.fleet.virtual_loop import VirtualLoop, run
from tests.state.fleet.world import FleetWorld
from tests.state.world import HOLD_S

from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.foundation.clock import ManualClock
from flyteplane.scheduler.domain.phases import ROOT, Phase

#: Trouble comes during these seconds, and none after.
_TROUBLE_S: Final = 70.0
#: Once nothing goes wrong any more, everything ends within this time.
_ENDS_WITHIN_S: Final = 900.0
#: Once every run has ended, nothing is left after this time: a sweep, and what it starts.
_EMPTY_WITHIN_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a seed."""

    mistakes: list[str]
    lines: list[str]
    digest: str
    """Equal for equal histories."""


class _Simulation:
    def __init__(self, seed: int, *, clock: ManualClock, loop: VirtualLoop, kit: Kit) -> None:
        self.random = Random(seed)
        self.loop = loop
        self.clock = clock
        self.world = FleetWorld(self.random, clock=clock, kit=kit)
        # Every other seed with writes that wait for each other.
        self.world.hold_s = HOLD_S if seed % 2 else 0.0
        self.mistakes = self.world.checker.mistakes

    async def run(self) -> Verdict:
        """Everything."""
        world, random = self.world, self.random
        await world.watch_leaders()
        world.start()
        kinds = random.sample(TROUBLES, k=random.randint(2, 8))
        for _ in range(random.choice([0, 3, 6, 10])):
            trouble = random.choice(kinds)
            self.clock.call_later(random.uniform(0, _TROUBLE_S), self._strike(trouble))
        self.clock.call_later(_TROUBLE_S, self._heal)
        await self._until(lambda: world.healed and world.runs_ended, within_s=_TROUBLE_S + _ENDS_WITHIN_S, what="end")
        await self._until(lambda: world.is_empty, within_s=_EMPTY_WITHIN_S, what="go")
        if not self.mistakes:
            world.judge.nothing_is_left()
            for program in world.programs:
                self._compare(program)
        await self._close()
        return Verdict(mistakes=list(self.mistakes), lines=world.trace.lines, digest=world.trace.digest)

    async def _close(self) -> None:
        closing = asyncio.ensure_future(self.world.close())
        while not closing.done():
            await self.loop.settle()
            due = self.loop.next_timer_at()
            self.clock.advance(max(0.0, (due or 0.0) - self.clock.monotonic()) + 1e-6)
        closing.result()

    def _strike(self, trouble: Trouble) -> Callable[[], None]:
        def strike() -> None:
            if not self.world.healed:
                self.world.trace(f"--- {trouble.__name__}")
                trouble(self.world)

        return strike

    def _heal(self) -> None:
        self.world.trace("--- nothing goes wrong from now on")
        self.world.heal()
        accept_again(self.world)

    async def _until(self, over: Callable[[], bool], *, within_s: float, what: str) -> None:
        until = self.clock.monotonic() + within_s
        while not self.mistakes:
            await self.loop.settle()
            self.world.judge.balanced()
            if over():
                return
            due = self.loop.next_timer_at()
            if due is None or due > until:
                self.mistakes.append(f"these do not {what} within {within_s:g} s: {self._unfinished()}")
                return
            # A little more, as a sum of times may come out a little less.
            self.clock.advance(max(0.0, due - self.clock.monotonic()) + 1e-6)

    def _unfinished(self) -> list[str]:
        checker, world = self.world.checker, self.world
        actions = [
            f"{checker.runs[run_id].key.name}/{name} {Phase(row.phase).name} of {row.attempt}: {row.reason}"
            for (run_id, name), row in checker.rows.items()
            if not Phase(row.phase).terminal
        ]
        pods = [f"pod {name}" for pods in world.clusters for name in pods.pods]
        local = [f"process {name}" for process in world.processes for name in process.local.workers]
        waiting = [f"submit of {program.key.name}" for program in world.programs if not program.accepted]
        leader = world.leader()
        fresh = leader.service.fresh if leader is not None and leader.service is not None else None
        known = [f"remembered {name}" for at in ("local", "prod") for name in (fresh.known_names(at) if fresh else ())]
        return [*actions, *pods, *local, *waiting, *sorted(known)] or ["somebody waits for an answer"]

    def _compare(self, program: Program) -> None:
        row, due = self.world.checker.row(program.key, ROOT), program.root.result
        assert row is not None
        if program.aborted or program.key in self.world.programs_refused or self._was_held_up(program):
            return
        succeeded = row.phase == Phase.SUCCEEDED
        found = int(Payload.FromString(row.outputs or b"").inline) if succeeded else None
        self.world.checker.expect(found == due, f"{program.key.name} returned {found}, it should return {due}")

    def _was_held_up(self, program: Program) -> bool:
        """An outage made something take longer than it may: it was charged for that, and may have failed of it."""
        checker = self.world.checker
        run_id = checker.run_ids[program.key]
        told = {node.name: checker.progress.get((run_id, node.name)) for node in program.root.all()}
        return any(
            node.hangs == "max_runtime" and (seen := told[node.name]) is not None and seen.charged > node.fails
            for node in program.root.all()
        )


def simulate_fleet(seed: int, *, kit: Kit | None = None) -> Verdict:
    """One seed. The same seed gives the same history."""
    clock = ManualClock()

    async def main(loop: VirtualLoop) -> Verdict:
        return await _Simulation(seed, clock=clock, loop=loop, kit=kit or Kit()).run()

    return run(main, clock=clock)
