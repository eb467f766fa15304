"""Attempts on replicas: the scheduler's end of the reuse pool's Assign stream.

Orders that queue in one pass of the loop go out as one message, and reports come in as batches.

A stream that breaks loses no attempt, nor does the end of the scheduler that placed it: the stream is opened again, by
whoever leads, and the pool says what it holds (`Resumed`). What the scheduler does not hold is revoked. What only the
scheduler holds is lost, unless a replica may still come back with it: that the pool decides. Orders are not kept over a
break, because the pool repeats whatever it has had no answer to.

If the pool stays away for `away_s`, its attempts are lost. That is longer than a replica works without hearing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Final

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import (
    AssignRequest,
    AssignResponse,
    LeaseLost,
    LeaseRefused,
    PoolOrder,
    PoolTrouble,
    Resumed,
    RevokeLease,
    Settled,
)
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceStub
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder, WorkerReport
from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger
from flyteplane.rpc.client import translated_errors
from flyteplane.scheduler.application import orders
from flyteplane.scheduler.clients.pool_orders import PoolOrders
from flyteplane.scheduler.clients.start_failure import start_failure
from flyteplane.scheduler.domain.failures import Failure, FailureKind, code_of

if TYPE_CHECKING:
    import grpc

    from flyteplane.foundation.clock import Timer, TimerClock
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action, Attempt, TaskRecord
    from flyteplane.scheduler.application.ports import MintToken
    from flyteplane.scheduler.clients.pool_declarations import PoolDeclarations, PoolKey, PoolPlan

_log = get_logger("scheduler.pool_stream")

REOPEN_S: Final = 0.2
#: How long the pool may be away at least: a leader of it that died is replaced within this time.
LEAST_AWAY_S: Final = 60.0
STOP_GRACE_S: Final = 5
#: A task that takes more than its limits ends its replica.
_TOO_MUCH: Final = ("OUT_OF_MEMORY", "OUT_OF_DISK")
#: Runs, and tasks with their pools, that are remembered as declared; declaring one again does no harm. The reuse pool
#: remembers more.
MOST_DECLARED: Final = 2_000
_NOT_HELD: Final = Failure(
    kind=FailureKind.SYSTEM,
    code="PLATFORM_RESTARTED",
    message="The reuse pool was restarted while this attempt ran.",
)


class PoolStream:
    """Implements `Placement` with the reuse-pool service."""

    def __init__(
        self,
        *,
        engine: Engine,
        channel: grpc.aio.Channel,
        declarations: PoolDeclarations,
        mint_token: MintToken,
        background: BackgroundTasks,
        clock: TimerClock,
        data_prefix: str,
        away_s: float = LEAST_AWAY_S,
    ) -> None:
        self._engine = engine
        self._stub = ReusePoolServiceStub(channel)
        self._declarations = declarations
        self._mint_token = mint_token
        self._background = background
        self._clock = clock
        self._data_prefix = data_prefix
        self._away_s = away_s
        self._open = asyncio.Event()
        """Set while the pool listens and has said what it holds."""
        self._away: Timer | None = None
        """Runs while the pool is away."""
        self._outbox = PoolOrders()
        self._leases: set[int] = set()
        """Given to the pool, on this stream or before it."""
        self._streams = 0
        self._unsent: list[Attempt] = []
        """Placed while the pool was away."""
        self._pools: dict[PoolKey, str] = {}
        self._preparing: dict[PoolKey, list[Attempt]] = {}
        """Attempts that wait for their pool to be declared."""
        self._declared_runs: set[str] = set()
        self._troubles: dict[str, str] = {}
        """Why replicas do not come, by pool."""

    def start(self) -> None:
        """Opens the stream and keeps it open. Called after the attempts of an earlier leader were adopted."""
        self._miss_pool()
        self._background.start(self._keep_open(), name="assign stream")

    def place(self, action: Action) -> None:
        """See the port."""
        attempt, key = action.attempt, self._declarations.key_of(action)
        assert attempt is not None
        if not self._open.is_set():
            self._unsent.append(attempt)
            return
        pool = self._pools.get(key)
        if pool is not None:
            self._place(attempt, pool)
        elif key in self._preparing:
            self._preparing[key].append(attempt)
        else:
            self._preparing[key] = [attempt]
            plan = self._declarations.plan(action)
            self._background.start(self._prepare(key, plan, action.task), name="declare pool")

    def adopt(self, action: Action) -> bool:
        """See the port."""
        if self._outbox.closed:
            return False
        self._leases.add(action.state.lease)
        return True

    def send(self, lease: int, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        for order in orders:
            if order.HasField("lease_revoked"):
                self._leases.discard(lease)
            if (following := self._next_order()) is not None:
                following.forward.CopyFrom(order)

    def stop(self, lease: int, reason: str) -> None:
        """See the port."""
        self._leases.discard(lease)
        revoke = RevokeLease(lease=lease, reason=reason)
        revoke.grace.seconds = STOP_GRACE_S
        self._put(PoolOrder(revoke=revoke))

    def finished(self, lease: int) -> None:
        """See the port. The replica stays warm."""
        self._leases.discard(lease)
        if (order := self._next_order()) is not None:
            forward = order.forward
            forward.lease = lease
            forward.end_accepted.SetInParent()

    def whereabouts(self, lease: int) -> tuple[str, str]:
        """See the port. Where replicas are is known to the reuse pool, which says why they do not come."""
        attempt = self._engine.attempts.get(lease)
        pool = self._pools.get(self._declarations.key_of(attempt.action), "") if attempt is not None else ""
        return "", self._troubles.get(pool, "")

    async def close(self) -> None:
        """See the port."""
        self._outbox.close()
        if self._away is not None:
            self._away.cancel()

    def _next_order(self) -> PoolOrder | None:
        """The next order on the stream, to be filled in; None while the pool is away: then it is dropped."""
        return self._outbox.add() if self._open.is_set() and not self._outbox.closed else None

    def _put(self, order: PoolOrder) -> None:
        if (following := self._next_order()) is not None:
            following.CopyFrom(order)

    # --- pools ------------------------------------------------------------------------------------------------------

    def redeclare(self) -> None:
        """Queues or classes have changed: pools are declared anew when they are next used."""
        self._pools.clear()

    async def _prepare(self, key: PoolKey, plan: PoolPlan, first: TaskRecord) -> None:
        try:
            declare = await self._declarations.declare(plan)
        except PlatformError as error:
            failure = start_failure(error)
            for attempt in self._preparing.pop(key, ()):
                self._engine.lost(attempt.lease, failure)
            return
        if not self._open.is_set():
            # Those who waited for it wait for the next stream now.
            return
        if len(self._pools) >= MOST_DECLARED:
            self._pools.clear()
        self._pools[key] = declare.pool
        self._put(PoolOrder(declare_pool=declare))
        task = orders.declare_task(first, bundle_path=declare.bundle_path)
        self._put(PoolOrder(declare_task=task))
        for attempt in self._preparing.pop(key, ()):
            if attempt.action.attempt is attempt:
                self._place(attempt, declare.pool)

    def _place(self, attempt: Attempt, pool: str, *, resumed: bool = False) -> None:
        action, run = attempt.action, attempt.action.run
        if run.key_text not in self._declared_runs:
            if len(self._declared_runs) >= MOST_DECLARED:
                self._declared_runs.clear()
            self._declared_runs.add(run.key_text)
            declare = orders.declare_run(run, data_prefix=self._data_prefix)
            self._put(PoolOrder(declare_run=declare))
        self._leases.add(attempt.lease)
        # What a worker on this machine reads itself, one in a pod asks for, with a token that names its attempt.
        on_pods = self._declarations.on_pods(action)
        token = self._mint_token(run.key, action.name, action.state.attempt, attempt.lease, ()) if on_pods else ""
        if (order := self._next_order()) is None:
            return
        place = order.place
        place.pool, place.lease = pool, attempt.lease
        place.is_async, place.resumed = action.task.spec.is_async, resumed
        orders.fill_assign(place.assign, action, token=token)

    # --- the stream -------------------------------------------------------------------------------------------------

    async def _keep_open(self) -> None:
        while not self._outbox.closed:
            try:
                with translated_errors():
                    await self._converse()
            except PlatformError as error:
                _log.warning("stream_to_reuse_pool_ended", problem=error.public_text)
            self._broke()
            if not self._outbox.closed:
                await self._clock.sleep(REOPEN_S)

    async def _converse(self) -> None:
        call = self._stub.Assign()
        writer = asyncio.ensure_future(self._write(call))
        try:
            async for response in call:
                self._received(response)
        finally:
            writer.cancel()
            call.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _write(self, call: grpc.aio.StreamStreamCall[AssignRequest, AssignResponse]) -> None:
        await call.write(AssignRequest(epoch=self._engine.epoch))
        # Nothing else is said before the pool has said what it holds.
        await self._open.wait()
        while (request := await self._outbox.take()) is not None:
            await call.write(request)
        await call.done_writing()

    def _received(self, response: AssignResponse) -> None:
        forwarded: list[WorkerReport] = []
        for report in response.reports:
            kind = report.WhichOneof("report")
            if kind == "forward":
                forwarded.append(report.forward)
                continue
            if forwarded:
                self._engine.receive(forwarded, placement=self)
                forwarded = []
            if kind == "placed":
                self._engine.worker_known(report.placed.lease, report.placed.replica, report.placed.note)
            elif kind == "lost":
                self._lost(report.lost)
            elif kind == "refused":
                self._refused(report.refused)
            elif kind == "trouble":
                self._troubled(report.trouble)
            elif kind == "resumed":
                self._resumed(report.resumed)
        if forwarded:
            self._engine.receive(forwarded, placement=self)

    def _lost(self, lost: LeaseLost) -> None:
        self._leases.discard(lost.lease)
        by_itself = lost.exit_code and not lost.signal
        quarantined = lost.reason == "QUARANTINED"
        own_doing = lost.culprit and (by_itself or quarantined or lost.reason in _TOO_MUCH)
        kind = FailureKind.USER if own_doing else FailureKind.SYSTEM
        failure = Failure(
            kind=kind,
            code=code_of(lost.reason) or "REPLICA_LOST",
            message=lost.message or "The replica that ran this attempt is gone.",
            recoverable=not quarantined,
            exit_code=lost.exit_code,
            signal=lost.signal if lost.culprit else 0,
        )
        self._engine.lost(lost.lease, failure)

    def _resumed(self, resumed: Resumed) -> None:
        """The pool listens from now on; what both hold is compared once all that was heard before is durable."""
        if self._away is not None:
            self._away.cancel()
            self._away = None
        self._open.set()
        self._streams += 1
        stream, ours = self._streams, frozenset(self._leases)
        theirs = frozenset((*resumed.running, *resumed.waiting))

        def compare() -> None:
            if self._open.is_set() and stream == self._streams:
                self._compare(ours, theirs)

        # An end that is not durable yet is neither ours to go on with, nor theirs to forget.
        self._engine.turn.after_commit(compare)
        unsent, self._unsent = self._unsent, []
        for attempt in unsent:
            if attempt.action.attempt is attempt:
                self.place(attempt.action)

    def _compare(self, ours: Set[int], theirs: Set[int]) -> None:
        for lease in sorted(theirs - self._leases):
            self.stop(lease, "The scheduler does not hold this attempt.")
        for lease in sorted((ours & self._leases) - theirs):
            self._say_again(lease)
        self._put(PoolOrder(settled=Settled()))

    def _say_again(self, lease: int) -> None:
        """The pool does not hold an attempt of ours: at best it runs on a pod that the pool has not heard of yet."""
        attempt = self._engine.attempts.get(lease)
        if attempt is None:
            self._leases.discard(lease)
        elif self._declarations.on_pods(attempt.action):
            self._put(PoolOrder(declare_task=orders.declare_task(attempt.action.task, bundle_path="")))
            self._place(attempt, "", resumed=True)
        else:
            self._leases.discard(lease)
            self._engine.lost(lease, _NOT_HELD)

    def _troubled(self, trouble: PoolTrouble) -> None:
        if trouble.message:
            self._troubles[trouble.pool] = trouble.message
        else:
            self._troubles.pop(trouble.pool, None)

    def _refused(self, refused: LeaseRefused) -> None:
        self._leases.discard(refused.lease)
        if refused.reason == "NOT_DECLARED":
            self._pools.clear()
            self._declared_runs.clear()
        kind = FailureKind.SYSTEM if refused.retryable else FailureKind.REFUSED
        failure = Failure(
            kind=kind, code=refused.reason or "POOL_REFUSED", message=refused.message, recoverable=refused.retryable
        )
        self._engine.lost(refused.lease, failure)

    def _broke(self) -> None:
        """The stream has ended. What was not sent on it is not sent on the next."""
        if self._outbox.closed:
            return
        self._open.clear()
        self._outbox.clear()
        self._declared_runs.clear()
        self._pools.clear()
        self._troubles.clear()
        for attempts in self._preparing.values():
            self._unsent += attempts
        self._preparing.clear()
        self._miss_pool()

    def _miss_pool(self) -> None:
        if self._away is None:
            self._away = self._clock.call_later(self._away_s, self._give_up)

    def _give_up(self) -> None:
        """The pool was away for so long that no replica works for it any more."""
        self._away = None
        message = f"The reuse pool was away for {self._away_s:g} s."
        failure = Failure(kind=FailureKind.SYSTEM, code="REUSE_POOL_LOST", message=message)
        leases, self._leases = self._leases, set()
        for lease in leases:
            self._engine.lost(lease, failure)
