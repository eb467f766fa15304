"""One seed of the world of pools, from the first submit to the verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final

from tests.state.fleet.programs import Program
from tests.state.fleet.simulation import Verdict
from tests.state.fleet.virtual_loop import VirtualLoop, run
from tests.state.pools.processes import Kit
from tests.state.pools.troubles import TROUBLES, Trouble
from tests.state.pools.world import PoolsWorld

from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.foundation.clock import ManualClock
from flyteplane.scheduler.domain.phases import ROOT, Phase

#: Trouble comes during these seconds, and none after.
_TROUBLE_S: Final = 70.0
#: Once nothing goes wrong any more, everything ends within this time.
_ENDS_WITHIN_S: Final = 900.0
#: Once every run has ended, nothing is left after this time: pools have had nothing to do for long enough.
_EMPTY_WITHIN_S: Final = 200.0


class _Simulation:
    def __init__(self, seed: int, *, clock: ManualClock, loop: VirtualLoop, kit: Kit) -> None:
        self.random = Random(seed)
        self.loop = loop
        self.clock = clock
        self.world = PoolsWorld(self.random, clock=clock, kit=kit)
        self.mistakes = self.world.checker.mistakes

    async def run(self) -> Verdict:
        """Everything."""
        world, random = self.world, self.random
        world.start()
        kinds = random.sample(TROUBLES, k=random.randint(2, 7))
        if world.kit.trouble:
            kinds = [trouble for trouble in TROUBLES if trouble.__name__ == world.kit.trouble]
        for _ in range(random.choice([0, 2, 4, 8])):
            self.clock.call_later(random.uniform(0, _TROUBLE_S), self._strike(random.choice(kinds)))
        self.clock.call_later(_TROUBLE_S, self._heal)
        await self._until(lambda: world.healed and world.runs_ended, within_s=_TROUBLE_S + _ENDS_WITHIN_S, what="end")
        await self._until(lambda: not self._left(), within_s=_EMPTY_WITHIN_S, what="go")
        for program in () if self.mistakes else world.programs:
            self._compare(program)
        await self._close()
        return Verdict(mistakes=list(self.mistakes), lines=world.trace.lines, digest=world.trace.digest)

    def _strike(self, trouble: Trouble) -> Callable[[], None]:
        def strike() -> None:
            if not self.world.healed:
                self.world.trace(f"--- {trouble.__name__}")
                trouble(self.world)

        return strike

    def _heal(self) -> None:
        self.world.trace("--- nothing goes wrong from now on")
        self.world.heal()

    async def _until(self, over: Callable[[], bool], *, within_s: float, what: str) -> None:
        until = self.clock.monotonic() + within_s
        while not self.mistakes:
            await self.loop.settle()
            if over():
                return
            due = self.loop.next_timer_at()
            if due is None or due > until:
                self.mistakes.append(f"these do not {what} within {within_s:g} s: {self._unfinished()}")
                return
            # A little more, as a sum of times may come out a little less.
            self.clock.advance(max(0.0, due - self.clock.monotonic()) + 1e-6)

    async def _close(self) -> None:
        closing = asyncio.ensure_future(self.world.close())
        while not closing.done():
            await self.loop.settle()
            due = self.loop.next_timer_at()
            self.clock.advance(max(0.0, (due or 0.0) - self.clock.monotonic()) + 1e-6)
        closing.result()

    def _left(self) -> list[str]:
        """What is still held by anybody, though everything has ended."""
        world = self.world
        left = [f"pod {name}" for name in world.cluster.workers]
        scheduler, pool = world.scheduler, world.pool
        if scheduler is None or not scheduler.serves or pool is None or pool.service is None:
            return [*left, "a process that is not there"]
        left += [f"lease {lease} of the scheduler" for lease in scheduler.scheduler.engine.attempts]
        left += [f"lease {lease} of the stream" for lease in scheduler.stream._leases]
        registry = pool.service.reuse_pool._registry
        left += [f"lease {lease} of the pool" for lease in registry.held]
        left += [f"lease {lease} that is expected" for lease in pool.service.reuse_pool.scheduler._continuity.expected]
        left += [f"session {name}" for name in registry.sessions]
        return left + [f"pool {name[:10]}" for name in registry.pools]

    def _unfinished(self) -> list[str]:
        checker = self.world.checker
        actions = [
            f"{checker.runs[run_id].key.name}/{name} {Phase(row.phase).name} of {row.attempt}: {row.reason}"
            for (run_id, name), row in checker.rows.items()
            if not Phase(row.phase).terminal
        ]
        return [*actions, *self._left()]

    def _compare(self, program: Program) -> None:
        row, due = self.world.checker.row(program.key, ROOT), program.root.result
        assert row is not None
        succeeded = row.phase == Phase.SUCCEEDED
        found = int(Payload.FromString(row.outputs or b"").inline) if succeeded else None
        self.world.checker.expect(found == due, f"{program.key.name} returned {found}, it should return {due}")


def simulate_pools(seed: int, *, kit: Kit | None = None) -> Verdict:
    """One seed. The same seed gives the same history."""
    clock = ManualClock()

    async def main(loop: VirtualLoop) -> Verdict:
        return await _Simulation(seed, clock=clock, loop=loop, kit=kit or Kit()).run()

    return run(main, clock=clock)
