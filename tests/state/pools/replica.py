"""A simulated replica: the agent of a pod that runs many attempts, each an `Actor`.

It keeps to what a real one promises: it names in its Hello every lease whose end was not accepted, says again what has
had no answer, and ends itself when nobody has answered its heartbeats for its contact time.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import grpc
from tests.state.fleet.actor import Actor
from tests.state.fleet.life import Life, LifeClock
from tests.state.pools.lines import Switch

from flyte.runner.contact import Contact
from flyte.spec import worker_exits
from flyteapi.reuse_pool.v1.replica_service_pb2 import ReplicaRequest
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceStub
from flyteapi.scheduler.v1.worker_service_pb2 import Drained, Heartbeat, Hello, WorkerOrder, WorkerReport
from flyteplane.foundation.batcher import Batcher
from flyteplane.foundation.errors import PlatformError

if TYPE_CHECKING:
    from tests.state.pools.world import PoolsWorld

    from flyteplane.cluster.memory import MemoryWorker

_HEARTBEAT_S: Final = 4.0


class Task:
    """One attempt on a replica. Implements `Host` for its actor."""

    def __init__(self, replica: Replica, order: WorkerOrder) -> None:
        self.replica = replica
        self.clock = replica.clock
        self.lease = order.lease
        self.assign = order.assign
        self.calls: dict[int, list[WorkerReport]] = {}
        """What has to be said again of each open call."""
        self.told: WorkerReport | None = None
        """The declaration of the next call's task."""
        self.end: WorkerReport | None = None
        self.stopped = False
        """It was told to stop."""
        self.actor = Actor(replica.world, self, order.assign)  # type: ignore[arg-type]

    @property
    def may_work(self) -> bool:
        """Whether its code may still do something."""
        return not self.actor.over and self.replica.may_work

    def say(self, **report: Any) -> None:
        """See `Host`."""
        message = WorkerReport(lease=self.lease, **report)
        if "declare_task" in report:
            self.told = message
        elif "submit" in report:
            self.calls[message.submit.call] = [*([self.told] if self.told is not None else []), message]
        elif "cancel_call" in report:
            self.calls.pop(message.cancel_call.call, None)
        elif "ended" in report:
            self.end = message
            self.calls.clear()
        self.replica.send(message)

    def exit(self, *, code: int = 0, signal: int = 0) -> None:
        """See `Host`: the whole replica goes."""
        self.replica.worker.exit(code=code, signal=signal)

    def stop(self) -> None:
        """It was told to stop, and does so in its time."""
        self.stopped = True
        delay = self.replica.world.random.choice([0.0, 0.1, 2.0])
        self.clock.call_later(delay, self._stopped)

    def _stopped(self) -> None:
        if not self.actor.over:
            self.actor.over = True
            error = {"kind": 2, "code": "CancelledError", "message": "cancelled", "recoverable": False}
            self.say(ended={"error": error})

    def again(self) -> list[WorkerReport]:
        """What has had no answer."""
        reports = [report for said in self.calls.values() for report in said]
        return reports + ([self.end] if self.end is not None else [])


class Replica:
    """See the module."""

    def __init__(self, world: PoolsWorld, worker: MemoryWorker) -> None:
        self.world = world
        self.worker = worker
        self.name = worker.spec.name
        self.life = Life()
        self.clock = LifeClock(world.clock, self.life)
        self.contact = Contact(world.contact_s, now=world.clock.monotonic)
        self.line = Switch()
        self.cut_off = False
        self.tasks: dict[int, Task] = {}
        self._draining = False
        self._outbox: Batcher[WorkerReport] = Batcher("a replica's outbox")
        self._sequence = 0
        self._sent_at: dict[int, float] = {}
        self._running = asyncio.ensure_future(self._run())

    @property
    def may_work(self) -> bool:
        """Whether user code may still do something here."""
        return not self.life.dead and not self.contact.lapsed

    def ended(self) -> None:
        """The pod is gone."""
        if not self.life.dead:
            self.world.trace(f"replica {self.name} is gone")
            self.life.die()
            self.line.break_calls()
            self._running.cancel()

    def send(self, report: WorkerReport) -> None:
        """Says something, as soon as there is somebody to say it to; what matters is said again."""
        if self.may_work and not self._outbox.closed:
            self._outbox.put_nowait(report)

    # --- streams ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        await self.clock.sleep(self.world.random.choice([0.1, 0.5, 4.0]))
        self._beat()
        stub: Any = ReplicaServiceStub(self.line)  # type: ignore[call-overload]
        while True:
            try:
                await self._converse(stub)
            except (PlatformError, grpc.aio.AioRpcError) as error:
                if isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                    self.world.trace(f"replica {self.name} is refused")
                    self.worker.exit(code=worker_exits.ATTEMPT_OVER)
                    return
            except asyncio.CancelledError:
                if self.life.dead:
                    raise
            await self.clock.sleep(self.world.random.choice([0.05, 0.3, 1.0]))

    async def _converse(self, stub: Any) -> None:
        self.line._server = None if self.cut_off else self.world.replica_server()
        call = stub.Replica()
        self._sequence += 1
        sequence, self._sent_at = self._sequence, {self._sequence: self.contact.now()}
        hello = Hello(token=self.worker.spec.token, protocol=1, running=sorted(self.tasks))
        again = [report for task in self.tasks.values() for report in task.again()]
        outbox: Batcher[WorkerReport] = Batcher("a replica's outbox")
        self._outbox = outbox
        outbox.put_many_nowait(
            [WorkerReport(hello=hello), WorkerReport(heartbeat=Heartbeat(sequence=sequence)), *again]
        )
        if self._draining and not self.tasks:
            outbox.put_nowait(WorkerReport(drained=Drained()))
        writing = asyncio.ensure_future(_write(call, outbox))
        try:
            async for response in call:
                for order in response.orders:
                    self._told(order)
        finally:
            writing.cancel()
            outbox.close()
            await asyncio.gather(writing, return_exceptions=True)

    def _beat(self) -> None:
        self.clock.call_later(_HEARTBEAT_S, self._beat)
        if self.contact.lapsed:
            self.world.trace(f"replica {self.name} is out of contact")
            self.worker.exit(code=worker_exits.OUT_OF_CONTACT)
        elif not self._outbox.closed:
            self._sequence += 1
            self._sent_at[self._sequence] = self.contact.now()
            self.send(WorkerReport(heartbeat=Heartbeat(sequence=self._sequence)))

    # --- orders -----------------------------------------------------------------------------------------------------

    def _told(self, order: WorkerOrder) -> None:
        if not self.may_work:
            return
        kind, task = order.WhichOneof("order"), self.tasks.get(order.lease)
        if kind == "heartbeat_answer":
            sent_at = self._sent_at.pop(order.heartbeat_answer.sequence, None)
            if sent_at is not None:
                self.contact.answered(sent_at)
        elif kind == "assign" and task is None:
            self.world.begins(self, order)
            self.tasks[order.lease] = Task(self, order)
        elif kind == "drain":
            self._draining = True
            self._leave_if_done()
        elif task is not None:
            self._of_task(task, kind, order)

    def _of_task(self, task: Task, kind: str | None, order: WorkerOrder) -> None:
        if kind == "result":
            task.calls.pop(order.result.call, None)
            task.actor.told(order.result)
        elif kind == "cancel":
            self.world.told_to_stop(task)
            task.stop()
        elif kind in ("end_accepted", "lease_revoked"):
            if kind == "lease_revoked":
                self.world.told_to_stop(task)
            task.actor.over = task.stopped = True
            del self.tasks[task.lease]
            self._leave_if_done()

    def _leave_if_done(self) -> None:
        if self._draining and not self.tasks:
            self.clock.call_later(0.1, partial(self.worker.exit))


async def _write(call: Any, outbox: Batcher[WorkerReport]) -> None:
    while reports := await outbox.take():
        await call.write(ReplicaRequest(reports=reports))
