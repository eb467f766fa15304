"""Replicas of an earlier life of the service, and the attempts that they still run.

This service knows the replicas from its register and of their attempts nothing; the scheduler knows the attempts and
not whether their replicas live. So what a replica says that comes back is kept until the scheduler has said what it
holds (`settle`). Then its Hello seats the attempts that the scheduler expects and stops every other, and what it said
since is handled as ever. Attempts that no replica has come back with, when none may come any more, are lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import PlaceAttempt
from flyteapi.scheduler.v1.worker_service_pb2 import Assign, AttemptStarted, WorkerOrder, WorkerReport
from flyteplane.observe import get_logger
from flyteplane.reuse_pool.application.sessions import Held
from flyteplane.reuse_pool.domain import attempt_events, continuity
from flyteplane.reuse_pool.domain.attempt import Attempt

if TYPE_CHECKING:
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.reuse_pool.application.effect_runner import EffectRunner
    from flyteplane.reuse_pool.application.registry import Registry
    from flyteplane.reuse_pool.application.sessions import Session

_log = get_logger("reuse_pool")

#: Why attempts are lost that are not held any more; charged to nobody.
LOST: Final = "PLATFORM_RESTARTED"
#: Output of a replica that waits to be judged is dropped beyond so many reports.
_MOST_KEPT: Final = 1000
_LOST_TEXT: Final = "The reuse pool was restarted, and the replica of this attempt did not outlive that."
_NOT_WANTED: Final = "the attempt is not current any more"


@dataclass(frozen=True, slots=True)
class _Expected:
    """An attempt that runs on some replica, as the scheduler says."""

    place: PlaceAttempt
    declare_task: WorkerOrder
    declare_run: WorkerOrder


class Continuity:
    """See the module."""

    def __init__(self, registry: Registry, *, runner: EffectRunner, clock: TimerClock) -> None:
        self._registry = registry
        self._runner = runner
        self._clock = clock
        self._expected: dict[int, _Expected] = {}
        self._returning: dict[str, Session] = {}
        self._settled = False

    @property
    def expected(self) -> Sequence[int]:
        """Leases that replicas may come back with."""
        return list(self._expected)

    # --- replicas -----------------------------------------------------------------------------------------------------

    def await_return(self, session: Session) -> None:
        """A replica of an earlier life may come back; until then, whatever it says is kept."""
        session.kept = []
        self._returning[session.replica.name] = session
        if not session.replica.returning:
            # As far as the register knows it has never worked. That it has may not have been written down any more, so
            # it is waited for like the others; for its attempts, not for itself.
            settings = session.pool.state.settings
            self._clock.call_later(settings.lease_time_s + settings.lease_margin_s, lambda: self.gone(session))

    def keep(self, session: Session, reports: Sequence[WorkerReport]) -> Sequence[WorkerReport]:
        """Keep what a replica says that cannot be judged yet. Returns what can be handled now."""
        kept = session.kept
        if kept is None:
            return reports
        now: list[WorkerReport] = []
        for report in reports:
            kind = report.WhichOneof("report")
            if kind == "heartbeat":
                now.append(report)
            elif kind == "hello":
                # On a new stream the replica says all again that matters.
                kept[:] = [*(said for said in kept if said.HasField("log")), report]
            elif kind != "log" or len(kept) < _MOST_KEPT:
                kept.append(report)
        return self.taken_back(session) if self._may_judge(session) else now

    def taken_back(self, session: Session) -> Sequence[WorkerReport]:
        """What was kept of a replica, its Hello first; nothing is kept from now on."""
        kept, session.kept = session.kept or [], None
        return sorted(kept, key=lambda report: not report.HasField("hello"))

    def ready(self) -> Sequence[Session]:
        """Replicas that have said Hello and can be judged now."""
        return [session for session in self._registry.sessions.values() if self._may_judge(session)]

    def _may_judge(self, session: Session) -> bool:
        said_hello = session.kept is not None and any(report.HasField("hello") for report in session.kept)
        return self._settled and said_hello and not session.awaits_secrets

    def claims(self, session: Session, lease: int) -> None:
        """A replica that is back runs this lease: it goes on if the scheduler expects it, and is stopped if not."""
        expected = self._expected.pop(lease, None)
        held = _resumed(session, lease, expected) if expected is not None else _unwanted(session, lease)
        self._registry.held[lease] = held
        continuity.seat(held.pool.state, held.attempt, session.replica)
        outbox = self._registry.outbox
        self._registry.continued["unwanted_attempts_stopped" if expected is None else "attempts_resumed"] += 1
        if expected is None:
            grace_s = self._registry.settings.revoked_grace_s
            effects = attempt_events.revoke(
                held.pool.state, held.attempt, _NOT_WANTED, grace_s=grace_s, now=self._clock.monotonic()
            )
            self._runner.run(held.pool, effects)
        elif outbox is not None and held.started is not None:
            outbox.placed(lease, session.replica.name)
            # That it began may have been said to the earlier life alone.
            outbox.forward(held.started)

    def gone(self, session: Session) -> None:
        """A replica is back, or never will be: it has ended, or its contact time is over."""
        if self._returning.pop(session.replica.name, None) is not None:
            self._lose_hopeless()

    # --- attempts -----------------------------------------------------------------------------------------------------

    def expect(self, place: PlaceAttempt, declare_task: WorkerOrder, declare_run: WorkerOrder) -> None:
        """The scheduler holds an attempt that this service does not."""
        self._expected[place.lease] = _Expected(place, declare_task, declare_run)
        self._lose_hopeless()

    def withdraw(self, lease: int) -> None:
        """The scheduler wants no more of an attempt."""
        self._expected.pop(lease, None)

    def settle(self) -> None:
        """The scheduler has said what it holds."""
        self._settled = True

    def _lose_hopeless(self) -> None:
        if self._returning or not self._expected:
            return
        expected, self._expected = self._expected, {}
        _log.info("earlier_attempts_lost", attempts=len(expected))
        self._registry.continued["attempts_lost_in_takeovers"] += len(expected)
        for lease in expected:
            self._registry.ends.lost(lease, LOST, _LOST_TEXT)


def _resumed(session: Session, lease: int, expected: _Expected) -> Held:
    place, assign, state = expected.place, expected.place.assign, session.pool.state
    attempt = Attempt(lease=lease, pool=state.name, run=assign.run, action=assign.action, exclusive=not place.is_async)
    return Held(
        attempt=attempt,
        pool=session.pool,
        assign=assign,
        declare_task=expected.declare_task,
        declare_run=expected.declare_run,
        session=session,
        started=WorkerReport(lease=lease, started=AttemptStarted()),
    )


def _unwanted(session: Session, lease: int) -> Held:
    """Of an attempt that nobody knows; it may be one that shares with nobody if it is alone."""
    state = session.pool.state
    exclusive = not session.replica.attempts
    attempt = Attempt(lease=lease, pool=state.name, run="", action=f"lease {lease}", exclusive=exclusive)
    nothing = WorkerOrder()
    return Held(
        attempt=attempt,
        pool=session.pool,
        assign=Assign(),
        declare_task=nothing,
        declare_run=nothing,
        session=session,
    )
