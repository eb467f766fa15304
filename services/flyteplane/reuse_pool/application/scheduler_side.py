"""The scheduler's half of the relay: what comes in on its Assign stream.

Orders are taken in the order of the stream; each costs a dictionary lookup by lease and, where it changes a pool, one
event. What follows for replicas goes out as one batch for each of them when the whole request has been taken.
"""

from collections.abc import Awaitable, Callable

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import AssignRequest, PlaceAttempt, RevokeLease
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import Aborted, PlatformError
from flyteplane.reuse_pool.application.continuity import Continuity
from flyteplane.reuse_pool.application.effect_runner import EffectRunner
from flyteplane.reuse_pool.application.outbox import Outbox
from flyteplane.reuse_pool.application.pool_keeper import PoolKeeper
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.sessions import Held, OpenPool
from flyteplane.reuse_pool.domain import attempt_events
from flyteplane.reuse_pool.domain.attempt import Attempt, Stage


class SchedulerSide:
    """Takes the requests of the one Assign stream that is current."""

    def __init__(
        self,
        registry: Registry,
        *,
        keeper: PoolKeeper,
        runner: EffectRunner,
        continuity: Continuity,
        settled: Callable[[], None],
        note_epoch: Callable[[int], Awaitable[None]],
        epoch: int,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._keeper = keeper
        self._runner = runner
        self._continuity = continuity
        self._settled = settled
        self._note_epoch = note_epoch
        self._epoch = epoch
        self._clock = clock

    async def admit(self, epoch: int) -> None:
        """Let the scheduler of an epoch speak, and none before it ever again. Raises Aborted (FENCED)."""
        if epoch > self._epoch:
            self._epoch = epoch
            await self._note_epoch(epoch)
        if epoch < self._epoch:
            raise Aborted(f"the scheduler of epoch {epoch} was followed by that of {self._epoch}", reason="FENCED")

    def attach(self) -> Outbox:
        """A stream was opened: it takes over from any other, and is told what ended while nobody listened, what the
        pool still holds, and what was not acknowledged."""
        registry = self._registry
        outbox, registry.unheard = registry.unheard, Outbox()
        if registry.outbox is not None:
            registry.outbox.close()
            outbox.take_ends(registry.outbox)
        registry.outbox = outbox
        held = registry.held.values()
        running = [entry.attempt.lease for entry in held if entry.session is not None]
        outbox.resumed(
            running=[*running, *self._continuity.expected],
            waiting=[entry.attempt.lease for entry in held if entry.session is None],
        )
        for entry in held:
            if entry.attempt.stage is not Stage.STOPPING:
                self._repeat(entry, outbox)
        for pool in registry.pools.values():
            if pool.told_trouble:
                outbox.trouble(pool.state.name, pool.told_trouble)
        return outbox

    def detach(self, outbox: Outbox) -> None:
        """A stream has ended. Replicas go on; what they say is kept as far as it has to be said again."""
        outbox.close()
        if self._registry.outbox is outbox:
            self._registry.outbox = None
            self._registry.unheard.take_ends(outbox)

    def receive(self, request: AssignRequest) -> None:
        """Take one batch."""
        now = self._clock.monotonic()
        for order in request.orders:
            kind = order.WhichOneof("order")
            if kind == "forward":
                self._forward(order.forward, now)
            elif kind == "place":
                self._place(order.place, now)
            elif kind == "revoke":
                self._revoke_lease(order.revoke, now)
            elif kind == "declare_task":
                self._registry.catalogue.declare_task(order.declare_task)
            elif kind == "declare_run":
                self._registry.catalogue.declare_run(order.declare_run)
            elif kind == "declare_pool":
                self._registry.catalogue.declare_pool(order.declare_pool)
                self._keeper.open(order.declare_pool)
            elif kind == "settled":
                self._continuity.settle()
                self._settled()
        self._registry.flush()

    def _repeat(self, held: Held, outbox: Outbox) -> None:
        for report in held.unacknowledged():
            if report.HasField("submit"):
                telling = self._registry.catalogue.telling(report.submit.task_digest)
                if telling is not None:
                    outbox.forward(telling)
            outbox.forward(report)

    def _place(self, place: PlaceAttempt, now: float) -> None:
        registry, lease, assign = self._registry, place.lease, place.assign
        known = registry.held.get(lease)
        if known is not None:
            if known.session is not None and registry.outbox is not None:
                registry.outbox.placed(lease, known.session.replica.name, known.attempt.slot.value)
            return
        if place.resumed:
            self._expect(place)
            return
        try:
            pool = self._keeper.for_attempt(place.pool)
        except PlatformError as error:
            self._refuse(lease, error.reason, error.public_text, retryable=False)
            return
        task, run = registry.catalogue.task(assign.task_digest), registry.catalogue.run(assign.run)
        if pool is None or task is None or run is None:
            missing = "pool" if pool is None else "task" if task is None else "run"
            self._refuse(lease, "NOT_DECLARED", f"the {missing} is not declared; declare it again", retryable=True)
            return
        run_key, action = assign.run, assign.action
        exclusive = not place.is_async or registry.blame.is_suspect(run_key, action)
        attempt = Attempt(lease=lease, pool=pool.state.name, run=run_key, action=action, exclusive=exclusive)
        registry.held[lease] = Held(
            attempt=attempt, pool=pool, assign=assign, declare_task=task, declare_run=run, token_made_at=now
        )
        self._runner.run(pool, attempt_events.place(pool.state, attempt, now=now))

    def _expect(self, place: PlaceAttempt) -> None:
        catalogue, assign = self._registry.catalogue, place.assign
        task, run = catalogue.task(assign.task_digest), catalogue.run(assign.run)
        if task is None or run is None:
            self._refuse(place.lease, "NOT_DECLARED", "run or task is not declared; declare it again", retryable=True)
        else:
            self._continuity.expect(place, task, run)

    def _forward(self, order: WorkerOrder, now: float) -> None:
        held = self._registry.held.get(order.lease)
        if held is None:
            if order.HasField("lease_revoked"):
                self._continuity.withdraw(order.lease)
            return
        kind = order.WhichOneof("order")
        if kind == "lease_revoked":
            # The worker would stop and say nothing more, and nobody would know when its slot is free.
            self._revoke(held, order.lease_revoked.reason, self._registry.settings.revoked_grace_s, now)
            return
        session = held.session
        if session is None:
            return
        if kind == "result":
            call = order.result.call
            attempt_events.answered(held.pool.state, held.attempt, call)
            if held.submits:
                held.submits.pop(call, None)
        elif kind == "output_stored":
            held.output_stored(order.output_stored.position)
        elif kind == "end_accepted" and held.attempt.stage is Stage.ENDED:
            del self._registry.held[order.lease]
            attempt_events.accepted(held.pool.state, held.attempt)
        if not session.given_up:
            session.orders.append(order)
            self._registry.to_flush[session] = None

    def _revoke_lease(self, revoke: RevokeLease, now: float) -> None:
        held = self._registry.held.get(revoke.lease)
        if held is not None:
            grace_s = revoke.grace.ToNanoseconds() / 1e9 if revoke.HasField("grace") else None
            self._revoke(held, revoke.reason, grace_s, now)
        else:
            self._continuity.withdraw(revoke.lease)

    def _revoke(self, held: Held, reason: str, grace_s: float | None, now: float) -> None:
        pool: OpenPool = held.pool
        self._runner.run(pool, attempt_events.revoke(pool.state, held.attempt, reason, grace_s=grace_s, now=now))

    def _refuse(self, lease: int, reason: str, message: str, *, retryable: bool) -> None:
        self._registry.ends.refused(lease, reason, message, retryable=retryable)
