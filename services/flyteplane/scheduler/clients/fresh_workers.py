"""Attempts on fresh workers: one worker for one attempt, started through the cluster kit.

The worker's name is derived from run, action, attempt and lease, so that a start that is tried again adopts the
worker that is there. Workers that outlive this process (pods) are started only once their attempt is stored, are tried
for as long as their cluster cannot be asked, and are adopted by the next leader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from flyte.spec.masking import Mask
from flyteapi.scheduler.v1.worker_service_pb2 import Cancel, EndAccepted, WorkerOrder, WorkerReport
from flyteplane.cluster.agent_exits import reason_of_exit
from flyteplane.cluster.patience import patiently
from flyteplane.cluster.ports import (
    Cluster,
    WorkerChannel,
    WorkerExit,
    WorkerProgress,
    WorkerSpec,
    WorkerStage,
)
from flyteplane.foundation.errors import FailedPrecondition, PlatformError
from flyteplane.observe import bound
from flyteplane.scheduler.application.observing import facts_of
from flyteplane.scheduler.clients.contact import Contact
from flyteplane.scheduler.clients.fresh_worker import FreshWorker
from flyteplane.scheduler.clients.masked_log import MaskedLog
from flyteplane.scheduler.clients.start_failure import start_failure
from flyteplane.scheduler.clients.worker_specs import worker_spec
from flyteplane.scheduler.domain.failures import worker_failure
from flyteplane.scheduler.domain.phases import Phase

if TYPE_CHECKING:
    from flyteplane.cluster.ports import PodConstraints
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.rpc.tokens import Claims
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.clients.provisions import Provisions

#: Time that a worker has to end after it was told that its attempt is over.
GRACE_S: Final = 5.0
#: And a pod: its agent gives the task 10 s, and a node that ends many pods at a time is slow.
POD_GRACE_S: Final = 15.0


class FreshWorkers:
    """Implements `Placement` with the cluster kit.

    Args:
        clusters: where workers are placed, by name.
        constraints: what a resource class asks of pods, by its name.
        provisions: what workers are given.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        clusters: Mapping[str, Cluster],
        constraints: Callable[[str], PodConstraints],
        provisions: Provisions,
        background: BackgroundTasks,
    ) -> None:
        self._engine = engine
        self._clusters = clusters
        self._constraints = constraints
        self._provisions = provisions
        self._background = background
        self._workers: dict[int, FreshWorker] = {}
        self._contact = Contact(clock=engine.clock, lost=self._out_of_contact)
        self._closed = False

    # --- the port ---------------------------------------------------------------------------------------------------

    def place(self, action: Action) -> None:
        """See the port."""
        if self._closed:
            return
        worker = self._register(action)
        if worker.cluster.outlives_owner:
            # A pod of a placement that was never stored would be nobody's.
            self._engine.turn.after_commit(lambda: self._start_later(worker))
        else:
            self._background.start(_about(worker, self._start), name="start worker")

    def adopt(self, action: Action) -> bool:
        """See the port."""
        cluster = self._clusters.get(action.state.cluster)
        if self._closed or cluster is None or not cluster.outlives_owner:
            return False
        worker = self._register(action)
        self._background.start(self._adopt(worker), name="adopt worker")
        return True

    def send(self, lease: int, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        worker = self._workers.get(lease)
        if worker is not None and worker.channel is not None:
            worker.channel.send(orders)

    def stop(self, lease: int, reason: str) -> None:
        """See the port."""
        self.send(lease, (WorkerOrder(lease=lease, cancel=Cancel(reason=reason)),))
        worker = self._workers.get(lease)
        if worker is not None and worker.channel is not None and worker.cluster.outlives_owner:
            # A pod that has ended by itself is gone with its deletion. One that is deleted while it runs stays until
            # its node has cleaned up behind it, half a minute where many end together.
            self._help_later(lease)
        else:
            self._stop_later(lease, grace_s=GRACE_S)

    def finished(self, lease: int) -> None:
        """See the port."""
        self.send(lease, (WorkerOrder(lease=lease, end_accepted=EndAccepted()),))
        self._help_later(lease)

    def _help_later(self, lease: int) -> None:
        """A worker that does not go by itself is helped."""
        worker = self._workers.get(lease)
        if worker is not None:
            worker.stop_timers()
            patience_s = POD_GRACE_S if worker.cluster.outlives_owner else GRACE_S
            worker.reaper = self._engine.clock.call_later(patience_s, lambda: self._stop_later(lease, grace_s=0.5))

    async def close(self) -> None:
        """See the port. The cluster itself is closed by whoever opened it.

        What ends now ends because the platform does: it is charged to nobody, and the next start places it again.
        Workers that outlive this process go on.
        """
        self._closed = True
        for worker in self._workers.values():
            worker.stop_timers()
        ending = [worker for worker in self._workers.values() if not worker.cluster.outlives_owner]
        stops = (worker.cluster.stop(worker.name, grace_s=0.2) for worker in ending)
        await asyncio.gather(*stops, return_exceptions=True)
        for cluster in self._clusters.values():
            cluster.let_go()

    def whereabouts(self, lease: int) -> tuple[str, str]:
        """Node of the lease's worker, and what its cluster said last of it; empty where nothing is known."""
        worker = self._workers.get(lease)
        return (worker.node, worker.message) if worker is not None else ("", "")

    def runs_still(self, claims: Claims) -> bool:
        """Whether the attempt that the claims name is under way, however old its token is."""
        attempt = self._engine.attempts.get(claims.lease)
        if attempt is None:
            return False
        action = attempt.action
        return (claims.project, claims.domain, claims.run) == action.run.key and claims.action == action.name

    def still_to_begin(self, claims: Claims) -> bool:
        """Whether the attempt that the claims name is current and its code was not called yet."""
        attempt = self._engine.attempts.get(claims.lease)
        return self.runs_still(claims) and attempt is not None and attempt.action.state.phase is not Phase.RUNNING

    def token_of(self, worker: FreshWorker) -> str:
        """A new token for a worker over the network. It opens no secret: their values come over the stream."""
        return self._provisions.token_without_secrets(worker)

    def known_names(self, cluster: str) -> set[str]:
        """Names of the workers that this placement answers for on a cluster."""
        return {worker.name for worker in self._workers.values() if worker.cluster.name == cluster}

    # --- workers that open a stream of their own --------------------------------------------------------------------

    def connect(self, lease: int, channel: WorkerChannel, *, running: bool) -> FreshWorker:
        """A worker says Hello on a new stream; `running` if it has the attempt already.

        Raises:
            FailedPrecondition: the attempt is over, or was begun by a worker that is not this one.
        """
        worker = self._workers.get(lease)
        if worker is None or self._closed or not self._wanted(worker):
            raise FailedPrecondition("the attempt is over", reason="ATTEMPT_OVER", mend="Exit.")
        if not running and worker.action.state.phase is Phase.RUNNING:
            raise FailedPrecondition("the attempt was begun already", reason="ATTEMPT_BEGUN", mend="Exit.")
        if worker.channel is not None:
            worker.channel.close()
        worker.channel = channel
        self._contact.heard(worker)
        self._engine.worker_known(lease, worker.name)
        if not running:
            self._background.start(self._introduce_later(worker, channel), name="introduce worker")
        return worker

    def disconnected(self, worker: FreshWorker, channel: WorkerChannel) -> None:
        """A stream has ended; the worker has the rest of its contact time to come back."""
        if worker.channel is channel:
            worker.channel = None

    def heard(self, worker: FreshWorker, reports: Sequence[WorkerReport]) -> None:
        """A worker says something on its own stream."""
        self._contact.heard(worker)
        self._engine.receive(reports, placement=self)

    # --- starting ---------------------------------------------------------------------------------------------------

    def _register(self, action: Action) -> FreshWorker:
        attempt = action.attempt
        assert attempt is not None
        cluster = self._clusters[action.state.cluster]
        worker = FreshWorker(listener=self, cluster=cluster, lease=attempt.lease, action=action)
        self._workers[attempt.lease] = worker
        return worker

    def _wanted(self, worker: FreshWorker) -> bool:
        return not self._closed and worker.lease in self._engine.attempts

    def _start_later(self, worker: FreshWorker) -> None:
        if self._wanted(worker):
            self._background.start(_about(worker, self._start_patiently), name="start worker")
        else:
            self._workers.pop(worker.lease, None)

    async def _start(self, worker: FreshWorker) -> None:
        try:
            await self._provisions.provide(worker)
            self._mask_output(worker)
            if not self._wanted(worker):
                self._workers.pop(worker.lease, None)
                return
            await worker.cluster.start(self._spec(worker), worker)
        except PlatformError as error:
            self._not_started(worker, error)

    async def _start_patiently(self, worker: FreshWorker) -> None:
        worker.token = self.token_of(worker)
        try:
            await self._provisions.refuse_missing_secrets(worker)
            await patiently(
                lambda: worker.cluster.start(self._spec(worker), worker),
                clock=self._engine.clock,
                wanted=lambda: self._wanted(worker),
                refused=lambda error: self._say(worker, error.public_text),
            )
        except PlatformError as error:
            self._not_started(worker, error)
            return
        if not self._wanted(worker):
            self._engine.turn.after_commit(lambda: self._stop_now(worker, grace_s=0.0))

    async def _adopt(self, worker: FreshWorker) -> None:
        worker.token = self.token_of(worker)
        started = worker.action.state.phase is Phase.RUNNING
        if started:
            self._contact.heard(worker)
        found = await patiently(
            lambda: worker.cluster.adopt(worker.name, worker),
            clock=self._engine.clock,
            wanted=lambda: self._wanted(worker),
            refused=lambda error: self._say(worker, error.public_text),
        )
        if found or not self._wanted(worker):
            return
        if started:
            self.gone(worker, WorkerExit(name=worker.name, known=False, message="Its pod is gone."))
        else:
            await self._start_patiently(worker)

    def _not_started(self, worker: FreshWorker, error: PlatformError) -> None:
        self._workers.pop(worker.lease, None)
        worker.stop_timers()
        if not self._closed:
            self._engine.lost(worker.lease, start_failure(error))

    def _spec(self, worker: FreshWorker) -> WorkerSpec:
        return worker_spec(worker, self._constraints(worker.action.state.resource_class))

    def _mask_output(self, worker: FreshWorker) -> None:
        mask = Mask.of((*worker.secret_env.values(), *worker.secret_files.values()))
        if mask is not None:
            worker.masked_log = MaskedLog(mask, append=lambda data: self._log(worker, data))

    async def _introduce_later(self, worker: FreshWorker, channel: WorkerChannel) -> None:
        """Tells a pod its attempt. Its secrets are resolved only now, and only for this."""
        try:
            await self._provisions.resolve_secrets(worker)
        except PlatformError as error:
            self._not_started(worker, error)
            self._stop_now(worker, grace_s=GRACE_S)
            return
        if self._wanted(worker):
            channel.send(self._provisions.introduction(worker))
        worker.forget_values()

    # --- stopping ---------------------------------------------------------------------------------------------------

    def _stop_later(self, lease: int, *, grace_s: float) -> None:
        worker = self._workers.get(lease)
        if worker is not None:
            self._stop_now(worker, grace_s=grace_s)

    def _stop_now(self, worker: FreshWorker, *, grace_s: float) -> None:
        self._background.start(self._stop(worker, grace_s), name="stop worker")

    async def _stop(self, worker: FreshWorker, grace_s: float) -> None:
        """What cannot be stopped before this process ends is found by the next leader."""
        await patiently(
            lambda: worker.cluster.stop(worker.name, grace_s=grace_s),
            clock=self._engine.clock,
            wanted=lambda: not self._closed,
            refused=lambda error: None,
        )
        # Of one that was never there no end is told.
        self._workers.pop(worker.lease, None)
        worker.stop_timers()

    def _out_of_contact(self, worker: FreshWorker, silence_s: float) -> None:
        if not self._wanted(worker):
            return
        message = f"It was not heard for {silence_s:g} s, and has ended itself by now."
        failure = worker_failure(
            exit_code=0, signal=0, out_of_memory=False, known=True, message=message, reason="CUT_OFF"
        )
        self._engine.lost(worker.lease, failure)
        # A leader that was paused has heard nobody either: only one that may still write stops anything.
        self._engine.turn.after_commit(lambda: self._stop_later(worker.lease, grace_s=0.0))

    # --- what workers and clusters say ------------------------------------------------------------------------------

    def opened(self, worker: FreshWorker) -> None:
        """See `WorkerListener`: a worker with an inherited socket."""
        if worker.lease not in self._engine.attempts or worker.channel is None:
            self._stop_later(worker.lease, grace_s=0.0)
            return
        worker.channel.send(self._provisions.introduction(worker))
        worker.forget_values()
        self._engine.worker_known(worker.lease, worker.name)

    def received(self, worker: FreshWorker, reports: Sequence[WorkerReport]) -> None:
        """See `WorkerListener`."""
        self._engine.receive(reports, placement=self)

    def wrote(self, worker: FreshWorker, data: bytes) -> None:
        """See `WorkerListener`."""
        if worker.masked_log is not None:
            worker.masked_log.write(data)
        else:
            self._log(worker, data)

    def progressed(self, worker: FreshWorker, progress: WorkerProgress) -> None:
        """See `WorkerListener`."""
        worker.node = progress.node or worker.node
        text = f"{progress.reason}: {progress.message}" if progress.reason else progress.message
        self._say(worker, text, has_place=progress.stage is WorkerStage.STARTING)

    def gone(self, worker: FreshWorker, exit: WorkerExit) -> None:
        """See `WorkerListener`."""
        self._workers.pop(worker.lease, None)
        worker.stop_timers()
        if worker.masked_log is not None:
            worker.masked_log.close()
        if worker.channel is not None and worker.cluster.outlives_owner:
            # Its cluster may be wrong: what still runs hears of nobody any more, and ends itself.
            worker.channel.close()
        if self._closed:
            return
        reason = reason_of_exit(exit, is_pod=worker.cluster.outlives_owner)
        failure = worker_failure(
            exit_code=exit.exit_code,
            signal=exit.signal,
            out_of_memory=exit.out_of_memory,
            known=exit.known,
            message=exit.message,
            reason=reason.value,
        )
        self._engine.lost(worker.lease, failure)

    def waits(self, lease: int, reason: str) -> None:
        """A worker that is there cannot begin yet."""
        worker = self._workers.get(lease)
        if worker is not None:
            self._say(worker, reason, has_place=True)

    def _say(self, worker: FreshWorker, text: str, *, has_place: bool = False) -> None:
        worker.message = text
        self._engine.progress(worker.lease, text, has_place=has_place)

    def _log(self, worker: FreshWorker, data: bytes) -> None:
        action = worker.action
        self._engine.logs.append(action.run.key, action.name, worker.attempt, data)


async def _about(worker: FreshWorker, work: Callable[[FreshWorker], Awaitable[None]]) -> None:
    """Does `work`; what is logged meanwhile, here and in the cluster kit, names the attempt that it is for."""
    with bound(**facts_of(worker.action)):
        await work(worker)
