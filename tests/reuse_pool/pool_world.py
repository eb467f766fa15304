"""A world for the domain of the reuse pool: it carries out effects on paper and checks each against the promises.

The world knows on its own which replica has said what and which lease is where, so that a pool that loses count is
found out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flyteplane.reuse_pool.domain import administration, attempt_events, deadlines, replica_events
from flyteplane.reuse_pool.domain.attempt import Attempt, Stage
from flyteplane.reuse_pool.domain.blame import BlameLedger
from flyteplane.reuse_pool.domain.call_graph import CallGraph
from flyteplane.reuse_pool.domain.effects import Assign, Cancel, Drain, Effect, Forget, Lose, Refuse, Start, Stop
from flyteplane.reuse_pool.domain.policy import PoolPolicy, PoolSettings
from flyteplane.reuse_pool.domain.pool_state import PoolState
from flyteplane.reuse_pool.domain.replica import Replica, ReplicaEnd, ReplicaState


@dataclass(eq=False)
class Body:
    """A replica as it really is."""

    pool: PoolState
    replica: Replica
    warm: bool = False
    drained: bool = False
    leases: dict[int, Attempt] = field(default_factory=dict)


@dataclass(eq=False)
class Lease:
    """What the scheduler knows of a lease."""

    attempt: Attempt
    pool: PoolState
    parent: Lease | None = None
    call: int = 0
    outcome: str = ""
    accepted: bool = False
    revoked: bool = False
    children: dict[int, Lease | None] = field(default_factory=dict)
    """Open calls; None for a child that runs elsewhere."""


class PoolWorld:
    """Pools, replicas and leases, with the time in its hands."""

    def __init__(self, *policies: PoolPolicy, settings: PoolSettings | None = None) -> None:
        self.now = 1000.0
        self.settings = settings or PoolSettings()
        self.graph = CallGraph()
        self.blame = BlameLedger(kills_to_quarantine=self.settings.kills_to_quarantine)
        self.bodies: dict[str, Body] = {}
        self.leases: dict[int, Lease] = {}
        self.effects: list[Effect] = []
        self.pools = [self._pool(f"pool{number}", policy) for number, policy in enumerate(policies)]
        for pool in self.pools:
            self.run(pool, administration.open_pool(pool, now=self.now))

    @property
    def pool(self) -> PoolState:
        """The only pool."""
        (pool,) = self.pools
        return pool

    def _pool(self, name: str, policy: PoolPolicy) -> PoolState:
        return PoolState(
            name=name,
            policy=policy,
            settings=self.settings,
            graph=self.graph,
            blame=self.blame,
            replica_prefix=name,
            idle_since=self.now,
        )

    # --- what happens ---------------------------------------------------------------------------------------------

    def place(
        self,
        *,
        pool: PoolState | None = None,
        run: str = "run",
        action: str = "",
        is_async: bool = False,
        parent: Lease | None = None,
    ) -> Lease:
        pool = pool or self.pool
        number = len(self.leases) + 1
        action = action or f"action{number}"
        exclusive = not is_async or self.blame.is_suspect(run, action)
        attempt = Attempt(lease=number, pool=pool.name, run=run, action=action, exclusive=exclusive)
        lease = self.leases[number] = Lease(attempt=attempt, pool=pool, parent=parent)
        self.run(pool, attempt_events.place(pool, attempt, now=self.now))
        return lease

    def call(self, parent: Lease, *, pool: PoolState | None = None, is_async: bool = False) -> Lease:
        """A placed attempt calls a child, which comes to a pool at once."""
        call = max(parent.children, default=0) + 1
        action = f"{parent.attempt.action}/{call}/{len(self.leases)}"
        self._called(parent, call, action)
        child = self.place(
            pool=pool or parent.pool, run=parent.attempt.run, action=action, is_async=is_async, parent=parent
        )
        child.call = call
        if child.outcome:
            self.answer(parent, call)
        else:
            parent.children[call] = child
        return child

    def call_elsewhere(self, parent: Lease) -> int:
        """A placed attempt calls a child that no pool sees."""
        call = max(parent.children, default=0) + 1
        self._called(parent, call, f"{parent.attempt.action}/elsewhere/{call}/{len(self.leases)}")
        parent.children[call] = None
        return call

    def _called(self, parent: Lease, call: int, action: str) -> None:
        assert self.is_placed(parent)
        parent.children[call] = None
        effects = attempt_events.called(parent.pool, parent.attempt, call, action, now=self.now)
        self.run(parent.pool, effects)

    def answer(self, parent: Lease, call: int) -> None:
        parent.children.pop(call, None)
        if not parent.outcome:
            attempt_events.answered(parent.pool, parent.attempt, call)

    def end(self, lease: Lease) -> None:
        """The code of an attempt ends."""
        body = self.body_of(lease)
        del body.leases[lease.attempt.lease]
        was_stopping = lease.attempt.stage is Stage.STOPPING
        if not was_stopping:
            self.finish(lease, "ended")
        self.run(lease.pool, attempt_events.ended(lease.pool, lease.attempt, now=self.now))

    def accept(self, lease: Lease) -> None:
        assert lease.outcome == "ended"
        if not lease.accepted:
            lease.accepted = True
            attempt_events.accepted(lease.pool, lease.attempt)

    def revoke(self, lease: Lease, *, grace_s: float | None = 5.0) -> None:
        lease.revoked = True
        effects = attempt_events.revoke(lease.pool, lease.attempt, "test", grace_s=grace_s, now=self.now)
        if lease.outcome == "ended":
            lease.accepted = True
        self.run(lease.pool, effects)

    def hello(self, name: str) -> None:
        body = self.bodies[name]
        body.warm = True
        self.run(body.pool, replica_events.hello(body.pool, body.replica, (), now=self.now))

    def hello_all(self) -> None:
        for body in list(self.bodies.values()):
            if not body.warm:
                self.hello(body.replica.name)

    def start_fails(self, name: str, *, permanent: bool = False) -> None:
        body = self.bodies.pop(name)
        effects = replica_events.start_failed(
            body.pool, body.replica, "NO_START", "no", permanent=permanent, now=self.now
        )
        self.run(body.pool, effects)

    def dies(self, name: str, *, exit_code: int = 0, signal: int = 9, known: bool = True) -> None:
        body = self.bodies.pop(name)
        end = ReplicaEnd(exit_code=exit_code, signal=signal, known=known)
        self.run(body.pool, replica_events.exited(body.pool, body.replica, end, now=self.now))

    def advance(self, seconds: float, *, silent: Sequence[str] = ()) -> None:
        """Let time pass; living replicas say that they live, but for the silent ones; ticks come when they are due."""
        until = self.now + seconds
        while self.now < until:
            due = min([pool.wake_at for pool in self.pools] + [self.now + 2.0, until])
            self.now = max(self.now, due)
            for body in self.bodies.values():
                if body.warm and body.replica.name not in silent:
                    body.replica.heard_at = self.now
            for pool in self.pools:
                if pool.wake_at <= self.now:
                    self.run(pool, deadlines.tick(pool, now=self.now))
            self.exit_drained()

    def exit_drained(self) -> None:
        """Drained replicas with nothing left exit by themselves."""
        for body in list(self.bodies.values()):
            if body.drained and not body.leases and body.replica.empty:
                self.dies(body.replica.name, signal=0)

    # --- what follows ---------------------------------------------------------------------------------------------

    def run(self, pool: PoolState, effects: Sequence[Effect]) -> None:
        self.effects.extend(effects)
        for effect in effects:
            match effect:
                case Assign():
                    self._assign(effect)
                case Start(replica):
                    assert replica.name not in self.bodies
                    self.bodies[replica.name] = Body(pool, replica)
                case Drain(replica):
                    self.bodies[replica.name].drained = True
                case Stop(replica):
                    self.bodies.pop(replica.name)
                case Cancel(attempt):
                    assert attempt.lease in self.bodies[effect.replica.name].leases
                case Lose(attempt):
                    self.finish(self.leases[attempt.lease], f"lost:{effect.reason}:{effect.culprit}")
                case Refuse(attempt):
                    self.finish(self.leases[attempt.lease], f"refused:{effect.reason}:{effect.retryable}")
                case Forget(attempt):
                    self._forget(attempt)

    def _assign(self, effect: Assign) -> None:
        attempt, replica = effect
        body = self.bodies[replica.name]
        assert body.warm, "given to a replica that has not said Hello"
        assert not body.drained, "given to a replica that drains"
        others = [self.leases[number] for number in body.leases]
        if attempt.exclusive:
            assert not others, "a synchronous attempt shares a replica"
        assert not any(other.attempt.exclusive for other in others), "shares with a synchronous attempt"
        at_work = [other for other in others if not other.children or other.revoked]
        assert len(at_work) < body.pool.policy.concurrency, "more at work than the concurrency allows"
        body.leases[attempt.lease] = attempt

    def _forget(self, attempt: Attempt) -> None:
        lease = self.leases[attempt.lease]
        assert lease.revoked
        if lease.outcome != "ended":
            self.finish(lease, "revoked")

    def finish(self, lease: Lease, outcome: str) -> None:
        """A lease is over, once; whoever waits for it is answered."""
        assert not lease.outcome, f"lease {lease.attempt.lease} was {lease.outcome} and is now {outcome}"
        lease.outcome = outcome
        if lease.parent is not None and lease.call in lease.parent.children:
            self.answer(lease.parent, lease.call)

    # --- questions ------------------------------------------------------------------------------------------------

    def body_of(self, lease: Lease) -> Body:
        """The replica that really runs a lease."""
        (body,) = [body for body in self.bodies.values() if lease.attempt.lease in body.leases]
        return body

    def is_placed(self, lease: Lease) -> bool:
        return not lease.outcome and lease.attempt.stage is Stage.PLACED

    def placed(self) -> list[Lease]:
        return [lease for lease in self.leases.values() if self.is_placed(lease)]

    def waiting(self) -> list[Lease]:
        return [lease for lease in self.leases.values() if not lease.outcome and lease.attempt.stage is Stage.WAITING]

    def replicas(self, state: ReplicaState | None = None) -> list[Replica]:
        return [body.replica for body in self.bodies.values() if state is None or body.replica.state is state]

    def taken(self, kind: type[Effect]) -> list[Effect]:
        """The effects of a kind since the last time, and forget all."""
        taken = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects.clear()
        return taken
