"""The replicas' half of the relay: what they say, and how they come and go.

A report is passed on if its lease is held by the very replica that speaks; any other is answered with LeaseRevoked.
"""

from collections.abc import Sequence
from typing import Final

from flyteapi.scheduler.v1.worker_service_pb2 import Hello, LeaseRevoked, WorkerOrder, WorkerReport
from flyteplane.cluster.ports import WorkerChannel, WorkerExit, WorkerProgress, WorkerStage
from flyteplane.foundation.clock import Clock
from flyteplane.observe import get_logger
from flyteplane.reuse_pool.application.continuity import Continuity
from flyteplane.reuse_pool.application.effect_runner import EffectRunner
from flyteplane.reuse_pool.application.endings import replica_end
from flyteplane.reuse_pool.application.pool_keeper import PoolKeeper
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.sessions import Held, Session
from flyteplane.reuse_pool.domain import attempt_events, replica_events
from flyteplane.reuse_pool.domain.attempt import Stage
from flyteplane.reuse_pool.domain.replica import ReplicaState

_log = get_logger("reuse_pool")

_NOT_HELD: Final = "the attempt is not current any more"


class ReplicaSide:
    """Listens to all replicas; the `WorkerSink` of each, wherever its messages come from."""

    def __init__(
        self,
        registry: Registry,
        *,
        keeper: PoolKeeper,
        runner: EffectRunner,
        continuity: Continuity,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._keeper = keeper
        self._runner = runner
        self._continuity = continuity
        self._clock = clock

    def opened(self, name: str, channel: WorkerChannel) -> None:
        """The replica can be spoken to."""
        session = self._registry.sessions.get(name)
        if session is not None:
            session.channel = channel

    def judge(self) -> None:
        """Handle what was kept of replicas that came back."""
        for session in self._continuity.ready():
            self.received(session.replica.name, self._continuity.taken_back(session))

    def closed(self, name: str, channel: WorkerChannel) -> None:
        """A stream over the network has ended; the replica may come back on a new one within its lease."""
        session = self._registry.sessions.get(name)
        if session is not None and session.channel is channel:
            session.channel = None

    def received(self, name: str, reports: Sequence[WorkerReport]) -> None:
        """The replica said something."""
        session = self._registry.sessions.get(name)
        if session is None or session.given_up:
            return
        now = self._clock.monotonic()
        session.replica.heard_at = now
        if session.kept is not None:
            reports = self._continuity.keep(session, reports)
        registry = self._registry
        for report in reports:
            lease = report.lease
            held = registry.held.get(lease) if lease else None
            if held is not None and held.session is session:
                self._of_attempt(held, report, now)
            elif lease and report.WhichOneof("report") != "declare_task":
                self._order(session, WorkerOrder(lease=lease, lease_revoked=LeaseRevoked(reason=_NOT_HELD)))
            else:
                self._of_replica(session, report, now)
        registry.flush()

    def progress(self, progress: WorkerProgress) -> None:
        """The replica's cluster says how its start comes along."""
        session = self._registry.sessions.get(progress.name)
        if session is None or session.given_up:
            return
        session.node = progress.node or session.node
        pool, replica = session.pool.state, session.replica
        why = f"{progress.reason}: {progress.message}" if progress.reason else ""
        if progress.stage is WorkerStage.WAITING:
            replica_events.waits_for_room(pool, replica, why)
        else:
            replica_events.has_place(pool, replica, now=self._clock.monotonic(), trouble=why)
        self._runner.run(session.pool, ())

    def output(self, name: str, data: bytes) -> None:
        """The replica wrote outside of any attempt."""
        session = self._registry.sessions.get(name)
        if session is not None and session.replica.state is ReplicaState.STARTING:
            session.wrote(data)

    def exited(self, exit: WorkerExit) -> None:
        """The replica has ended."""
        session = self._registry.sessions.pop(exit.name, None)
        if session is None:
            return
        end = replica_end(exit, is_pod=session.pool.on_pods, message=_last_words(session, exit.message))
        self._continuity.gone(session)
        pool = session.pool
        if not session.given_up and exit.name in pool.state.roster.by_name:
            effects = replica_events.exited(pool.state, session.replica, end, now=self._clock.monotonic())
            self._runner.run(pool, effects)
        self._keeper.replica_gone(session, session.end_reason or end.describe())
        self._registry.flush()

    def _of_attempt(self, held: Held, report: WorkerReport, now: float) -> None:
        """A report under a lease that the replica holds. The scheduler hears it before what follows from it."""
        kind = report.WhichOneof("report")
        attempt, pool, outbox = held.attempt, held.pool, self._registry.outbox
        if kind == "ended":
            self._ended(held, report, now)
            return
        if attempt.stage is Stage.STOPPING:
            return
        if outbox is not None:
            outbox.forward(report)
        if kind == "log":
            held.keep_output(report, heard=outbox is not None)
        elif kind == "submit":
            submit = report.submit
            call = submit.call
            if held.submits is None:
                held.submits = {}
            held.submits[call] = report
            effects = attempt_events.called(pool.state, attempt, call, submit.name, now=now)
            if effects:
                self._runner.run(pool, effects)
        elif kind == "cancel_call":
            call = report.cancel_call.call
            attempt_events.answered(pool.state, attempt, call)
            if held.submits:
                held.submits.pop(call, None)
        elif kind == "started":
            held.started = report
        elif kind == "declare_task":
            self._registry.catalogue.told(report)
        elif kind == "trace":
            held.traces = [*(held.traces or ()), report]

    def _ended(self, held: Held, report: WorkerReport, now: float) -> None:
        pool, attempt, outbox = held.pool, held.attempt, self._registry.outbox
        if attempt.stage is not Stage.STOPPING:
            held.end = report
            held.submits = None
            if outbox is not None:
                outbox.forward(report)
        self._runner.run(pool, attempt_events.ended(pool.state, attempt, now=now))

    def _of_replica(self, session: Session, report: WorkerReport, now: float) -> None:
        kind = report.WhichOneof("report")
        pool, replica = session.pool, session.replica
        if kind == "heartbeat":
            effects = replica_events.heartbeat(pool.state, replica, report.heartbeat.resident_bytes, now=now)
            self._runner.run(pool, effects)
        elif kind == "hello":
            self._hello(session, report.hello, now)
        elif kind == "declare_task":
            self._registry.catalogue.told(report)
            if self._registry.outbox is not None:
                self._registry.outbox.forward(report)

    def _hello(self, session: Session, hello: Hello, now: float) -> None:
        session.replica.process_id = hello.pid
        session.said_at_start = b""
        session.forget_introductions()
        was_starting = session.replica.state is ReplicaState.STARTING
        for lease in hello.running:
            held = self._registry.held.get(lease)
            if held is None and was_starting and session.replica.adopted:
                self._continuity.claims(session, lease)
            elif held is None or held.session is not session:
                self._order(session, WorkerOrder(lease=lease, lease_revoked=LeaseRevoked(reason=_NOT_HELD)))
        effects = replica_events.hello(session.pool.state, session.replica, set(hello.running), now=now)
        self._runner.run(session.pool, effects)
        self._continuity.gone(session)
        if was_starting:
            self._keeper.replica_is_warm(session)
            _log.info("replica_warm", replica=session.replica.name, pool=session.pool.state.name[:12])

    def _order(self, session: Session, order: WorkerOrder) -> None:
        session.orders.append(order)
        self._registry.to_flush[session] = None


def _last_words(session: Session, message: str) -> str:
    """What one that did not start has said helps; later its words are those of all its tasks, and nobody else's."""
    if session.replica.state is not ReplicaState.STARTING or session.replica.returning:
        return message.partition("\n")[0].rstrip(":")
    said = session.said_at_start.decode(errors="replace").strip()
    return f"{message}\n{said}".strip()
