"""One store, and the schedulers that work on it one after another, or at once: with workers, watchers and crashes.

Time, commits, workers and deaths are in the hands of the test. A scheduler that is killed is forgotten; one that is
usurped lives on and has to find out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.scheduler.harness import LikeProcesses, MemoryCache
from tests.state.checker import Checker
from tests.state.follower import Watch
from tests.state.held_records import HeldRecords
from tests.state.workers import Incarnation, Worker

from flyte.spec.digests import task_digest
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder
from flyteplane.cluster.ports import ClusterCapacity
from flyteplane.foundation.clock import ManualClock
from flyteplane.records import migrate, open_database
from flyteplane.scheduler.application.engine import Engine
from flyteplane.scheduler.application.intake import NewRun
from flyteplane.scheduler.application.ports import Records, RunKey
from flyteplane.scheduler.application.scheduler import Parts, Scheduler
from flyteplane.scheduler.domain.phases import ROOT, Phase
from flyteplane.scheduler.store.log_files import LogFiles
from flyteplane.scheduler.store.memory_administration import MemoryAdministration
from flyteplane.scheduler.store.memory_records import MemoryRecords
from flyteplane.scheduler.store.sql_records import SqlRecords

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec
    from flyteplane.scheduler.application.living import Action

#: Room for one or two attempts.
SMALL = ClusterCapacity(cpu_millis=1_000, memory_bytes=0)
#: How long writes wait for each other where they do.
HOLD_S = 0.002
#: Passes of the loop in which everything that follows from one report has happened.
PASSES = 14
#: Steps in which the longest history of these tests comes to its end.
MOST_STEPS = 3_000

OpenRecords = Callable[[], Awaitable[Records]]
Hold = Callable[..., HeldRecords]
OnOrder = Callable[["Worker", WorkerOrder], None]


class World:
    """The store, the clock, and whoever works on them."""

    def __init__(
        self,
        folder: Path,
        *,
        sqlite: bool = False,
        room: ClusterCapacity = SMALL,
        engine: type[Engine] = Engine,
        memory: MemoryRecords | None = None,
        hold: Hold = HeldRecords,
        hold_s: float = 0.0,
    ) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.checker = Checker()
        self.cache = MemoryCache(clock=self.clock)
        self.memory = memory or MemoryRecords()
        self.past: list[Incarnation] = []
        self.watches: list[Watch] = []
        self.accepting: set[asyncio.Task[None]] = set()
        self.on_place: Callable[[Worker], None] = lambda worker: None
        self.on_order: OnOrder = lambda worker, order: None
        self.jumped = False
        """The wall clock was set: what is said in wall time cannot be judged to the second."""
        self.now: Incarnation
        self._room = room
        self._engine = engine
        self._hold = hold
        self._hold_s = hold_s
        self._open = self._open_sqlite if sqlite else self._open_memory

    # --- schedulers -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Starts the first scheduler, or the next one."""
        asyncio.get_running_loop().set_exception_handler(self._unexpected)
        records = self._hold(await self._open(), on_durable=self.checker.durable)
        parts = Parts(
            records=records,
            logs=LogFiles(self.folder / "logs"),
            cache=self.cache,
            clock=self.clock,
            administration=MemoryAdministration(self.memory).open(),
            clusters=[LikeProcesses(capacity=self._room)],
            pool_clusters=["local"],
            hold_s=self._hold_s,
        )
        failures: list[BaseException] = []
        scheduler = Scheduler(parts, on_failure=failures.append, engine=self._engine)
        self.now = Incarnation(self, records, scheduler)
        self.now.failures = failures
        await scheduler.start(epoch=1, placements={"fresh": self.now, "pool": self.now})
        self._nothing_is_lost()
        for watch in self.watches:
            watch.resume()
        # What fell due while nobody was there happens now.
        await self.advance(0.0)

    async def crash(self, *, keep: int = 0) -> None:
        """kill -9, and the next scheduler. Of the writes that were not acknowledged the first `keep` are stored."""
        await self.now.records.crash(keep=keep)
        await self._bury(self.now)
        await self.start()

    async def usurp(self) -> None:
        """A second scheduler takes over while the first lives on and knows nothing of it."""
        before = self.now
        await self._leave(before)
        self.past.append(before)
        await self.start()

    async def end_the_fenced(self) -> None:
        """A scheduler that has found out that it was replaced ends its process."""
        for incarnation in self.past:
            if incarnation.failures and not incarnation.dead:
                await self._bury(incarnation)

    async def close(self) -> None:
        """Ends everything that runs."""
        await self._leave(self.now)
        for incarnation in (*self.past, self.now):
            if not incarnation.dead:
                await self._bury(incarnation)

    async def _leave(self, incarnation: Incarnation) -> None:
        for watch in self.watches:
            await watch.cut()
        for accepting in self.accepting:
            accepting.cancel()
        if self.accepting:
            await asyncio.wait(self.accepting)
        self.accepting.clear()
        self.checker.expect(not incarnation.failures, f"the scheduler failed: {incarnation.failures}")

    async def _bury(self, incarnation: Incarnation) -> None:
        if incarnation is self.now:
            await self._leave(incarnation)
        incarnation.dead = True
        await incarnation.scheduler.close()

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.checker.mistakes.append(f"{context['message']}: {context.get('exception')!r}")

    def _nothing_is_lost(self) -> None:
        """What is stored and has not ended is in the new scheduler's hands."""
        runs = self.now.scheduler.engine.runs
        for (run_id, name), row in self.checker.rows.items():
            key = self.checker.runs[run_id].key
            if not Phase(self.checker.runs[run_id].phase).terminal:
                action = runs[key].actions.get(name) if key in runs else None
                self.checker.expect(action, f"{name} of {key} was lost in a restart, it was {row.phase}")
                if action is not None and not action.state.phase.terminal:
                    kept = list(action.traces) == self.checker.traces[run_id, name]
                    self.checker.expect(kept, f"{name} has lost what it had recorded")

    async def _open_memory(self) -> Records:
        return self.memory.open()

    async def _open_sqlite(self) -> Records:
        database = await open_database(f"sqlite:///{self.folder}/scheduler.db")
        await migrate(database, package="flyteplane.scheduler.store.migrations")
        return SqlRecords(database)

    # --- what people do ---------------------------------------------------------------------------------------------

    def accept(self, name: str, spec: TaskSpec, *, settings: RunSettings | None = None) -> RunKey:
        """Hands a run in; the answer is judged when it comes."""
        key = RunKey("project", "domain", name)
        new = NewRun(
            key=key,
            digest=task_digest(spec),
            task=spec,
            inputs=b"",
            inputs_digest=b"i" * 32,
            settings=settings or RunSettings(),
        )

        async def accept() -> None:
            await self.now.scheduler.intake.accept_run(new)
            self.checker.accepted(key)

        self._in_background(accept())
        return key

    def abort(self, key: RunKey, name: str = ROOT) -> None:
        """Aborts an action; the answer is judged when it comes."""

        async def abort() -> None:
            phase = await self.now.scheduler.queries.abort(key, name, reason="enough")
            self.checker.aborted(key, name, phase)

        self._in_background(abort())

    def watch(self, key: RunKey, *, first: int) -> None:
        """Somebody follows a run from a sequence on."""
        watch = Watch(self, key, first=first)
        self.watches.append(watch)
        watch.resume()

    def _in_background(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self.accepting.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self.accepting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.checker.mistakes.append(f"a call failed: {error!r}")

    # --- time -------------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Lets everything that is ready happen."""
        while True:
            for _ in range(PASSES):
                await asyncio.sleep(0)
            writes = [write for inc in (*self.past, self.now) if (write := inc.records.running) is not None]
            if not writes:
                return
            await asyncio.wait(writes)

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.jumped = self.checker.jumped = True
        self.clock.jump(seconds)

    async def advance(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        await self.settle()

    async def advance_to_next(self) -> bool:
        """Time passes until something is due. False: nothing is."""
        due = self.clock.next_timer_at()
        if due is None:
            return False
        # A little more, as a sum of times may come out a little less.
        await self.advance(max(0.0, due - self.clock.monotonic()) + 1e-6)
        return True

    # --- the end ----------------------------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Lets every worker return, until nothing is left; then judges the whole history."""
        self.now.records.release()
        await self.settle()
        for _ in range(MOST_STEPS):
            if self.checker.mistakes:
                return
            idle = [worker for worker in self.now.living() if not worker.calls]
            for worker in idle:
                worker.succeed(f"{worker.action.name}".encode())
            await self.settle()
            if not self.now.scheduler.engine.runs:
                break
            if not idle and not await self.advance_to_next():
                break
        await self.judge()

    async def judge(self) -> None:
        """Everything has ended: is it as promised?"""
        await self.settle()
        engine, checker = self.now.scheduler.engine, self.checker
        stuck = [f"{key}/{action.name}: {action.state.phase.name}" for key, action in self._unfinished()]
        checker.expect(not self.now.failures, f"the scheduler failed: {self.now.failures}")
        checker.expect(not stuck, f"these do not come to an end: {stuck}")
        engine.admit()
        checker.expect(not engine.attempts, f"leases are left: {list(engine.attempts)}")
        checker.expect(not engine.runs and not len(engine.admission), "something is left in the scheduler")
        figures = engine.admission.figures("default")
        checker.expect(not figures.held and not figures.runs, f"slots are still held: {figures}")
        room = engine.admission.cluster_figures("local")
        checker.expect(not room.running and not room.used_cpu_millis, f"room is still used: {room}")
        checker.expect(not len(engine.timers), f"{len(engine.timers)} timers are left")
        checker.expect(not self.accepting, "somebody waits for an answer that does not come")
        checker.ended()
        for watch in self.watches:
            stored = checker.log[checker.run_ids.get(watch.key, 0)][watch.first - 1 :]
            checker.expect(watch.ended and watch.events == stored, f"a watcher of {watch.key} missed something")
        await self._the_store_agrees()

    def _unfinished(self) -> list[tuple[RunKey, Action]]:
        runs = self.now.scheduler.engine.runs
        actions = [(key, action) for key, run in runs.items() for action in run.actions.values()]
        return [(key, action) for key, action in actions if not action.state.phase.terminal]

    async def _the_store_agrees(self) -> None:
        """What the store gives back is what was written to it."""
        records, checker = self.now.records, self.checker
        changes = await records.run_changes(after=0, limit=10_000)
        checker.expect([(change.key, change.phase) for change in changes] == checker.phases, "phases of runs")
        for (run_id, name), row in checker.rows.items():
            checker.expect(await records.action(run_id, name) == row, f"{name} of {run_id} is stored otherwise")

    def balanced(self) -> None:
        """What must hold between any two steps."""
        engine, checker = self.now.scheduler.engine, self.checker
        used_cpu = running = 0
        for run in engine.runs.values():
            attempts = [action.attempt for action in run.actions.values() if action.attempt is not None]
            active = [attempt for attempt in attempts if not attempt.waiting]
            used_cpu += sum(attempt.slot.demand.cpu_millis for attempt in active if attempt.slot.cluster)
            running += len(active)
            for attempt in attempts:
                known = engine.attempts.get(attempt.lease) is attempt and attempt.action.state.lease == attempt.lease
                checker.expect(known, f"the attempt of {attempt.action.name} is not known by its lease")
        counted = engine.admission.figures("default").running
        checker.expect(counted == running, f"{counted} are counted as running, {running} are")
        used = engine.admission.cluster_figures("local").used_cpu_millis
        checker.expect(used == used_cpu, f"room for {used} is used, not {used_cpu}")
        if engine.turn.idle:
            self._waiting_agrees()
        if not self.jumped:
            self._no_time_has_passed_unnoticed()

    def _no_time_has_passed_unnoticed(self) -> None:
        for key, action in self._unfinished():
            state, policy, now = action.state, action.task.policy, self.clock.now() - 0.01
            late = policy.deadline_s and now > state.created_at + policy.deadline_s
            if state.phase is Phase.RUNNING:
                late = late or (policy.max_runtime_s and now > state.started_at + policy.max_runtime_s)
            else:
                waits_since = max(state.queued_at, state.not_before)
                late = late or (policy.max_queued_s and now > waits_since + policy.max_queued_s)
            self.checker.expect(not late, f"{key}/{action.name} is {state.phase.name} beyond its time")

    def _waiting_agrees(self) -> None:
        """All is durable: a parent waits exactly if its own side says so, and what was revoked is over."""
        while self.now.revoked:
            worker = self.now.revoked.pop()
            self.checker.end_accepted(worker.run, worker.action.name, worker.attempt)
        for worker in self.now.living():
            attempt = self.now.scheduler.engine.attempts.get(worker.lease)
            if attempt is None:
                self.checker.mistakes.append(f"{worker.action.name} still runs, and nobody knows its lease")
            elif attempt.waiting != bool(worker.calls):
                name = worker.action.name
                self.checker.mistakes.append(f"{name} waits for {worker.calls}, the scheduler says {attempt.waiting}")
