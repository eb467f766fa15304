"""The attempt between worker and scheduler: what each says, and how it ends.

- The worker tells the attempt's end. It is let go at once, so that all it writes is there before the end is told; the
  agent leaves when the scheduler has accepted the end.
- The worker ends without a word: the agent tells how, and leaves with the worker's own exit code.
- The scheduler cancels or revokes the attempt, or the pod is deleted (SIGTERM): the worker is told and has a grace
  period. Nothing is then told that would look like a failure of the task.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from flyte.runner.pod.data_client import DataClient
from flyte.runner.pod.endings import CannotRun, end_of_worker, exit_code_of
from flyte.runner.pod.hello import hello
from flyte.runner.pod.memory_events import MemoryEvents
from flyte.runner.pod.outbox import Outbox
from flyte.runner.pod.preparation import Preparation
from flyte.runner.pod.raw_output import RawOutput
from flyte.runner.pod.tee import Tee
from flyte.spec import worker_exits as exit_codes
from flyteapi.scheduler.v1.worker_service_pb2 import (
    Assign,
    AttemptEnded,
    DeclareTask,
    EndAccepted,
    Hello,
    WorkerOrder,
    WorkerReport,
)

if TYPE_CHECKING:
    from flyte.spec.masking import Mask

CANCEL_GRACE_S: Final = 10.0
"""For a task that was aborted to clean up; the scheduler waits longer than that before it deletes the pod."""
TERMINATION_GRACE_S: Final = 5.0
"""The same where the pod is being deleted."""
_LET_GO_S: Final = 2.0
"""How long a worker that has told its end may take to exit before the end is told."""


class PodAttempt:
    """The one attempt of this container.

    Args:
        data: reads and writes as this attempt.
        tell_worker: passes orders on; the first ones are those that make it begin.
        signal_worker: sends a signal to the worker's processes.
        leave: ends the agent with an exit code.
    """

    def __init__(
        self,
        *,
        token: str,
        outbox: Outbox,
        tee: Tee,
        memory: MemoryEvents,
        data: DataClient,
        preparation: Preparation,
        tell_worker: Callable[[Sequence[WorkerOrder]], None],
        signal_worker: Callable[[int], None],
        leave: Callable[[int], None],
    ) -> None:
        self._token = token
        self._outbox = outbox
        self._tee = tee
        self._memory = memory
        self._data = data
        self._preparation = preparation
        self._tell_worker = tell_worker
        self._signal_worker = signal_worker
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._orders: asyncio.Queue[WorkerOrder] = asyncio.Queue()
        self._declared: dict[bytes, DeclareTask] = {}
        self._declared_runs: list[WorkerOrder] = []
        self._raw = RawOutput(self._show_raw)
        self._lease = 0
        self._assigned = False
        self._end: WorkerReport | None = None
        self._end_is_told = False
        self._stopping = False
        """It was cancelled, revoked or terminated: what the worker's death looks like is no news."""
        self._terminated = False
        self._silent = False
        """It is somebody else's: nothing more is said."""
        self._code = exit_codes.ENDED
        self.begun = asyncio.Event()
        """Set once the task has begun, or will not begin any more."""
        self.may_drop_output = True
        """Whether output beyond the outbox's room is dropped; otherwise the worker waits."""

    def hello(self) -> Hello:
        """The first report on a stream."""
        return hello(self._token, running=[self._lease] if self._lease else ())

    def client_of(self, lease: int) -> DataClient | None:
        """Reads and writes as this attempt."""
        return self._data

    def arrived(self) -> None:
        """Nothing waits for it: the attempt is over when its end is accepted."""

    def told(self, orders: Sequence[WorkerOrder]) -> None:
        """The scheduler has given orders. They reach the worker in order, once its code is there."""
        for order in orders:
            kind = order.WhichOneof("order")
            if kind == "end_accepted":
                if self._end_is_told and order.lease == self._lease:
                    self._leave(self._code)
                continue
            if kind == "token_renewed":
                self._token = order.token_renewed.token
                self._data.renew(self._token)
                continue
            if kind == "result":
                self._outbox.answered(order.lease, order.result.call)
            elif kind == "cancel":
                self._cancelled()
            elif kind == "lease_revoked" and order.lease == self._lease:
                self._revoked()
            self._orders.put_nowait(order)

    def told_first(self, orders: Sequence[WorkerOrder], *, bundle: bytes, given: bool) -> None:
        """The same with the first words, which may have brought the packed code.

        Args:
            given: the worker has its code and these orders already.
        """
        if given:
            self._take(next(order for order in orders if order.HasField("assign")))
            self._assigned = True
        else:
            self._preparation.has(bundle)
        self.told(orders)

    async def obey(self) -> None:
        """Passes orders on to the worker, one after the other."""
        while True:
            order = await self._orders.get()
            kind = order.WhichOneof("order")
            if kind == "declare_run":
                self._declared_runs.append(order)
            elif kind == "declare_task":
                self._declared[order.declare_task.digest] = order.declare_task
            elif kind == "assign":
                await self._begin(order)
            else:
                self._tell_worker((order,))

    async def _begin(self, order: WorkerOrder) -> None:
        if self._lease:
            # A new leader may repeat it.
            return
        self._take(order)
        declared = self._declared.get(order.assign.task_digest, DeclareTask())
        try:
            declared.bundle_path = await self._preparation.prepare(declared.spec)
        except CannotRun as problem:
            self._cannot_run(problem)
            return
        self._assigned = True
        self._tell_worker((*self._declared_runs, WorkerOrder(declare_task=declared), order))

    def _take(self, order: WorkerOrder) -> None:
        """The attempt is this worker's: what it writes from now on belongs to it."""
        self._lease = order.lease
        self._raw.belongs_to(_mask_of(order.assign))

    def _cannot_run(self, problem: CannotRun) -> None:
        self.begun.set()
        self._end = WorkerReport(lease=self._lease, ended=problem.as_end())
        self._signal_worker(signal.SIGKILL)

    def heard(self, reports: Sequence[WorkerReport]) -> None:
        """The worker has said something."""
        for report in reports:
            kind = report.WhichOneof("report")
            if kind in ("hello", "heartbeat", "drained") or self._silent:
                continue
            if kind == "log":
                self._show(report.log.data, is_stderr=report.log.is_stderr)
            elif kind == "ended":
                self._worker_told_end(report)
            elif self._end is None:
                self._outbox.add(report)
            if kind in ("started", "ended"):
                self.begun.set()

    def wrote(self, data: bytes) -> None:
        """The worker, or what it started, has written past its capture."""
        self._raw.write(data)

    def _show_raw(self, data: bytes) -> None:
        self._show(data, is_stderr=False)

    def _show(self, data: bytes, *, is_stderr: bool) -> None:
        if not data:
            return
        self._tee.write(data)
        if self._lease and not self._silent and not self._end_is_told:
            self._outbox.add_output(data, lease=self._lease, is_stderr=is_stderr, may_drop=self.may_drop_output)

    def _worker_told_end(self, report: WorkerReport) -> None:
        if self._end is not None:
            return
        self._tell_worker((WorkerOrder(lease=report.lease, end_accepted=EndAccepted()),))
        if self._terminated and report.ended.HasField("error"):
            # What failed because the pod was deleted is not the task's fault; the scheduler sees the deletion.
            return
        self._end = report
        self._loop.call_later(_LET_GO_S, self._tell_end)

    def _tell_end(self) -> None:
        if self._end is None or self._end_is_told or self._silent:
            return
        self._raw.finish()
        self._end_is_told = True
        self._outbox.end(self._end)

    def worker_ended(self, status: int) -> None:
        """The worker is dead and all it has said and written is here."""
        self.begun.set()
        if self._silent or (self._stopping and self._end is None):
            self._raw.finish()
            self._leave(self._code)
            return
        if self._end is None:
            self._code = exit_code_of(status, signal_base=exit_codes.SIGNAL_BASE)
            if not self._lease:
                self._raw.finish()
                self._leave(self._code or exit_codes.DEFECT)
                return
            ended: AttemptEnded = end_of_worker(status, out_of_memory=self._memory.has_killed)
            self._end = WorkerReport(lease=self._lease, ended=ended)
        self._tell_end()

    def terminated(self) -> None:
        """The container is to end (SIGTERM): the worker is told by the same signal."""
        if not self._terminated:
            self._terminated = True
            self._stop_within(TERMINATION_GRACE_S, exit_codes.SIGNAL_BASE + signal.SIGTERM)
            self._signal_worker(signal.SIGTERM)

    def _cancelled(self) -> None:
        self._stop_within(CANCEL_GRACE_S, exit_codes.ENDED)
        if not self._assigned:
            self._leave(exit_codes.ENDED)

    def _revoked(self) -> None:
        self._silent = True
        self._cancelled()
        if self._end_is_told:
            self._leave(exit_codes.ENDED)

    def _stop_within(self, grace_s: float, code: int) -> None:
        if not self._stopping:
            self._stopping = True
            self._code = code
            self._loop.call_later(grace_s, self._stop)

    def _stop(self) -> None:
        self._signal_worker(signal.SIGKILL)
        self._leave(self._code)


def _mask_of(assign: Assign) -> Mask | None:
    values = (*assign.secret_env.values(), *assign.secret_files.values())
    if not values:
        return None
    from flyte.spec.masking import Mask

    return Mask.of(values)
