"""A replica between its worker and the reuse pool: many attempts, each with a lease of its own.

- An attempt is given to the worker once its code is there. The attempt that needs a bundle first fetches it, with its
  own token; one that cannot have it ends alone.
- The worker tells the end of an attempt, and the end is said again to every pool until one accepts it.
- The worker ends without a word: the agent delivers the ends that were told before, and leaves with the worker's own
  exit code. The pool sees that, and what else was under way is lost with the replica.
- The pod is deleted (SIGTERM): the same, after a grace period. What fails meanwhile is not told: it would look like a
  failure of the task.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from flyte.runner.pod.bundles import Bundles
from flyte.runner.pod.data_client import DataClient
from flyte.runner.pod.endings import CannotRun, cancelled, exit_code_of
from flyte.runner.pod.outbox import Outbox
from flyte.runner.pod.replica_output import ReplicaOutput
from flyte.runner.pod.session import OtherSide
from flyte.runner.pod.tee import Tee
from flyte.runner.startup import PROTOCOL
from flyte.spec import worker_exits as exit_codes
from flyte.spec.version import __version__
from flyteapi.reuse_pool.v1.replica_service_pb2 import ReplicaRequest
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceStub
from flyteapi.scheduler.v1.worker_service_pb2 import (
    AttemptEnded,
    DeclareTask,
    Drain,
    Hello,
    WorkerOrder,
    WorkerReport,
)

REUSE_POOL: Final = OtherSide(
    open=lambda channel: ReplicaServiceStub(channel).Replica(), batch=lambda reports: ReplicaRequest(reports=reports)
)

TERMINATION_GRACE_S: Final = 5.0
DELIVERY_S: Final = 30.0
"""How long a replica whose worker is dead tries to deliver the ends that were told before."""
_LAST_DELIVERY_S: Final = 2.0
"""The same in a pod that is being deleted."""


@dataclass(slots=True)
class _Held:
    """An attempt of this replica."""

    client: DataClient
    """Reads and writes as this attempt."""
    preparing: asyncio.Task[None] | None = None
    """Until its code is there."""
    ended: bool = False
    """Its end was told, and not accepted yet."""


class PodReplica:
    """All attempts of this container.

    Args:
        data: reads and writes; of no attempt.
        tell_worker: passes orders on.
        signal_worker: sends a signal to the worker's processes.
        read_output: takes in what the worker has written by now.
        hurry: from now on it should be learned at once what has arrived.
        leave: ends the agent with an exit code.
    """

    def __init__(
        self,
        *,
        token: str,
        outbox: Outbox,
        tee: Tee,
        data: DataClient,
        bundles: Bundles,
        tell_worker: Callable[[Iterable[WorkerOrder]], None],
        signal_worker: Callable[[int], None],
        read_output: Callable[[], None],
        hurry: Callable[[], None],
        leave: Callable[[int], None],
    ) -> None:
        self._token = token
        self._outbox = outbox
        self._output = ReplicaOutput(outbox=outbox, tee=tee, only_lease=self._only_lease)
        self._data = data
        self._bundles = bundles
        self._tell_worker = tell_worker
        self._signal_worker = signal_worker
        self._read_output = read_output
        self._hurry = hurry
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._preparations = asyncio.TaskGroup()
        self._held: dict[int, _Held] = {}
        """By lease."""
        self._declared: dict[bytes, DeclareTask] = {}
        """Tasks that the worker does not know yet."""
        self._introduced: set[bytes] = set()
        self._draining = False
        self._drained = False
        self._terminated = False
        self._code: int | None = None
        """The worker is dead: with which code to leave."""

    @property
    def may_drop_output(self) -> bool:
        """Whether output beyond the outbox's room is dropped; otherwise the worker waits."""
        return self._output.may_drop

    @may_drop_output.setter
    def may_drop_output(self, may_drop: bool) -> None:
        self._output.may_drop = may_drop

    def hello(self) -> Hello:
        """The first report on a stream."""
        return Hello(
            token=self._token,
            protocol=PROTOCOL,
            pid=os.getpid(),
            hostname=socket.gethostname(),
            sdk_version=__version__,
            running=sorted(self._held),
        )

    def client_of(self, lease: int) -> DataClient | None:
        """Reads and writes as the attempt with a lease; None if it is not held."""
        held = self._held.get(lease)
        return held.client if held is not None else None

    async def obey(self) -> None:
        """Prepares what has to be prepared. A defect in it ends the replica."""
        async with self._preparations:
            await self._loop.create_future()

    def told(self, orders: Sequence[WorkerOrder]) -> None:
        """The pool has given orders."""
        if passed := [each for order in orders for each in self._obeyed(order)]:
            self._tell_worker(passed)
        self.arrived()

    def _obeyed(self, order: WorkerOrder) -> Iterable[WorkerOrder]:
        """Takes note of an order; returns what the worker has to be told of it."""
        lease = order.lease
        match order.WhichOneof("order"):
            case "declare_task":
                if order.declare_task.digest not in self._introduced:
                    self._declared[order.declare_task.digest] = order.declare_task
                return ()
            case "assign":
                return self._assigned(order)
            case "token_renewed":
                self._renew(lease, order.token_renewed.token)
                return ()
            case "drain":
                self._draining = True
                return self._drain_order()
            case "end_accepted":
                self._forget(lease)
            case "result":
                self._outbox.answered(lease, order.result.call)
            case "cancel" if self._is_preparing(lease):
                self._stop_preparing(lease)
                self._end(lease, cancelled(order.cancel.reason))
                return self._drain_order()
            case "lease_revoked" if self._is_preparing(lease):
                self._forget(lease)
                return self._drain_order()
            case "lease_revoked":
                self._forget(lease)
        return (order,)

    def _renew(self, lease: int, token: str) -> None:
        if not lease:
            self._token = token
        elif (held := self._held.get(lease)) is not None:
            held.client.renew(token)

    def _assigned(self, order: WorkerOrder) -> Iterable[WorkerOrder]:
        if order.lease in self._held or self._terminated or self._code is not None:
            # It is said again after a break; and a worker that is about to die, or is dead, begins nothing.
            return ()
        assign = order.assign
        held = self._held[order.lease] = _Held(self._data.of_attempt(assign.attempt_token))
        self._output.hide(assign.secret_env, assign.secret_files)
        if assign.task_digest in self._introduced:
            return (order,)
        held.preparing = self._preparations.create_task(self._prepare(order, held))
        return ()

    async def _prepare(self, order: WorkerOrder, held: _Held) -> None:
        """Makes an attempt's code ready, and gives the attempt to the worker."""
        digest = order.assign.task_digest
        try:
            declared = self._declared.get(digest)
            if declared is None:
                raise CannotRun("The task was not declared to its replica.", code="NOT_DECLARED", recoverable=True)
            path = await self._bundles.prepare(declared.spec, held.client)
        except CannotRun as problem:
            held.preparing = None
            self._end(order.lease, problem.as_end())
            self._tell_worker(self._drain_order())
            return
        held.preparing = None
        introduction: list[WorkerOrder] = []
        if digest not in self._introduced:
            self._introduced.add(digest)
            self._declared.pop(digest, None)
            declared.bundle_path = path
            introduction.append(WorkerOrder(declare_task=declared))
        self._tell_worker((*introduction, order, *self._drain_order()))

    def _drain_order(self) -> Iterable[WorkerOrder]:
        """The order to finish, once the worker has been given everything that came before it."""
        if self._draining and not any(held.preparing for held in self._held.values()):
            return (WorkerOrder(drain=Drain()),)
        return ()

    def _is_preparing(self, lease: int) -> bool:
        held = self._held.get(lease)
        return held is not None and held.preparing is not None

    def _stop_preparing(self, lease: int) -> None:
        held = self._held.get(lease)
        if held is not None and held.preparing is not None:
            held.preparing.cancel()
            held.preparing = None

    def _forget(self, lease: int) -> None:
        self._stop_preparing(lease)
        self._held.pop(lease, None)
        self._outbox.forget(lease)

    def _end(self, lease: int, ended: AttemptEnded) -> None:
        self._held[lease].ended = True
        self._outbox.end(WorkerReport(lease=lease, ended=ended))

    def heard(self, reports: Sequence[WorkerReport]) -> None:
        """The worker has said something."""
        for report in reports:
            kind, lease = report.WhichOneof("report"), report.lease
            if kind == "drained":
                self._drained = True
            if kind in ("hello", "heartbeat") or not self._may_say(lease):
                continue
            if kind == "log":
                self._output.captured(report.log.data, lease=lease, is_stderr=report.log.is_stderr)
            elif kind == "ended":
                self._worker_told_end(report)
            else:
                self._outbox.add(report)

    def _may_say(self, lease: int) -> bool:
        """Whether anything is still to be said of an attempt; 0: of the worker."""
        held = self._held.get(lease)
        return not lease or (held is not None and not held.ended)

    def _worker_told_end(self, report: WorkerReport) -> None:
        if self._terminated and report.ended.HasField("error"):
            # What failed because the pod was deleted is not the task's fault; the pool sees the deletion.
            self._forget(report.lease)
        else:
            self._read_output()
            self._output.attempt_ends()
            self._end(report.lease, report.ended)
        self._end_worker_if_idle()

    def wrote(self, data: bytes) -> None:
        """The worker, or what it started, has written past its capture."""
        self._output.wrote(data)

    def _only_lease(self) -> int:
        at_work = [lease for lease, held in self._held.items() if not held.ended and held.preparing is None]
        return at_work[0] if len(at_work) == 1 else 0

    def worker_ended(self, status: int) -> None:
        """The worker is dead and all it has said and written is here."""
        if self._code is not None:
            return
        self._output.finish()
        code = exit_code_of(status, signal_base=exit_codes.SIGNAL_BASE)
        self._code = exit_codes.SIGNAL_BASE + signal.SIGTERM if self._terminated else code
        for lease in list(self._held):
            self._stop_preparing(lease)
        self._hurry()
        self._loop.call_later(_LAST_DELIVERY_S if self._terminated else DELIVERY_S, self._leave, self._code)
        self.arrived()

    def arrived(self) -> None:
        """Reports have arrived: a replica whose worker is dead leaves with the last of them."""
        if self._code is None or not self._outbox.is_empty:
            return
        if not any(held.ended for held in self._held.values()):
            self._leave(self._code)

    def terminated(self) -> None:
        """The container is to end (SIGTERM): the worker is told by the same signal."""
        if not self._terminated:
            self._terminated = True
            for lease in [lease for lease in self._held if self._is_preparing(lease)]:
                self._forget(lease)
            if self._code is not None:
                self._loop.call_later(_LAST_DELIVERY_S, self._leave, self._code)
            self._signal_worker(signal.SIGTERM)
            self._loop.call_later(TERMINATION_GRACE_S, self._signal_worker, signal.SIGKILL)
            self._end_worker_if_idle()

    def _end_worker_if_idle(self) -> None:
        if self._terminated and all(held.ended for held in self._held.values()):
            self._signal_worker(signal.SIGKILL)
