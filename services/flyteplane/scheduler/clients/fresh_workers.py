"""Attempts on fresh workers: one worker for one attempt, started through the cluster kit.

The worker's name is derived from run, action, attempt and lease, so that a start that is tried again adopts the
worker that is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from flyte.spec.masking import Mask
from flyte.spec.quantities import parse_bytes
from flyteapi.scheduler.v1.worker_service_pb2 import Cancel, WorkerOrder, WorkerReport
from flyteplane.cluster.ports import Cluster, WorkerChannel, WorkerExit, WorkerProgress, WorkerSpec
from flyteplane.foundation.errors import InvalidArgument, NotFound, PermissionDenied, PlatformError
from flyteplane.scheduler.application import orders
from flyteplane.scheduler.clients.masked_log import MaskedLog
from flyteplane.scheduler.domain.failures import Failure, FailureKind, worker_failure

if TYPE_CHECKING:
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.ports import BundlePath, MintToken, SecretsClient

#: Time that a worker has to end after it was told that its attempt is over.
GRACE_S: Final = 5.0
_REFUSALS: Final = (NotFound, InvalidArgument, PermissionDenied)


class FreshWorkers:
    """Implements `Placement` with the cluster kit."""

    def __init__(
        self,
        *,
        engine: Engine,
        cluster: Cluster,
        secrets: SecretsClient,
        mint_token: MintToken,
        bundle_path: BundlePath,
        background: BackgroundTasks,
        data_prefix: str,
    ) -> None:
        self._engine = engine
        self._cluster = cluster
        self._secrets = secrets
        self._mint_token = mint_token
        self._bundle_path = bundle_path
        self._background = background
        self._data_prefix = data_prefix
        self._workers: dict[int, _Worker] = {}
        self._closed = False

    def place(self, action: Action) -> None:
        """See the port."""
        attempt = action.attempt
        assert attempt is not None
        if self._closed:
            return
        worker = _Worker(placement=self, lease=attempt.lease, action=action, attempt=action.state.attempt)
        self._workers[attempt.lease] = worker
        self._background.start(self._start(worker), name="start worker")

    def send(self, lease: int, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        worker = self._workers.get(lease)
        if worker is not None and worker.channel is not None:
            worker.channel.send(orders)

    def stop(self, lease: int, reason: str) -> None:
        """See the port."""
        self.send(lease, (WorkerOrder(lease=lease, cancel=Cancel(reason=reason)),))
        self._stop_later(lease, grace_s=GRACE_S)

    def finished(self, lease: int) -> None:
        """See the port. A worker that does not go by itself is helped."""
        worker = self._workers.get(lease)
        if worker is not None:
            loop = asyncio.get_running_loop()
            worker.reaper = loop.call_later(GRACE_S, lambda: self._stop_later(lease, grace_s=0.5))

    async def close(self) -> None:
        """See the port. The cluster itself is closed by whoever opened it.

        What ends now ends because the platform does: it is charged to nobody, and the next start places it again.
        """
        self._closed = True
        names = [worker.name for worker in self._workers.values()]
        await asyncio.gather(*(self._cluster.stop(name, grace_s=0.2) for name in names), return_exceptions=True)

    async def _start(self, worker: _Worker) -> None:
        try:
            await self._prepare(worker)
            if self._closed or worker.lease not in self._engine.attempts:
                self._workers.pop(worker.lease, None)
                return
            await self._cluster.start(_worker_spec(worker), worker)
        except PlatformError as error:
            self._workers.pop(worker.lease, None)
            if not self._closed:
                self._engine.lost(worker.lease, start_failure(error))

    async def _prepare(self, worker: _Worker) -> None:
        action = worker.action
        spec = action.task.spec
        if spec.entrypoint.bundle_digest:
            worker.bundle_path = await self._bundle_path(spec.entrypoint.bundle_digest)
        run = action.run.key
        worker.token = self._mint_token(run, action.name, worker.attempt, worker.lease, spec.secrets)
        if spec.secrets:
            worker.secret_env, worker.secret_files = await self._secrets.resolve(worker.token, spec.secrets)
            self._mask_output(worker)

    def _mask_output(self, worker: _Worker) -> None:
        mask = Mask.of((*worker.secret_env.values(), *worker.secret_files.values()))
        if mask is not None:
            worker.masked_log = MaskedLog(mask, append=lambda data: self._log(worker, data))

    def _stop_later(self, lease: int, *, grace_s: float) -> None:
        worker = self._workers.get(lease)
        if worker is not None:
            self._background.start(self._cluster.stop(worker.name, grace_s=grace_s), name="stop worker")

    def _introduce(self, worker: _Worker) -> None:
        action, lease = worker.action, worker.lease
        run = orders.declare_run(action.run, data_prefix=self._data_prefix)
        task = orders.declare_task(action.task, bundle_path=worker.bundle_path)
        attempt = orders.assign(
            action, token=worker.token, secret_env=worker.secret_env, secret_files=worker.secret_files
        )
        batch = (
            WorkerOrder(declare_run=run),
            WorkerOrder(declare_task=task),
            WorkerOrder(lease=lease, assign=attempt),
        )
        if worker.channel is not None:
            worker.channel.send(batch)

    def _opened(self, worker: _Worker) -> None:
        if worker.lease not in self._engine.attempts:
            self._stop_later(worker.lease, grace_s=0.0)
            return
        self._introduce(worker)
        worker.forget_values()
        self._engine.worker_known(worker.lease, worker.name)

    def _received(self, reports: Sequence[WorkerReport]) -> None:
        self._engine.receive(reports, placement=self)

    def _output(self, worker: _Worker, data: bytes) -> None:
        if worker.masked_log is not None:
            worker.masked_log.write(data)
        else:
            self._log(worker, data)

    def _log(self, worker: _Worker, data: bytes) -> None:
        action = worker.action
        self._engine.logs.append(action.run.key, action.name, worker.attempt, data)

    def _exited(self, worker: _Worker, exit: WorkerExit) -> None:
        self._workers.pop(worker.lease, None)
        if worker.reaper is not None:
            worker.reaper.cancel()
        if worker.masked_log is not None:
            worker.masked_log.close()
        if self._closed:
            return
        failure = worker_failure(
            exit_code=exit.exit_code,
            signal=exit.signal,
            out_of_memory=exit.out_of_memory,
            known=exit.known,
            message=exit.message,
        )
        self._engine.lost(worker.lease, failure)


class _Worker:
    """One fresh worker and what it is for. Implements `WorkerSink`."""

    __slots__ = (
        "action",
        "attempt",
        "bundle_path",
        "channel",
        "lease",
        "masked_log",
        "name",
        "placement",
        "reaper",
        "secret_env",
        "secret_files",
        "token",
    )

    def __init__(self, *, placement: FreshWorkers, lease: int, action: Action, attempt: int) -> None:
        self.placement = placement
        self.lease = lease
        self.action = action
        self.attempt = attempt
        self.name = f"{action.run.key.name}-{action.name}-{attempt}-{lease:x}"
        self.channel: WorkerChannel | None = None
        self.reaper: asyncio.TimerHandle | None = None
        self.masked_log: MaskedLog | None = None
        self.bundle_path = ""
        self.token = ""
        self.forget_values()

    def forget_values(self) -> None:
        """Values of secrets are held only until they were handed over; after that there is the mask of the log."""
        self.secret_env: Mapping[str, bytes] = {}
        self.secret_files: Mapping[str, bytes] = {}

    def opened(self, name: str, channel: WorkerChannel) -> None:
        """See the port."""
        self.channel = channel
        self.placement._opened(self)

    def received(self, name: str, reports: Sequence[WorkerReport]) -> None:
        """See the port."""
        self.placement._received(reports)

    def progress(self, progress: WorkerProgress) -> None:
        """See the port."""

    def output(self, name: str, data: bytes) -> None:
        """See the port."""
        self.placement._output(self, data)

    def exited(self, exit: WorkerExit) -> None:
        """See the port."""
        self.placement._exited(self, exit)


def _worker_spec(worker: _Worker) -> WorkerSpec:
    action = worker.action
    spec, run = action.task.spec, action.run
    memory = spec.resources.memory_limit or spec.resources.memory
    return WorkerSpec(
        name=worker.name,
        python_packages=tuple(spec.image.python_packages),
        env={**spec.image.env, **run.settings.env, **spec.env},
        cpu_millis=action.task.demand.cpu_millis if spec.resources.cpu else 0,
        memory_bytes=parse_bytes(memory) if memory else 0,
        labels={
            "project": run.key.project,
            "domain": run.key.domain,
            "run": run.key.name,
            "action": action.name,
            "attempt": str(worker.attempt),
        },
    )


def start_failure(error: PlatformError) -> Failure:
    """Why no worker could be started: nothing that the platform can mend, or something that may pass."""
    if isinstance(error, _REFUSALS):
        return Failure(kind=FailureKind.REFUSED, code=error.reason, message=error.public_text, recoverable=False)
    return Failure(kind=FailureKind.SYSTEM, code="WORKER_NOT_STARTED", message=error.public_text)
