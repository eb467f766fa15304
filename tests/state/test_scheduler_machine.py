"""Whatever runs, workers, people, clocks, crashes and rival schedulers do: the promises of the scheduler hold.

The checker judges every commit and every word to a worker while the history is made. In the end everything is driven
to its end, and what is left is judged once more.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.scheduler.harness import task
from tests.state.follower import Watch
from tests.state.workers import Worker
from tests.state.world import World

from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.cluster.ports import ClusterCapacity
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.domain.failures import Failure, worker_failure
from flyteplane.scheduler.domain.phases import ROOT

T = TypeVar("T")
PICK = st.integers(0, 1_000_000)
MOST_RUNS = 4
MOST_ACTIONS = 40


@dataclass(frozen=True)
class Kind:
    """A task version."""

    name: str
    retries: int
    deadline_s: float = 0.0

    def spec(self) -> TaskSpec:
        """The task as workers declare it."""
        times = {"deadline": self.deadline_s} if self.deadline_s else {}
        times |= {"quick": {"max_runtime": 4.0}, "queue": {"max_queued_time": 6.0}}.get(self.name, {})
        cached = self.name in ("cached", "serialize")
        full_name = f"env.{self.name}{self.retries}"
        spec = task(full_name, retries=self.retries, reuse=self.name == "reuse", cached=cached, **times)
        spec.cache.serialize = self.name == "serialize"
        spec.resources.cpu = "1" if self.name == "big" else "300m"
        return spec


KINDS = st.builds(
    Kind,
    name=st.sampled_from(["plain", "plain", "plain", "reuse", "cached", "serialize", "quick", "queue", "big"]),
    retries=st.integers(0, 2),
    deadline_s=st.sampled_from([0.0, 0.0, 30.0]),
)


FAILURES: dict[str, Failure] = {
    "signal": worker_failure(exit_code=0, signal=9, out_of_memory=False, known=True, message=""),
    "exit": worker_failure(exit_code=3, signal=0, out_of_memory=False, known=True, message=""),
    "memory": worker_failure(exit_code=0, signal=9, out_of_memory=True, known=True, message=""),
    "unknown": worker_failure(exit_code=0, signal=0, out_of_memory=False, known=False, message=""),
}


class SchedulerMachine(RuleBasedStateMachine):
    """Random histories on one store."""

    sqlite: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.keys: list[tuple[RunKey, TaskSpec, RunSettings]] = []
        self.late: list[Worker] = []
        self.unsteady = False
        """Whether the wall clock is set now and then."""

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def then_settle(self, work: Any = None) -> None:
        """Runs something on the loop and all that follows from it."""
        if work is not None:
            work()
        await self.world.settle()

    @initialize(cpu=st.sampled_from([0, 600, 1_000]), unsteady=st.booleans())
    def open(self, cpu: int, unsteady: bool) -> None:
        self.unsteady = unsteady
        self.world = World(
            Path(self.folder.name), sqlite=self.sqlite, room=ClusterCapacity(cpu_millis=cpu, memory_bytes=0)
        )
        self.do(self.world.start())

    # --- runs and people --------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.keys) < MOST_RUNS)
    @rule(kind=KINDS, limit=st.sampled_from([0, 0, 1, 2]))
    def accept(self, kind: Kind, limit: int) -> None:
        self.keys.append((RunKey("project", "domain", f"r{len(self.keys)}"), kind.spec(), RunSettings()))
        self.keys[-1][2].max_action_concurrency = limit
        self.accept_again(len(self.keys) - 1)

    @precondition(lambda self: self.keys)
    @rule(pick=PICK)
    def accept_again(self, pick: int) -> None:
        key, spec, run_settings = self.keys[pick % len(self.keys)]
        self.do(self.then_settle(lambda: self.world.accept(key.name, spec, settings=run_settings)))

    @precondition(lambda self: self.actions())
    @rule(pick=PICK)
    def abort(self, pick: int) -> None:
        actions = self.actions()
        key, name = actions[pick % len(actions)]
        self.do(self.then_settle(lambda: self.world.abort(key, name)))

    @precondition(lambda self: self.world.checker.run_ids)
    @rule(pick=PICK, first=st.integers(0, 9))
    def watch(self, pick: int, first: int) -> None:
        keys = list(self.world.checker.run_ids)
        key = keys[pick % len(keys)]
        stored = len(self.world.checker.log[self.world.checker.run_ids[key]])
        self.do(self.then_settle(lambda: self.world.watch(key, first=min(first, stored + 1))))

    @precondition(lambda self: self.world.watches)
    @rule(pick=PICK)
    def break_and_resume_a_watch(self, pick: int) -> None:
        watch: Watch = self.world.watches[pick % len(self.world.watches)]
        self.do(watch.cut())
        self.do(self.then_settle(watch.resume))

    def actions(self) -> list[tuple[RunKey, str]]:
        runs = self.world.checker.runs
        return [(runs[run_id].key, name) for run_id, name in self.world.checker.rows]

    # --- workers ----------------------------------------------------------------------------------------------------

    def living(self) -> list[Worker]:
        return self.world.now.living()

    def worker(self, pick: int) -> Worker:
        living = self.living()
        return living[pick % len(living)]

    @precondition(lambda self: self.living() and len(self.world.checker.rows) < MOST_ACTIONS)
    @rule(pick=PICK, numbers=st.lists(st.integers(0, 3), min_size=1, max_size=3), kind=KINDS)
    def call(self, pick: int, numbers: list[int], kind: Kind) -> None:
        """Calls children, of which some may be there already."""
        worker = self.worker(pick)
        prefix = "" if worker.action.name == ROOT else f"{worker.action.name}-"
        self.do(self.then_settle(lambda: [worker.submit(f"{prefix}c{number}", kind.spec()) for number in numbers]))

    @precondition(lambda self: any(worker.calls for worker in self.living()))
    @rule(pick=PICK)
    def call_again(self, pick: int) -> None:
        """A worker whose stream broke repeats a call that has no answer."""
        waiting = [worker for worker in self.living() if worker.calls]
        worker = waiting[pick % len(waiting)]
        call, name = sorted(worker.calls.items())[pick % len(worker.calls)]
        child = worker.action.run.actions[name]
        self.do(self.then_settle(lambda: worker.submit(name, child.task.spec, call=call)))

    @precondition(lambda self: any(worker.calls for worker in self.living()))
    @rule(pick=PICK)
    def cancel_call(self, pick: int) -> None:
        waiting = [worker for worker in self.living() if worker.calls]
        worker = waiting[pick % len(waiting)]
        call, name = sorted(worker.calls.items())[pick % len(worker.calls)]
        self.do(self.then_settle(lambda: worker.cancel(call)))
        child = worker.action.run.actions[name]
        wanted = name in worker.calls.values() or child.state.phase.terminal
        self.world.checker.expect(wanted, f"{name} goes on although nobody waits for it")

    @precondition(lambda self: self.living())
    @rule(pick=PICK)
    def start(self, pick: int) -> None:
        self.do(self.then_settle(self.worker(pick).start))

    @precondition(lambda self: self.living())
    @rule(pick=PICK, name=st.sampled_from(["one", "two"]))
    def record(self, pick: int, name: str) -> None:
        """A traced function was called."""
        self.do(self.then_settle(lambda: self.worker(pick).say(trace={"name": name})))

    @precondition(lambda self: self.living())
    @rule(pick=PICK)
    def succeed(self, pick: int) -> None:
        worker = self.worker(pick)
        self.late.append(worker)
        self.do(self.then_settle(lambda: worker.succeed(worker.action.name.encode())))

    @precondition(lambda self: self.living())
    @rule(pick=PICK, recoverable=st.sampled_from([True, True, False]))
    def fail(self, pick: int, recoverable: bool) -> None:
        worker = self.worker(pick)
        self.late.append(worker)
        self.do(self.then_settle(lambda: worker.fail(recoverable=recoverable)))

    @precondition(lambda self: self.living())
    @rule(pick=PICK, how=st.sampled_from(sorted(FAILURES)))
    def die(self, pick: int, how: str) -> None:
        worker = self.worker(pick)
        self.late.append(worker)
        self.do(self.then_settle(lambda: worker.die(FAILURES[how])))

    @precondition(lambda self: self.late)
    @rule(pick=PICK, what=st.sampled_from(["succeed", "fail", "start", "call"]))
    def say_something_late(self, pick: int, what: str) -> None:
        """A worker of an old attempt, perhaps of an old scheduler, speaks to the present one."""
        worker = self.late[pick % len(self.late)]
        worker.owner = self.world.now
        before = dict(worker.calls)
        if what == "succeed":
            self.do(self.then_settle(lambda: worker.succeed(b"late")))
        elif what == "fail":
            self.do(self.then_settle(worker.fail))
        elif what == "start":
            self.do(self.then_settle(worker.start))
        else:
            self.do(self.then_settle(lambda: worker.submit("late", task("env.late"))))
        worker.calls = before

    # --- time, commits and deaths of schedulers ---------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.5, 5.0, 45.0]))
    def pass_time(self, seconds: float) -> None:
        self.do(self.world.advance(seconds))

    @precondition(lambda self: self.unsteady)
    @rule(seconds=st.sampled_from([-20.0, -0.3, 0.3, 20.0]))
    def set_the_wall_clock(self, seconds: float) -> None:
        self.world.jump(seconds)

    @rule()
    def hold_commits(self) -> None:
        self.world.now.records.hold()

    @precondition(lambda self: self.world.now.records.held)
    @rule(count=st.integers(1, 3))
    def let_some_commits_through(self, count: int) -> None:
        self.do(self.then_settle(lambda: self.world.now.records.release(count)))

    @precondition(lambda self: self.world.now.records.held)
    @rule()
    def let_all_commits_through(self) -> None:
        self.do(self.then_settle(self.world.now.records.release))

    @rule(keep=st.integers(0, 5))
    def crash(self, keep: int) -> None:
        self.late.extend(self.living())
        self.do(self.world.crash(keep=keep))

    @precondition(lambda self: len(self.world.past) < 2)
    @rule()
    def usurp(self) -> None:
        self.late.extend(self.living())
        self.do(self.world.usurp())

    @precondition(lambda self: any(past.living() for past in self.world.past))
    @rule(pick=PICK)
    def report_to_an_old_scheduler(self, pick: int) -> None:
        """The scheduler that was usurped still has workers, and believes them."""
        workers = [worker for past in self.world.past for worker in past.living()]
        worker = workers[pick % len(workers)]
        self.do(self.then_settle(lambda: worker.succeed(b"fenced")))

    # --- what holds -------------------------------------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        if hasattr(self, "world"):
            self.world.balanced()
            assert not self.world.checker.mistakes
            assert not self.world.now.failures

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.do(self.world.drain())
                assert not self.world.checker.mistakes
        finally:
            if hasattr(self, "world"):
                self.do(self.world.close())
            self.loop.close()
            self.folder.cleanup()


class SqliteSchedulerMachine(SchedulerMachine):
    """The same on a database file, each life of a scheduler with a connection of its own."""

    sqlite = True


#: The suite makes the same histories every time; a thorough search makes new ones.
EXAMPLES = settings().max_examples
THOROUGH = EXAMPLES > 100
pytestmark = pytest.mark.timeout(1_800 if THOROUGH else 120)

TestOnMemory = SchedulerMachine.TestCase
TestOnMemory.settings = settings(max_examples=EXAMPLES // 2, stateful_step_count=40, derandomize=not THOROUGH)
TestOnSqlite = SqliteSchedulerMachine.TestCase
TestOnSqlite.settings = settings(max_examples=EXAMPLES // 12, stateful_step_count=30, derandomize=not THOROUGH)
