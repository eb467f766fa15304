"""Whatever happens in whatever order, the promises of a pool hold, and everything comes to an end.

The world checks at every step that slots are never given twice; here is what has to hold between steps and in the end.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.reuse_pool.pool_world import Lease, PoolWorld

from flyteplane.reuse_pool.domain import administration
from flyteplane.reuse_pool.domain.attempt import Stage
from flyteplane.reuse_pool.domain.policy import PoolPolicy, PoolSettings
from flyteplane.reuse_pool.domain.replica import ReplicaState

OVERFLOW_LIMIT = 4
RUNS = st.sampled_from(["red", "green", "blue"])
PICK = st.integers(0, 1_000_000)
FINAL = ("ended", "revoked", "lost:", "refused:")


@st.composite
def policies(draw: st.DrawFn) -> PoolPolicy:
    least = draw(st.integers(0, 3))
    return PoolPolicy(
        min_replicas=least,
        max_replicas=draw(st.integers(max(1, least), 4)),
        concurrency=draw(st.sampled_from([1, 1, 2, 5])),
        idle_ttl_s=60.0,
        scaledown_ttl_s=30.0,
    )


class PoolSimulation(RuleBasedStateMachine):
    """Two pools that share a call graph, with replicas that come, go and die."""

    world: PoolWorld

    @initialize(first=policies(), second=policies())
    def open(self, first: PoolPolicy, second: PoolPolicy) -> None:
        self.world = PoolWorld(
            first, second, settings=PoolSettings(overflow_limit=OVERFLOW_LIMIT, lent_limit=6, recycle_after_tasks=20)
        )

    def chosen(self, leases: list[Lease], pick: int) -> Lease:
        return leases[pick % len(leases)]

    @rule(run=RUNS, is_async=st.booleans(), second=st.booleans())
    def place(self, run: str, is_async: bool, second: bool) -> None:
        self.world.place(pool=self.world.pools[second], run=run, is_async=is_async)

    @rule(run=RUNS, number=st.integers(0, 3))
    def place_again(self, run: str, number: int) -> None:
        """The same action as before under a new lease, as after a loss."""
        name = f"again{number}"
        if not any(lease.attempt.action == name and not lease.outcome for lease in self.world.leases.values()):
            self.world.place(pool=self.world.pools[0], run=run, action=name, is_async=True)

    @precondition(lambda self: self.world.placed())
    @rule(pick=PICK, is_async=st.booleans(), second=st.booleans(), count=st.integers(1, 4))
    def call(self, pick: int, is_async: bool, second: bool, count: int) -> None:
        parent = self.chosen(self.world.placed(), pick)
        for _ in range(count):
            if self.world.is_placed(parent):
                self.world.call(parent, pool=self.world.pools[second], is_async=is_async)

    @precondition(lambda self: self.world.placed())
    @rule(pick=PICK)
    def call_elsewhere(self, pick: int) -> None:
        self.world.call_elsewhere(self.chosen(self.world.placed(), pick))

    @precondition(lambda self: self.elsewhere())
    @rule(pick=PICK)
    def answer_from_elsewhere(self, pick: int) -> None:
        parent = self.chosen(self.elsewhere(), pick)
        self.world.answer(parent, next(call for call, child in parent.children.items() if child is None))

    def elsewhere(self) -> list[Lease]:
        return [lease for lease in self.world.placed() if None in lease.children.values()]

    @precondition(lambda self: self.at_work())
    @rule(pick=PICK)
    def end(self, pick: int) -> None:
        self.world.end(self.chosen(self.at_work(), pick))

    def at_work(self) -> list[Lease]:
        """Attempts whose code may end now; those revoked may take their time."""
        return [
            lease
            for body in self.world.bodies.values()
            for lease in map(self.world.leases.__getitem__, body.leases)
            if not lease.children or lease.revoked
        ]

    @precondition(lambda self: self.world.placed())
    @rule(pick=PICK)
    def end_without_waiting_for_children(self, pick: int) -> None:
        lease = self.chosen(self.world.placed(), pick)
        self.world.end(lease)

    @precondition(lambda self: self.unaccepted())
    @rule(pick=PICK)
    def accept(self, pick: int) -> None:
        self.world.accept(self.chosen(self.unaccepted(), pick))

    def unaccepted(self) -> list[Lease]:
        return [lease for lease in self.world.leases.values() if lease.outcome == "ended" and not lease.accepted]

    @precondition(lambda self: self.world.leases)
    @rule(pick=PICK, grace_s=st.sampled_from([None, 0.0, 3.0]))
    def revoke(self, pick: int, grace_s: float | None) -> None:
        lease = self.chosen(list(self.world.leases.values()), pick)
        if not lease.outcome or (lease.outcome == "ended" and not lease.accepted):
            self.world.revoke(lease, grace_s=grace_s)

    @precondition(lambda self: self.starting())
    @rule(pick=PICK)
    def hello(self, pick: int) -> None:
        names = self.starting()
        self.world.hello(names[pick % len(names)])

    @precondition(lambda self: self.starting())
    @rule(pick=PICK)
    def start_fails(self, pick: int) -> None:
        names = self.starting()
        self.world.start_fails(names[pick % len(names)])

    def starting(self) -> list[str]:
        return [body.replica.name for body in self.world.bodies.values() if not body.warm]

    @precondition(lambda self: self.world.bodies)
    @rule(pick=PICK, how=st.sampled_from(["signal", "exit", "unknown"]))
    def dies(self, pick: int, how: str) -> None:
        names = list(self.world.bodies)
        name = names[pick % len(names)]
        self.world.dies(name, exit_code=how == "exit", signal=9 if how == "signal" else 0, known=how != "unknown")

    @precondition(lambda self: self.world.bodies)
    @rule(pick=PICK)
    def falls_silent(self, pick: int) -> None:
        names = list(self.world.bodies)
        self.world.advance(19, silent=[names[pick % len(names)]])

    @rule(seconds=st.sampled_from([0.1, 0.3, 1.0, 6.0, 31.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(second=st.booleans(), how=st.sampled_from(["drain", "supersede"]))
    def drain(self, second: bool, how: str) -> None:
        pool = self.world.pools[second]
        event = administration.drain if how == "drain" else administration.supersede
        self.world.run(pool, event(pool, now=self.world.now))

    @rule(second=st.booleans(), least=st.integers(0, 2), more=st.integers(0, 2))
    def resize(self, second: bool, least: int, more: int) -> None:
        pool = self.world.pools[second]
        most = max(1, least + more)
        effects = administration.resize(pool, min_replicas=least, max_replicas=most, now=self.world.now)
        self.world.run(pool, effects)

    @invariant()
    def replicas_are_within_bounds(self) -> None:
        for pool in self.world.pools:
            accepting = [replica for replica in pool.roster if replica.state is not ReplicaState.DRAINING]
            overflow = sum(replica.overflow for replica in accepting)
            assert overflow <= OVERFLOW_LIMIT
            assert len(accepting) - overflow <= pool.policy.max_replicas

    @invariant()
    def pool_and_world_agree(self) -> None:
        for pool in self.world.pools:
            for replica in pool.roster:
                body = self.world.bodies[replica.name]
                assert set(replica.attempts) == set(body.leases)
                at_work = [
                    lease for lease in map(self.world.leases.__getitem__, body.leases) if not lease.attempt.calls
                ]
                assert replica.running == len(at_work)
            live = [
                lease
                for lease in self.world.leases.values()
                if lease.pool is pool and lease.attempt.stage in (Stage.WAITING, Stage.PLACED, Stage.STOPPING)
            ]
            assert pool.live == len(live)
            waiting = {lease.attempt.lease for lease in live if lease.attempt.stage is Stage.WAITING}
            assert {attempt.lease for attempt in (*pool.exclusive, *pool.shared)} == waiting

    @invariant()
    def nothing_waits_beside_a_free_slot(self) -> None:
        for pool in self.world.pools:
            free = pool.roster.choose_shared()
            if pool.shared and free is not None:
                assert pool.exclusive, "a shared attempt waits although a replica has room"
            if pool.exclusive:
                assert pool.roster.choose_idle() is None

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.everything_comes_to_an_end()

    def everything_comes_to_an_end(self) -> None:
        world = self.world
        for _ in range(20 * len(world.leases) + 100):
            world.hello_all()
            for parent in self.elsewhere():
                for call in [call for call, child in parent.children.items() if child is None]:
                    world.answer(parent, call)
            for lease in self.at_work():
                if any(lease.attempt.lease in body.leases for body in world.bodies.values()):
                    world.end(lease)
            for lease in self.unaccepted():
                world.accept(lease)
            if all(lease.outcome for lease in world.leases.values()) and not self.unaccepted():
                break
            world.advance(1.0)
        stuck = [lease.attempt.lease for lease in world.leases.values() if not lease.outcome]
        assert not stuck, f"leases that never come to an end: {stuck}"
        assert all(lease.outcome.startswith(FINAL) for lease in world.leases.values())
        world.hello_all()
        world.advance(200.0)
        assert not world.bodies, "replicas are left after idle_ttl"
        assert all(pool.gone for pool in world.pools)
        assert world.graph.empty


TestPoolSimulation = PoolSimulation.TestCase
TestPoolSimulation.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
