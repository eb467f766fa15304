"""User code in one attempt: a node of a program whose result is known before it runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from tests.state.fleet.programs import spec_of
from tests.state.program import FAILED, IMPATIENT, Node

from flyte.spec.digests import task_digest
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.domain.phases import Phase

if TYPE_CHECKING:
    from tests.state.fleet.life import LifeClock
    from tests.state.fleet.world import FleetWorld

    from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult, Assign

_KILLED: Final = 9
_PASSES: Final = ("QUEUE_FULL", "QUEUE_DRAINING")
#: Tries of a call that is refused for now. A queue that is full of parents stays full.
_MOST_TRIES: Final = 30
_LONGEST_WAIT_S: Final = 10.0


class Host(Protocol):
    """What an attempt runs in."""

    clock: LifeClock

    def say(self, **report: Any) -> None:
        """Reports something."""

    def exit(self, *, code: int = 0, signal: int = 0) -> None:
        """Ends the process without a word of its own."""


class Actor:
    """Fails as often as its node says, calls the children, and returns the sum of all."""

    def __init__(self, world: FleetWorld, host: Host, assign: Assign) -> None:
        self.world = world
        self.host = host
        project, domain, run = assign.run.split("/")
        self.run = RunKey(project, domain, run)
        self.name = assign.action
        self.node: Node = world.nodes[self.run, self.name]
        self.over = False
        """It has returned, raised, exited, or was told to stop."""
        self.fails = self.node.retries - assign.attempts_left < self.node.fails
        self._uncalled = list(self.node.children)
        self._open: dict[int, Node] = {}
        self._next_call = 1
        self._tries = 0
        self._total = self.node.value
        self._later(self._begin)

    def _later(self, step: Callable[[], None], *, delay_s: float | None = None) -> None:
        def go_on() -> None:
            if not self.over:
                step()

        delay = self.world.random.choice([0.0, 0.1, 0.1, 0.5, 3.0]) if delay_s is None else delay_s
        self.host.clock.call_later(delay, go_on)

    def _begin(self) -> None:
        self.host.say(started={})
        if self.node.deadly:
            self._exit(signal=_KILLED)
        elif self.node.hangs == "deadline" or (self.node.hangs and self.fails):
            pass
        elif self.fails and self.node.lasting:
            self._later(self._end)
        else:
            self._call()

    def _exit(self, *, code: int = 0, signal: int = 0) -> None:
        self.over = True
        self.host.exit(code=code, signal=signal)

    def _call(self) -> None:
        while self._uncalled:
            child = self._uncalled.pop(0)
            call = self._submit(child)
            if child.name in self.node.impatient:
                self._later(partial(self._lose_patience, call))
            if self.node.sequential:
                return
        if not self._open:
            self._later(self._end)

    def _submit(self, child: Node) -> int:
        call, self._next_call = self._next_call, self._next_call + 1
        self._open[call] = child
        spec = spec_of(child, self.world.queues_of[self.run])
        digest = task_digest(spec)
        self.host.say(declare_task={"digest": digest, "spec": spec})
        submit = {"call": call, "name": child.name, "task_digest": digest, "inputs_digest": b"i" * 32}
        self.host.say(submit=submit)
        return call

    def _lose_patience(self, call: int) -> None:
        if call in self._open:
            self.host.say(cancel_call={"call": call})
            self._add(call, IMPATIENT)

    def told(self, result: ActionResult) -> None:
        """A child has ended, or was refused."""
        child = self._open.get(result.call)
        if child is None or self.over:
            return
        self.world.judge.answered(self.run, child.name, result)
        if child.name in self.node.impatient:
            self._add(result.call, IMPATIENT)
        elif not result.phase and result.error.code in _PASSES:
            self._refused(result, child)
        elif Phase(result.phase) is Phase.SUCCEEDED:
            self._add(result.call, int(result.outputs.inline))
        else:
            self._add(result.call, FAILED)

    def _refused(self, result: ActionResult, child: Node) -> None:
        self._tries += 1
        if self._tries > _MOST_TRIES:
            self.world.programs_refused.add(self.run)
            self._add(result.call, FAILED)
        else:
            del self._open[result.call]
            waits = result.retry_after.ToNanoseconds() / 1e9
            self.world.judge.refused_for_now(result)
            self._later(
                partial(self._submit_again, child), delay_s=min(max(waits, 1.0) * 1.5**self._tries, _LONGEST_WAIT_S)
            )
            # It is still owed: nothing is returned before.
            self._open[-result.call] = child

    def _submit_again(self, child: Node) -> None:
        for call in [call for call, owed in self._open.items() if call < 0 and owed is child]:
            del self._open[call]
        self._submit(child)

    def _add(self, call: int, worth: int) -> None:
        self._total += worth
        del self._open[call]
        if self._uncalled and self.node.sequential:
            self._later(self._call)
        elif not self._open:
            self._later(self._end)

    def _end(self) -> None:
        if not self.fails:
            self.over = True
            self.host.say(ended={"outputs": {"inline": str(self._total).encode()}})
        elif self.world.random.random() < 0.5:
            self.over = True
            error = {"kind": 1, "code": "ValueError", "message": "boom", "recoverable": True}
            self.host.say(ended={"error": error})
        else:
            self._exit(code=3)
