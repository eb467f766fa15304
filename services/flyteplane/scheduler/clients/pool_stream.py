"""Attempts on replicas: the scheduler's end of the reuse pool's Assign stream.

Orders that queue in one pass of the loop go out as one message, and reports come in as batches. When the stream
breaks, every attempt that was placed through it counts as lost, charged to nobody, and the stream is opened again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import (
    AssignRequest,
    AssignResponse,
    DeclarePool,
    LeaseLost,
    LeaseRefused,
    PlaceAttempt,
    PoolOrder,
    Resumed,
    RevokeLease,
)
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceStub
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder, WorkerReport
from flyteapi.task.v1.task_spec_pb2 import Entrypoint, TaskSpec
from flyteplane.foundation.batcher import Batcher
from flyteplane.foundation.errors import PlatformError
from flyteplane.rpc.client import translated_errors
from flyteplane.scheduler.application import orders
from flyteplane.scheduler.clients.start_failure import start_failure
from flyteplane.scheduler.domain.failures import Failure, FailureKind

if TYPE_CHECKING:
    import grpc

    from flyteplane.foundation.clock import TimerClock
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action, Attempt
    from flyteplane.scheduler.application.ports import BundlePath, RunKey, SecretsClient

REOPEN_S: Final = 0.2
STOP_GRACE_S: Final = 5
#: Runs that are remembered as declared; declaring one again does no harm.
MOST_DECLARED: Final = 10_000


class PoolStream:
    """Implements `Placement` with the reuse-pool service."""

    def __init__(
        self,
        *,
        engine: Engine,
        channel: grpc.aio.Channel,
        secrets: SecretsClient,
        bundle_path: BundlePath,
        background: BackgroundTasks,
        clock: TimerClock,
        data_prefix: str,
    ) -> None:
        self._engine = engine
        self._stub = ReusePoolServiceStub(channel)
        self._secrets = secrets
        self._bundle_path = bundle_path
        self._background = background
        self._clock = clock
        self._data_prefix = data_prefix
        self._outbox: Batcher[PoolOrder] = Batcher("orders to the reuse pool", most=1000)
        self._leases: set[int] = set()
        self._pools: dict[tuple[object, ...], str] = {}
        self._preparing: dict[tuple[object, ...], list[Attempt]] = {}
        """Attempts that wait for their pool to be declared."""
        self._declared_runs: set[str] = set()

    def start(self) -> None:
        """Opens the stream and keeps it open."""
        self._background.start(self._keep_open(), name="assign stream")

    def place(self, action: Action) -> None:
        """See the port."""
        attempt, key = action.attempt, _pool_key(action)
        assert attempt is not None
        pool = self._pools.get(key)
        if pool is not None:
            self._place(attempt, pool)
        elif key in self._preparing:
            self._preparing[key].append(attempt)
        else:
            self._preparing[key] = [attempt]
            self._background.start(self._prepare(key, action), name="declare pool")

    def adopt(self, action: Action) -> bool:
        """See the port."""
        return False

    def send(self, lease: int, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        for order in orders:
            if order.HasField("end_accepted") or order.HasField("lease_revoked"):
                self._leases.discard(lease)
            self._put(PoolOrder(forward=order))

    def stop(self, lease: int, reason: str) -> None:
        """See the port."""
        self._leases.discard(lease)
        revoke = RevokeLease(lease=lease, reason=reason)
        revoke.grace.seconds = STOP_GRACE_S
        self._put(PoolOrder(revoke=revoke))

    def finished(self, lease: int) -> None:
        """See the port. The replica stays warm."""

    def whereabouts(self, lease: int) -> tuple[str, str]:
        """See the port. Replicas are known to the reuse pool."""
        return "", ""

    async def close(self) -> None:
        """See the port."""
        self._outbox.close()

    def _put(self, order: PoolOrder) -> None:
        if not self._outbox.closed:
            self._outbox.put_nowait(order)

    # --- pools ------------------------------------------------------------------------------------------------------

    async def _prepare(self, key: tuple[object, ...], first: Action) -> None:
        try:
            declare = await self._declare(first)
        except PlatformError as error:
            failure = start_failure(error)
            for attempt in self._preparing.pop(key):
                self._engine.lost(attempt.lease, failure)
            return
        self._pools[key] = declare.pool
        self._put(PoolOrder(declare_pool=declare))
        task = orders.declare_task(first.task, bundle_path=declare.bundle_path)
        self._put(PoolOrder(declare_task=task))
        for attempt in self._preparing.pop(key):
            if attempt.action.attempt is attempt:
                self._place(attempt, declare.pool)

    async def _declare(self, action: Action) -> DeclarePool:
        spec, run = action.task.spec, action.run.key
        bundle = spec.entrypoint.bundle_digest
        path = await self._bundle_path(bundle) if bundle else ""
        versions = await self._secrets.versions(run, spec.secrets) if spec.secrets else ()
        scope_run = run.name if spec.reuse.scope == "run" else ""
        return DeclarePool(
            pool=pool_name(spec, run=run, scope_run=scope_run, secret_versions=versions),
            scope=Scope(project=run.project, domain=run.domain),
            environment=spec.environment,
            run=scope_run,
            policy=spec.reuse,
            template=spec,
            bundle_path=path,
            secret_versions=[version for version, _ in versions],
        )

    def _place(self, attempt: Attempt, pool: str) -> None:
        action, run = attempt.action, attempt.action.run
        if run.key_text not in self._declared_runs:
            if len(self._declared_runs) >= MOST_DECLARED:
                self._declared_runs.clear()
            self._declared_runs.add(run.key_text)
            declare = orders.declare_run(run, data_prefix=self._data_prefix)
            self._put(PoolOrder(declare_run=declare))
        self._leases.add(attempt.lease)
        place = PlaceAttempt(pool=pool, lease=attempt.lease, is_async=action.task.spec.is_async)
        place.assign.CopyFrom(orders.assign(action))
        self._put(PoolOrder(place=place))

    # --- the stream -------------------------------------------------------------------------------------------------

    async def _keep_open(self) -> None:
        while not self._outbox.closed:
            try:
                with translated_errors():
                    await self._converse()
                self._lose_all("The reuse pool has ended the stream.")
            except PlatformError as error:
                self._lose_all(error.public_text)
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
        while batch := await self._outbox.take():
            await call.write(AssignRequest(orders=batch))
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
                self._engine.worker_known(report.placed.lease, report.placed.replica)
            elif kind == "lost":
                self._lost(report.lost)
            elif kind == "refused":
                self._refused(report.refused)
            elif kind == "resumed":
                self._resumed(report.resumed)
        if forwarded:
            self._engine.receive(forwarded, placement=self)

    def _lost(self, lost: LeaseLost) -> None:
        self._leases.discard(lost.lease)
        by_itself = lost.culprit and lost.exit_code and not lost.signal
        quarantined = lost.reason == "QUARANTINED"
        kind = FailureKind.USER if by_itself or quarantined or lost.reason == "OUT_OF_MEMORY" else FailureKind.SYSTEM
        failure = Failure(
            kind=kind,
            code=lost.reason or "REPLICA_LOST",
            message=lost.message or "The replica that ran this attempt is gone.",
            recoverable=not quarantined,
            exit_code=lost.exit_code,
            signal=lost.signal if lost.culprit else 0,
        )
        self._engine.lost(lost.lease, failure)

    def _resumed(self, resumed: Resumed) -> None:
        """Gives back what the pool still holds from a stream that broke: its attempts were counted as lost."""
        for lease in (*resumed.running, *resumed.waiting):
            if lease not in self._leases:
                self.stop(lease, "The scheduler has given this attempt up.")

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

    def _lose_all(self, message: str) -> None:
        if self._outbox.closed:
            return
        while self._outbox.take_nowait():
            pass
        self._declared_runs.clear()
        self._pools.clear()
        leases, self._leases = self._leases, set()
        failure = Failure(kind=FailureKind.SYSTEM, code="REUSE_POOL_LOST", message=message)
        for lease in leases:
            self._engine.lost(lease, failure)


def pool_name(spec: TaskSpec, *, run: RunKey, scope_run: str, secret_versions: Sequence[tuple[int, str]]) -> str:
    """Identity of the pool that runs a task: SHA-256 in hex over all that its replicas share."""
    shared = TaskSpec(
        environment=spec.environment,
        image=spec.image,
        resources=spec.resources,
        env=spec.env,
        secrets=spec.secrets,
        reuse=spec.reuse,
        pod_template=spec.pod_template,
        service_account=spec.service_account,
        entrypoint=Entrypoint(bundle_digest=spec.entrypoint.bundle_digest),
    )
    total = hashlib.sha256(shared.SerializeToString(deterministic=True))
    found = (f"{version}@{scope}" for version, scope in secret_versions)
    for text in (run.project, run.domain, scope_run, *found):
        total.update(len(text).to_bytes(4, "big") + text.encode())
    return total.hexdigest()


def _pool_key(action: Action) -> tuple[object, ...]:
    """What `pool_name` depends on for one task version. With secrets, each run asks for their versions anew."""
    run, spec = action.run.key, action.task.spec
    own_run = run.name if spec.secrets or spec.reuse.scope == "run" else ""
    return (run.project, run.domain, own_run, action.task.digest)
