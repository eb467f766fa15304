"""The engine: applies changes to actions and carries out what follows from them.

Every change of execution state passes `apply`, which asks the pure transition function and then does what its effects
say. The engine runs on one event loop; nothing in it waits. Guarantees: one effective attempt per action (leases),
exact budgets, an end for every waiter, no slot that leaks (slots are held by attempts and released where an attempt
is dropped, nowhere else).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult, WorkerOrder, WorkerReport
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.living import Action, Attempt, Run, living_descendants
from flyteplane.scheduler.application.observing import Figures
from flyteplane.scheduler.application.placing import NOWHERE
from flyteplane.scheduler.application.time_limits import TimeLimits
from flyteplane.scheduler.application.timers import Timers, is_armed
from flyteplane.scheduler.application.turn import Turn
from flyteplane.scheduler.application.worker_reports import WorkerReports
from flyteplane.scheduler.domain.failures import Failure
from flyteplane.scheduler.domain.phases import ROOT, CacheStatus, Phase
from flyteplane.scheduler.domain.queueing.slots import NO_SLOT
from flyteplane.scheduler.domain.state import (
    Aborted,
    Change,
    DelayPassed,
    Failed,
    Placed,
    Progress,
    Requeue,
    StopAttempt,
    WorkerKnown,
)
from flyteplane.scheduler.domain.transition import transition

if TYPE_CHECKING:
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.scheduler.application.engine_hooks import EngineHooks
    from flyteplane.scheduler.application.living import TaskRecord
    from flyteplane.scheduler.application.ports import LogStore, Placement, Records, RunKey, RunRow
    from flyteplane.scheduler.domain.queueing.admission import Admission
    from flyteplane.scheduler.domain.queueing.slots import Slot

#: Leases of one epoch: the epoch in the upper 32 bits, a count in the lower.
LEASE_BITS: Final = 32
MOST_EPOCH: Final = (1 << 31) - 1
#: Runs that have ended whose last events stay in memory.
MOST_ENDED_RUNS: Final = 64


class Engine:
    """Execution state of all living runs."""

    def __init__(
        self,
        *,
        records: Records,
        clock: TimerClock,
        logs: LogStore,
        admission: Admission[Action],
        on_failure: Callable[[BaseException], None],
        hold_s: float = 0.0,
    ) -> None:
        self.clock = clock
        self.logs = logs
        self.admission = admission
        self.runs: dict[RunKey, Run] = {}
        self.ended_runs: OrderedDict[RunKey, Run] = OrderedDict()
        """The newest runs that have ended, for whoever begins to watch just after the end."""
        self.figures = Figures()
        self.turn = Turn(records, clock=clock, on_failure=on_failure, hold_s=hold_s, commits=self.figures.commit)
        self.turn.before_flush(self.admit)
        self.timers = Timers(clock=clock, fire=self._timer)
        self.limits = TimeLimits(self.timers, clock=clock)
        self.attempts: dict[int, Attempt] = {}
        self._hooks: EngineHooks
        self._reports: WorkerReports
        self._placements: Mapping[str, Placement] = {}
        self._lasting: Collection[str] = ()
        self.epoch = 0
        """Under which it leads; part of every lease that it gives out."""
        self._next_lease = 0

    def connect(self, hooks: EngineHooks) -> None:
        """Tells it of the parts around it; once, before `start`."""
        self._hooks = hooks
        self._reports = WorkerReports(self, hooks)

    def start(self, *, epoch: int, placements: Mapping[str, Placement], lasting: Collection[str] = ()) -> None:
        """Takes up work as the leader of `epoch`. Placements are named "fresh", "pool" and "conditions"; `lasting`
        names the clusters whose workers outlive this process."""
        # Epochs of a busy coordination store may pass 31 bits; a lease is signed in databases.
        self.epoch = epoch
        self._next_lease = ((epoch & MOST_EPOCH) << LEASE_BITS) + 1
        self._placements = placements
        self._lasting = lasting

    # --- changes ----------------------------------------------------------------------------------------------------

    def apply(self, action: Action, change: Change) -> bool:
        """Applies a change with all that follows. False: it was stale and had no effect."""
        before = action.state
        outcome = transition(before, change, action.task.policy)
        if outcome is None:
            return False
        action.state, effects = outcome
        self.turn.update(action)
        after = action.state
        if after.phase is not before.phase or after.attempt != before.attempt or after.reason != before.reason:
            self.turn.emit(action, at=getattr(change, "at", 0.0) or self.clock.now())
            if action.name == ROOT:
                self._root_moved(action, before.phase)
        for effect in effects:
            if isinstance(effect, StopAttempt):
                self._stop(effect)
            elif isinstance(effect, Requeue):
                self._drop_attempt(action)
                self.admission.discard(action)
                self._wait_until(action, effect.not_before)
            else:
                self._finish(action)
        return True

    def _root_moved(self, root: Action, before: Phase) -> None:
        row, state = root.run.row, root.state
        if state.phase is Phase.RUNNING and not row.started_at:
            row.phase, row.started_at = Phase.RUNNING.value, state.started_at
            self._run_changed(row)
        elif state.phase.terminal:
            row.phase, row.ended_at, row.error = state.phase.value, state.ended_at, wire.failure_bytes(state.failure)
            if not row.started_at:
                row.started_at = state.first_started_at
            self._run_changed(row)

    def _run_changed(self, row: RunRow) -> None:
        self.turn.change_run(row)
        self._hooks.on_run_change()

    def _wait_until(self, action: Action, not_before: float) -> None:
        if not_before:
            self.timers.arm(action, "retry", at=not_before)
        else:
            self._hooks.on_ready(action)
        self.limits.arm_wait(action)

    def accepted(self, action: Action) -> None:
        """A new action is durable with this turn: log it and arm what its policy asks for."""
        self.turn.insert(action)
        self.turn.emit(action, at=action.state.created_at, first=True)
        self.limits.arm(action)

    def _timer(self, action: Action, kind: str, lease: int) -> None:
        if kind == "retry":
            self._delay_passed(action)
        elif (timed_out := self.limits.passed(action, kind, lease)) is not None:
            self.apply(action, timed_out)

    def _delay_passed(self, action: Action) -> None:
        # An action that has begun another wait since has another timer.
        if not is_armed(action, "retry") and self.apply(action, DelayPassed(at=self.clock.now())):
            self._hooks.on_ready(action)

    # --- admission --------------------------------------------------------------------------------------------------

    def enqueue(self, action: Action) -> None:
        """The action may run as far as its retry delay and the cache are concerned."""
        if action.task.asks:
            self._place(action, NO_SLOT)
            return
        run, queue, needs_room = action.run, action.queue, not action.task.reusable
        project, run_limit = run.key.project, run.settings.max_action_concurrency
        demand = self._hooks.demand_of(action.task, queue)
        slot = self.admission.try_admit(
            queue=queue, project=project, run=run, demand=demand, run_limit=run_limit, needs_room=needs_room
        )
        if slot is not None:
            self._place(action, slot)
            return
        self.admission.push(
            action,
            queue=queue,
            project=project,
            run=run,
            demand=demand,
            since=action.state.queued_at,
            run_limit=run_limit,
            needs_room=needs_room,
        )
        self.turn.schedule()

    def admit(self) -> None:
        """Places whatever there is room for."""
        if self.admission:
            for action, slot in self.admission.admit(self.clock.now()):
                self._place(action, slot)

    def _place(self, action: Action, slot: Slot) -> None:
        if self._hooks.may_begin(action, slot):
            self.begin(action, slot)

    def begin(self, action: Action, slot: Slot) -> bool:
        """Places the action in a slot that it was admitted to. False: it has ended meanwhile, and the slot is free."""
        lease = self._next_lease
        self._next_lease += 1
        site = self._hooks.site_of(action.task, action.queue) if action.task.reusable else NOWHERE
        placed = Placed(
            at=self.clock.now(),
            lease=lease,
            cluster=slot.cluster or site.cluster,
            resource_class=slot.resource_class or site.resource_class,
            waits=slot.cluster in self._lasting,
        )
        before = action.state
        if not self.apply(action, placed):
            slot.release()
            return False
        self.figures.placed(before, placed.at)
        self._begin(action, slot).placement.place(action)
        if action.state.attempt > 1:
            self._hooks.on_placed_again(action)
        return True

    def _begin(self, action: Action, slot: Slot) -> Attempt:
        """Holds the attempt that the action's state tells of."""
        placement, lease = self._placements[_placement_of(action.task)], action.state.lease
        attempt = Attempt(action=action, lease=lease, placement=placement, slot=slot)
        action.attempt = self.attempts[lease] = attempt
        return attempt

    def take_over(self, action: Action) -> bool:
        """Goes on with an attempt that a leader before this one placed. False: its worker ended with that leader."""
        state = action.state
        if action.task.asks:
            self._begin(action, NO_SLOT)
            return True
        if not state.lease or not (action.task.reusable or state.cluster in self._lasting):
            return False
        slot = self.admission.occupy(
            queue=action.queue,
            project=action.run.key.project,
            run=action.run,
            demand=action.task.demand,
            resource_class="" if action.task.reusable else state.resource_class,
            cluster="" if action.task.reusable else state.cluster,
            run_limit=action.run.settings.max_action_concurrency,
        )
        attempt = self._begin(action, slot)
        if not attempt.placement.adopt(action):
            self._drop_attempt(action)
            return False
        if action.state.phase is Phase.RUNNING:
            self.limits.arm_runtime(attempt)
        self._hooks.on_taken_over(action)
        return True

    def _drop_attempt(self, action: Action) -> None:
        attempt = action.attempt
        if attempt is None:
            return
        action.attempt = None
        self.attempts.pop(attempt.lease, None)
        attempt.waiting = False
        attempt.slot.release()
        if self.admission:
            self.turn.schedule()

    def expect(self, attempt: Attempt, call: int, child: Action | None) -> None:
        """The attempt waits for one more child: while it waits it lends its slot."""
        attempt.calls[call] = child
        attempt.outstanding += 1
        if not attempt.waiting and attempt.action.attempt is attempt:
            attempt.waiting = True
            attempt.slot.lend()
            if self.admission:
                self.turn.schedule()

    def answered(self, attempt: Attempt) -> None:
        """One call that the attempt waited for is over: when it waits for none, it takes its slot back."""
        attempt.outstanding -= 1
        if attempt.outstanding or not attempt.waiting:
            return
        attempt.waiting = False
        attempt.slot.resume()

    # --- ends -------------------------------------------------------------------------------------------------------

    def _stop(self, effect: StopAttempt) -> None:
        attempt = self.attempts.get(effect.lease)
        if attempt is None:
            return
        self._drop_attempt(attempt.action)
        placement, lease, reason = attempt.placement, effect.lease, effect.reason
        self.turn.after_commit(lambda: placement.stop(lease, reason))

    def _finish(self, action: Action) -> None:
        self._drop_attempt(action)
        self.admission.discard(action)
        self.timers.forget(action)
        for attempt, call in action.waiters:
            self.give_result(attempt, call, action)
        action.waiters = ()
        for child in reversed(living_descendants(action)):
            self.apply(child, Aborted(at=self.clock.now(), reason=f"Its parent {action.name} has ended."))
        action.children = ()
        self._hooks.on_finish(action)
        if action.name == ROOT:
            self._end_run(action.run)
        else:
            self.turn.after_commit(lambda: _forget_values(action))

    def _end_run(self, run: Run) -> None:
        for action in list(run.actions.values()):
            if not action.state.phase.terminal:
                self.apply(action, Aborted(at=self.clock.now(), reason="The run has ended."))
        self.turn.after_commit(lambda: self._forget_run(run))

    def _forget_run(self, run: Run) -> None:
        self.runs.pop(run.key, None)
        run.actions.clear()
        self.ended_runs[run.key] = run
        if len(self.ended_runs) > MOST_ENDED_RUNS:
            self.ended_runs.popitem(last=False)
        for watcher in tuple(run.watchers):
            watcher.end()
        run.watchers.clear()

    def give_result(self, attempt: Attempt, call: int, action: Action) -> None:
        """Answers one call with the end of an action whose values are in memory, once that end is durable."""
        state = action.state
        order = WorkerOrder(lease=attempt.lease)
        result = order.result
        result.call, result.phase = call, wire.phase_of(state.phase)
        if state.outputs is not None:
            result.outputs.ParseFromString(state.outputs)
        if state.phase is not Phase.SUCCEEDED and state.failure is not None:
            result.error.CopyFrom(wire.failure_to(state.failure))
        self.answered(attempt)
        self.turn.answer(attempt, order, call=call)

    def answer_call(self, attempt: Attempt, result: ActionResult) -> None:
        """Answers one call of an attempt."""
        self.answered(attempt)
        self.turn.answer(attempt, WorkerOrder(lease=attempt.lease, result=result), call=result.call)

    # --- what workers and clusters say ------------------------------------------------------------------------------

    def receive(self, reports: Sequence[WorkerReport], *, placement: Placement) -> None:
        """Handles what workers say, in order."""
        self._reports.receive(reports, placement=placement)

    def worker_known(self, lease: int, worker: str, note: str = "") -> None:
        """The attempt has a worker with this name, stored with its next change: it is worth no commit of its own."""
        attempt = self.attempts.get(lease)
        if attempt is None:
            return
        action = attempt.action
        outcome = transition(action.state, WorkerKnown(lease=lease, worker=worker, note=note), action.task.policy)
        if outcome is not None:
            action.state = outcome[0]

    def progress(self, lease: int, reason: str, *, has_place: bool) -> None:
        """The cluster says how the worker of the lease comes along."""
        attempt = self.attempts.get(lease)
        if attempt is not None:
            self.apply(attempt.action, Progress(lease=lease, has_place=has_place, reason=reason))

    def lost(self, lease: int, failure: Failure) -> None:
        """The worker of the lease is gone, or could not be started."""
        attempt = self.attempts.get(lease)
        if attempt is not None:
            self.figures.lost(attempt.action, failure)
            self.apply(attempt.action, Failed(at=self.clock.now(), lease=lease, failure=failure))

    # --- what the cache did -----------------------------------------------------------------------------------------

    def mark_cache(self, action: Action, status: CacheStatus) -> None:
        """Notes what the cache did for the action."""
        action.state = action.state._replace(cache_status=status)
        self.turn.update(action)

    def mark_ended(self, action: Action, status: CacheStatus, *, outputs: bytes) -> None:
        """The same for an action that has ended. Its outputs may be forgotten, and are written with the rest."""
        action.state = action.state._replace(outputs=outputs)
        self.mark_cache(action, status)
        self.turn.after_commit(lambda: _forget_values(action))


def _placement_of(task: TaskRecord) -> str:
    return "conditions" if task.asks else "pool" if task.reusable else "fresh"


def _forget_values(action: Action) -> None:
    action.inputs = b""
    action.traces = ()
    action.state = action.state._replace(outputs=None)
