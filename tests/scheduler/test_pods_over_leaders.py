"""Attempts whose workers outlive the scheduler, over a cluster in memory: started once stored, adopted, fenced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.scheduler.harness import settle, task
from tests.scheduler.placements import KEY, Stage

from flyteapi.scheduler.v1.worker_service_pb2 import (
    AttemptEnded,
    AttemptStarted,
    Heartbeat,
    Hello,
    LogChunk,
    WorkerOrder,
    WorkerReport,
)
from flyteapi.task.v1.task_spec_pb2 import SecretRequest
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cluster.memory import MemoryCluster, MemoryWorker
from flyteplane.cluster.ports import CONTACT_MARGIN_S, ExitReason, PodConstraints, WorkerStage
from flyteplane.foundation.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from flyteplane.rpc.tokens import DEFAULT_TTL_S, TokenExpired, TokenMinter, TokenVerifier, attempt_token_mint
from flyteplane.scheduler.clients.fresh_workers import POD_GRACE_S, FreshWorkers
from flyteplane.scheduler.clients.provisions import Provisions
from flyteplane.scheduler.clients.sweeper import sweep_for_ever
from flyteplane.scheduler.clients.worker_sessions import WorkerSession, WorkerSessions
from flyteplane.scheduler.domain.phases import Phase

CONTACT_S = 30.0
TOKEN_KEY = bytes(range(32))


class Channel:
    """What a pod hears."""

    def __init__(self) -> None:
        self.heard: list[WorkerOrder] = []
        self.closed = False

    def send(self, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        self.heard.extend(orders)

    def close(self) -> None:
        """See the port."""
        self.closed = True

    def tokens(self) -> list[str]:
        """The tokens that it was given, in order."""
        return [order.token_renewed.token for order in self.heard if order.HasField("token_renewed")]

    def kinds(self) -> list[str]:
        """What it was told."""
        return [str(order.WhichOneof("order")) for order in self.heard]


class Pods:
    """A cluster of pods under one scheduler after another."""

    def __init__(self, folder: Path) -> None:
        self.cluster = MemoryCluster(name="prod", outlives_owner=True, contact_s=CONTACT_S)
        self.leads = True
        self.stage = Stage(folder, self._make, clusters=[self.cluster])
        self.fresh: FreshWorkers
        self.sessions: WorkerSessions

    def _make(self, stage: Stage) -> dict[str, FreshWorkers]:
        self.minter = TokenMinter(TOKEN_KEY, clock=stage.clock)
        self.fresh = FreshWorkers(
            engine=stage.scheduler.engine,
            clusters={"prod": self.cluster},
            constraints=lambda name: PodConstraints(),
            provisions=Provisions(
                secrets=stage.secrets,
                mint_token=attempt_token_mint(self.minter),
                bundle_path=stage.bundles.path,
                data_prefix="file:///data/",
            ),
            background=stage.scheduler.background,
        )
        self.verifier = TokenVerifier(TOKEN_KEY, clock=stage.clock)
        self.sessions = WorkerSessions(self.fresh, verifier=self.verifier, leads=lambda: self.leads, clock=stage.clock)
        return {"fresh": self.fresh}

    @property
    def pod(self) -> MemoryWorker:
        """The only pod."""
        (pod,) = self.cluster.workers.values()
        return pod

    @property
    def lease(self) -> int:
        """Of the root's attempt."""
        attempt = self.stage.action().attempt
        assert attempt is not None
        return attempt.lease

    async def next_leader(self) -> None:
        """The scheduler is killed, and another one begins."""
        self.stage.scheduler.engine.timers.close()
        await self.stage.scheduler.background.stop()
        await self.fresh.close()
        await self.stage.start()

    def hello(self, *, running: bool = False, token: str = "") -> tuple[WorkerSession, Channel]:
        """The pod opens a stream, with the token of its start or another."""
        channel = Channel()
        leases = [self.lease] if running else []
        hello = Hello(token=token or self.pod.spec.token, protocol=1, running=leases)
        return self.sessions.open(hello, channel), channel

    async def run(self) -> tuple[WorkerSession, Channel]:
        """The pod connects and begins its attempt."""
        session, channel = self.hello()
        await settle()
        session.received([WorkerReport(lease=self.lease, started=AttemptStarted())])
        await settle()
        return session, channel

    async def succeed(self, session: WorkerSession) -> None:
        """The attempt returns."""
        ended = AttemptEnded(outputs=Payload(inline=b"out"))
        session.received([WorkerReport(lease=self.lease, ended=ended)])
        await settle()


@pytest.fixture
async def pods(tmp_path: Path) -> AsyncIterator[Pods]:
    pods = Pods(tmp_path)
    await pods.stage.start()
    yield pods
    await pods.stage.close()


async def test_a_pod_is_told_its_attempt_on_its_own_stream_and_runs_it(pods: Pods) -> None:
    spec = task()
    spec.secrets.append(SecretRequest(key="k", env_var="K"))
    await pods.stage.submit(spec)
    assert await pods.stage.phase() is Phase.WAITING_FOR_RESOURCES
    assert pods.stage.secrets.asked == [], "secrets are resolved for a worker that is there, and not before"
    session, channel = await pods.run()
    assert channel.kinds() == ["declare_run", "declare_task", "assign"]
    assert dict(channel.heard[-1].assign.secret_env) == {"K": b"hidden"}
    assert await pods.stage.phase() is Phase.RUNNING
    await pods.succeed(session)
    assert channel.kinds()[-1] == "end_accepted"
    assert await pods.stage.phase() is Phase.SUCCEEDED


async def test_a_pod_is_started_only_once_its_placement_is_stored(pods: Pods) -> None:
    stored: list[int] = []
    start = pods.cluster.start

    async def watched(spec, sink):  # type: ignore[no-untyped-def]
        stored.append((await pods.stage.scheduler.queries.get(KEY, "a0")).action.phase)
        await start(spec, sink)

    pods.cluster.start = watched  # type: ignore[method-assign]
    await pods.stage.submit(task())
    assert stored == [Phase.WAITING_FOR_RESOURCES.value]


async def test_the_next_leader_adopts_a_pod_that_runs_and_takes_its_result(pods: Pods) -> None:
    await pods.stage.submit(task())
    await pods.run()
    pod, lease = pods.pod, pods.lease
    await pods.next_leader()
    assert pods.lease == lease
    assert await pods.stage.phase() is Phase.RUNNING
    session, channel = pods.hello(running=True)
    await settle()
    assert channel.kinds() == [], "it has its attempt already"
    await pods.succeed(session)
    assert await pods.stage.phase() is Phase.SUCCEEDED
    assert len(pods.cluster.started) == 1
    assert pod.exited is None


async def test_a_pod_is_told_when_much_of_its_output_is_stored(pods: Pods) -> None:
    await pods.stage.submit(task())
    session, channel = await pods.run()
    for position in (1, 40_001):
        session.received([WorkerReport(lease=pods.lease, log=LogChunk(data=b"x" * 40_000, position=position))])
    stored = channel.heard[-1]
    assert (stored.lease, stored.output_stored.position) == (pods.lease, 80_000)


async def test_the_next_leader_starts_the_pod_that_the_one_before_it_only_stored(pods: Pods) -> None:
    pods.cluster.unreachable = "the API server is away"
    await pods.stage.submit(task())
    await pods.next_leader()
    assert not pods.cluster.workers
    pods.cluster.unreachable = ""
    await pods.stage.advance(1.0)
    assert len(pods.cluster.started) == 1
    session, _ = await pods.run()
    await pods.succeed(session)
    assert await pods.stage.phase() is Phase.SUCCEEDED


async def test_a_pod_that_is_gone_when_the_next_leader_comes_is_a_failure_of_the_infrastructure(pods: Pods) -> None:
    await pods.stage.submit(task())
    await pods.run()
    pods.cluster.workers.clear()
    await pods.next_leader()
    assert pods.stage.state().task_failures == 0
    assert pods.stage.state().system_failures == 1
    assert pods.stage.state().failure.code == "WORKER_LOST"  # type: ignore[union-attr]


async def test_an_api_server_that_is_away_delays_and_never_fails(pods: Pods) -> None:
    pods.cluster.unreachable = "connection refused"
    await pods.stage.submit(task())
    for _ in range(100):
        await pods.stage.advance(30.0)
    state = pods.stage.state()
    assert (state.attempt, state.system_failures) == (1, 0)
    assert "connection refused" in state.reason
    pods.cluster.unreachable = ""
    await pods.stage.advance(30.0)
    assert pods.pod


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidArgument("spec.containers: Required value", reason="INVALID_POD"), "INVALID_POD"),
        (NotFound("there is no pod template 'gpu'", reason="NO_TEMPLATE"), "NO_TEMPLATE"),
    ],
)
async def test_a_pod_that_the_cluster_refuses_for_good_fails_at_once(pods: Pods, error: Exception, code: str) -> None:
    pods.cluster.refusal = error
    await pods.stage.submit(task(retries=5))
    assert await pods.stage.phase() is Phase.FAILED
    assert await pods.stage.error_code() == code
    assert len(pods.stage.scheduler.engine.attempts) == 0


async def test_a_used_up_quota_of_the_cluster_is_waited_for_and_said(pods: Pods) -> None:
    pods.cluster.refusal = ResourceExhausted("exceeded quota: cpu", reason="QUOTA_EXCEEDED")
    await pods.stage.submit(task())
    await pods.stage.advance(5.0)
    assert "exceeded quota" in pods.stage.state().reason
    assert pods.stage.state().attempt == 1
    pods.cluster.refusal = None
    await pods.stage.advance(20.0)
    assert pods.pod


async def test_what_the_cluster_says_of_a_pod_is_the_reason_of_its_action(pods: Pods) -> None:
    await pods.stage.submit(task())
    pods.pod.tell(WorkerStage.WAITING, reason="Unschedulable", message="0/3 nodes are available")
    await settle()
    assert pods.stage.state().reason == "Unschedulable: 0/3 nodes are available"
    assert await pods.stage.phase() is Phase.WAITING_FOR_RESOURCES
    pods.pod.tell(WorkerStage.STARTING, node="node-1")
    await settle()
    assert await pods.stage.phase() is Phase.INITIALIZING
    assert pods.stage.state().reason == ""
    assert pods.fresh.whereabouts(pods.lease) == ("node-1", "")


async def test_silence_beyond_the_contact_time_gives_the_attempt_to_another(pods: Pods) -> None:
    await pods.stage.submit(task())
    session, _ = await pods.run()
    first = pods.lease
    await pods.stage.advance(CONTACT_S - 1)
    session.received([WorkerReport(heartbeat=Heartbeat(sequence=1))])
    await pods.stage.advance(CONTACT_S + CONTACT_MARGIN_S - 1)
    assert pods.lease == first, "it was heard in between"
    await pods.stage.advance(2.0)
    assert pods.stage.state().failure.code == "CONTACT_LOST"  # type: ignore[union-attr]
    await pods.stage.advance(1.0)
    assert pods.lease != first
    with pytest.raises(FailedPrecondition):
        pods.fresh.connect(first, Channel(), running=True)


async def test_a_new_leader_gives_every_pod_the_whole_contact_time(pods: Pods) -> None:
    await pods.stage.submit(task())
    await pods.run()
    await pods.stage.advance(CONTACT_S)
    await pods.next_leader()
    lease = pods.lease
    await pods.stage.advance(CONTACT_S)
    session, _ = pods.hello(running=True)
    await pods.stage.advance(CONTACT_S)
    assert pods.lease == lease
    await pods.succeed(session)
    assert await pods.stage.phase() is Phase.SUCCEEDED


async def test_a_heartbeat_is_answered_only_by_a_scheduler_that_leads(pods: Pods) -> None:
    await pods.stage.submit(task())
    session, channel = await pods.run()
    session.received([WorkerReport(heartbeat=Heartbeat(sequence=7))])
    assert channel.heard[-1].heartbeat_answer.sequence == 7
    pods.leads = False
    session.received([WorkerReport(heartbeat=Heartbeat(sequence=8))])
    assert channel.heard[-1].heartbeat_answer.sequence == 7


async def test_a_pod_may_speak_for_its_own_attempt_only(pods: Pods) -> None:
    await pods.stage.submit(task())
    session, channel = await pods.run()
    session.received([WorkerReport(lease=pods.lease + 1, ended=AttemptEnded(outputs=Payload(inline=b"forged")))])
    await settle()
    assert channel.heard[-1].WhichOneof("order") == "lease_revoked"
    assert await pods.stage.phase() is Phase.RUNNING


async def test_a_pod_that_works_for_long_is_given_new_tokens_and_old_ones_are_of_no_use(pods: Pods) -> None:
    await pods.stage.submit(task())
    session, channel = await pods.run()
    first = newest = pods.pod.spec.token
    for number in range(1, 200):
        session.received([WorkerReport(heartbeat=Heartbeat(sequence=number))])
        newest = (channel.tokens() or [first])[-1]
        pods.verifier.verify(newest)
        pods.stage.clock.advance(20.0)
    claims = pods.verifier.verify(newest)
    assert (claims.run, claims.action, claims.lease, claims.secrets) == (KEY.name, "a0", pods.lease, frozenset())
    assert claims.expires_at - pods.stage.clock.now() > DEFAULT_TTL_S / 2
    assert len(channel.tokens()) <= 4000 / (DEFAULT_TTL_S / 4) + 1
    with pytest.raises(TokenExpired):
        pods.hello(running=True, token=first)
    await pods.next_leader()
    with pytest.raises(TokenExpired):
        pods.hello(running=True, token=first)
    session, channel = pods.hello(running=True, token=newest)
    await settle()
    await pods.succeed(session)
    assert await pods.stage.phase() is Phase.SUCCEEDED


async def test_a_pod_that_waited_long_for_its_node_begins_with_a_new_token(pods: Pods) -> None:
    await pods.stage.submit(task())
    pods.stage.clock.advance(DEFAULT_TTL_S * 100)
    _, channel = await pods.run()
    assert channel.kinds() == ["token_renewed", "declare_run", "declare_task", "assign"]
    assert pods.verifier.verify(channel.tokens()[0]).lease == pods.lease
    # The old one is of use to nobody any more.
    with pytest.raises(TokenExpired):
        pods.hello(running=True)


async def test_who_does_not_lead_renews_no_token(pods: Pods) -> None:
    await pods.stage.submit(task())
    session, channel = await pods.run()
    pods.leads = False
    pods.stage.clock.advance(DEFAULT_TTL_S / 2)
    session.received([WorkerReport(heartbeat=Heartbeat(sequence=1))])
    assert channel.tokens() == []
    pods.leads = True
    session.received([WorkerReport(heartbeat=Heartbeat(sequence=2))])
    assert len(channel.tokens()) == 1


async def test_a_token_that_is_not_ours_opens_nothing(pods: Pods) -> None:
    await pods.stage.submit(task())
    with pytest.raises(Unauthenticated):
        pods.sessions.open(Hello(token="forged"), Channel())


async def test_a_second_process_of_a_begun_attempt_is_turned_away(pods: Pods) -> None:
    await pods.stage.submit(task())
    await pods.run()
    with pytest.raises(FailedPrecondition) as caught:
        pods.hello(running=False)
    assert caught.value.reason == "ATTEMPT_BEGUN"


async def test_a_stream_that_is_opened_again_replaces_the_one_before_it(pods: Pods) -> None:
    await pods.stage.submit(task())
    _, first = await pods.run()
    session, second = pods.hello(running=True)
    assert first.closed
    await pods.succeed(session)
    assert second.kinds() == ["end_accepted"]


@pytest.mark.parametrize(
    ("reason", "code", "charged"),
    [
        (ExitReason.EVICTED, "WORKER_EVICTED", 0),
        (ExitReason.PREEMPTED, "WORKER_PREEMPTED", 0),
        (ExitReason.NODE_LOST, "NODE_LOST", 0),
        (ExitReason.POD_DELETED, "POD_DELETED", 0),
        (ExitReason.IMAGE_PULL_FAILED, "IMAGE_PULL_FAILED", 0),
        (ExitReason.SIDECAR_FAILED, "SIDECAR_FAILED", 1),
    ],
)
async def test_the_reason_of_a_pods_end_decides_whose_budget_it_is(
    pods: Pods, reason: ExitReason, code: str, charged: int
) -> None:
    await pods.stage.submit(task(retries=1))
    await pods.run()
    pods.pod.exit(reason=reason, message="says the cluster")
    await settle()
    state = pods.stage.state()
    assert state.failure is not None
    assert state.failure.code == code
    assert state.task_failures == charged
    assert state.system_failures == 1 - charged


@pytest.mark.parametrize("reason", [ExitReason.IMAGE_NOT_FOUND, ExitReason.CONTAINER_REFUSED])
async def test_what_no_other_attempt_can_mend_ends_the_action(pods: Pods, reason: ExitReason) -> None:
    await pods.stage.submit(task(retries=5))
    pods.pod.exit(reason=reason)
    await settle()
    assert await pods.stage.phase() is Phase.FAILED


def _refuse_stops_at_first(pods: Pods) -> None:
    """The API server is away for the first two requests to stop a pod."""
    stop, refusals = pods.cluster.stop, [Unavailable("away"), Unavailable("away")]

    async def away_at_first(name: str, *, grace_s: float) -> None:
        if refusals:
            raise refusals.pop()
        await stop(name, grace_s=grace_s)

    pods.cluster.stop = away_at_first  # type: ignore[method-assign]  # a cluster that is away for stops alone


async def test_an_abort_stops_the_pod_even_if_the_api_server_is_away_for_a_while(pods: Pods) -> None:
    await pods.stage.submit(task())
    await pods.run()
    pod = pods.pod
    _refuse_stops_at_first(pods)
    await pods.stage.scheduler.queries.abort(KEY, "a0", reason="enough")
    # It does not go by itself, though it is told to.
    await pods.stage.advance(POD_GRACE_S)
    await pods.stage.advance(1.0)
    await pods.stage.advance(1.0)
    assert pod.exited is not None


async def test_a_pod_without_its_secret_is_stopped_even_if_the_api_server_is_away(pods: Pods) -> None:
    spec = task()
    spec.secrets.append(SecretRequest(key="k", env_var="K"))
    await pods.stage.submit(spec)
    pod = pods.pod
    _refuse_stops_at_first(pods)
    pods.stage.secrets.error = NotFound("there is no secret k", reason="SECRET_NOT_FOUND")
    pods.hello()
    await settle()
    await pods.stage.advance(1.0)
    await pods.stage.advance(1.0)
    assert await pods.stage.phase() is Phase.FAILED
    assert pod.exited is not None


async def test_a_pod_that_is_told_to_end_is_not_deleted_before_it_could(pods: Pods) -> None:
    await pods.stage.submit(task())
    await pods.run()
    pod = pods.pod
    await pods.stage.scheduler.queries.abort(KEY, "a0", reason="enough")
    await pods.stage.advance(POD_GRACE_S / 2)
    assert pod.exited is None
    await pods.stage.advance(POD_GRACE_S)
    assert pod.exited is not None


async def test_pods_that_nobody_answers_for_are_found_and_stopped(pods: Pods) -> None:
    await pods.stage.submit(task())
    await pods.run()
    kept = pods.pod
    stray = MemoryWorker(kept.spec, kept.sink, lambda *_: (), lambda worker: None)
    pods.cluster.workers["stray"] = stray
    pods.stage.scheduler.background.start(
        sweep_for_ever(pods.fresh, [pods.cluster], clock=pods.stage.clock), name="sweep"
    )
    await settle()
    assert stray.exited is not None
    assert kept.exited is None


async def test_the_last_retry_of_an_interruptible_task_is_not_interruptible(pods: Pods) -> None:
    spec = task(retries=1)
    spec.interruptible = True
    await pods.stage.submit(spec)
    await pods.run()
    assert pods.pod.spec.pod is not None
    assert pods.pod.spec.pod.interruptible
    pods.pod.exit(code=1)
    await settle()
    await pods.stage.advance(10.0)
    await settle()
    assert pods.pod.spec.pod is not None
    assert not pods.pod.spec.pod.interruptible


async def test_a_leader_that_steps_down_hears_nothing_more_of_its_pods(pods: Pods) -> None:
    await pods.stage.submit(task())
    await pods.run()
    pod, engine = pods.pod, pods.stage.scheduler.engine
    await pods.fresh.close()
    pod.exit(code=3)
    await settle()
    assert list(engine.attempts) == [pods.lease], "its end is for the next leader to judge"
