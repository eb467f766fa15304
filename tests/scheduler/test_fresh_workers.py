"""Attempts on fresh workers, over a cluster without processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from tests.scheduler.harness import settle, task
from tests.scheduler.placements import KEY, Stage

from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import AttemptEnded, AttemptStarted, WorkerOrder, WorkerReport
from flyteapi.task.v1.task_spec_pb2 import SecretRequest
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cluster.memory import MemoryCluster, MemoryWorker
from flyteplane.cluster.ports import PodConstraints
from flyteplane.foundation.errors import InvalidArgument, NotFound, PermissionDenied, PlatformError, Unavailable
from flyteplane.scheduler.clients.fresh_workers import FreshWorkers
from flyteplane.scheduler.clients.provisions import Provisions
from flyteplane.scheduler.domain.phases import Phase

BUNDLE = "b" * 64


def _obedient(worker: MemoryWorker, order: WorkerOrder) -> Iterable[WorkerReport]:
    """Starts, and goes when its end was accepted."""
    if order.HasField("assign"):
        yield WorkerReport(lease=order.lease, started=AttemptStarted())
    elif order.HasField("end_accepted"):
        worker.exit()


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> MemoryCluster:
    """Of processes, or, where a test says so, of pods."""
    return MemoryCluster(_obedient, outlives_owner=getattr(request, "param", False))


@pytest.fixture
async def stage(tmp_path: Path, cluster: MemoryCluster) -> AsyncIterator[Stage]:
    def make(stage: Stage) -> dict[str, FreshWorkers]:
        fresh = FreshWorkers(
            engine=stage.scheduler.engine,
            clusters={"local": cluster},
            constraints=lambda name: PodConstraints(),
            provisions=Provisions(
                secrets=stage.secrets,
                mint_token=stage.token,
                bundle_path=stage.bundles.path,
                data_prefix="file:///data/",
            ),
            background=stage.scheduler.background,
        )
        return {"fresh": fresh}

    stage = Stage(tmp_path, make)
    await stage.start()
    yield stage
    await stage.close()


def _worker(cluster: MemoryCluster) -> MemoryWorker:
    (worker,) = cluster.workers.values()
    return worker


def _lease(worker: MemoryWorker) -> int:
    return next(order.lease for order in worker.received if order.HasField("assign"))


def _succeed(worker: MemoryWorker, data: bytes = b"out") -> None:
    worker.say(WorkerReport(lease=_lease(worker), ended=AttemptEnded(outputs=Payload(inline=data))))


async def test_a_worker_is_told_of_the_run_the_task_and_its_attempt(stage: Stage, cluster: MemoryCluster) -> None:
    spec = task()
    spec.entrypoint.bundle_digest = BUNDLE
    spec.env["NAME"] = "value"
    spec.resources.cpu, spec.resources.memory = "500m", "1Gi"
    settings = RunSettings(env={"NAME": "of the run", "OTHER": "of the run"})
    await stage.submit(spec, inputs=Payload(inline=b"in").SerializeToString(), settings=settings)
    worker = _worker(cluster)
    run, declared, assign = worker.received
    assert run.declare_run.key == "project/domain/r1"
    assert run.declare_run.data_prefix == "file:///data/project/domain/r1/"
    assert declared.declare_task.spec == spec
    assert declared.declare_task.bundle_path == f"/bundles/{BUNDLE}"
    assert (assign.assign.run, assign.assign.action, assign.assign.attempt) == ("project/domain/r1", "a0", 1)
    assert assign.assign.inputs.inline == b"in"
    assert assign.assign.attempt_token == "project/domain/r1/a0/1"
    assert worker.spec.env == {"NAME": "value", "OTHER": "of the run"}
    assert (worker.spec.cpu_millis, worker.spec.memory_bytes) == (500, 1 << 30)
    assert worker.spec.labels["action"] == "a0"
    assert stage.state().worker == worker.spec.name


async def test_a_worker_runs_one_attempt_and_goes(stage: Stage, cluster: MemoryCluster) -> None:
    await stage.submit(task())
    assert await stage.phase() is Phase.RUNNING
    worker = _worker(cluster)
    _succeed(worker, b"42")
    await settle()
    assert worker.exited is not None
    assert worker.received[-1].HasField("end_accepted")
    assert not cluster.workers
    assert await stage.phase() is Phase.SUCCEEDED
    assert (await stage.scheduler.queries.data(KEY, "a0")).outputs.inline == b"42"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"code": 3}, "WORKER_EXITED"),
        ({"code": 0}, "WORKER_EXITED"),
        ({"signal": 9, "out_of_memory": True}, "OUT_OF_MEMORY"),
    ],
)
async def test_a_worker_that_ends_by_itself_is_a_failure_of_its_task(
    stage: Stage, cluster: MemoryCluster, how: dict[str, int], code: str
) -> None:
    await stage.submit(task(retries=0))
    _worker(cluster).exit(**how)  # type: ignore[arg-type]
    await settle()
    assert await stage.phase() is Phase.FAILED
    assert await stage.error_code() == code


@pytest.mark.parametrize("how", [{"signal": 9}, {"known": False}])
async def test_a_worker_that_was_taken_away_is_replaced(
    stage: Stage, cluster: MemoryCluster, how: dict[str, int]
) -> None:
    await stage.submit(task(retries=0))
    first = _worker(cluster)
    first.exit(**how)  # type: ignore[arg-type]
    await settle()
    await stage.advance(1)
    second = _worker(cluster)
    assert second.spec.name != first.spec.name
    assert second.spec.labels["attempt"] == "2"
    _succeed(second)
    await settle()
    assert await stage.phase() is Phase.SUCCEEDED


async def test_a_cluster_that_is_away_is_tried_again(stage: Stage, cluster: MemoryCluster) -> None:
    cluster.refusal = Unavailable("the template is starting")
    await stage.submit(task(retries=0))
    assert stage.state().phase is Phase.QUEUED
    assert stage.state().system_failures == 1
    cluster.refusal = None
    await stage.advance(1)
    assert await stage.phase() is Phase.RUNNING


@pytest.mark.parametrize("error", [InvalidArgument("too large"), NotFound("no such secret"), PermissionDenied("no")])
async def test_what_can_never_be_started_ends_at_once(
    stage: Stage, cluster: MemoryCluster, error: PlatformError
) -> None:
    cluster.refusal = error
    await stage.submit(task(retries=5))
    assert await stage.phase() is Phase.FAILED
    assert await stage.error_code() == error.reason
    assert stage.scheduler.engine.attempts == {}


async def test_an_attempt_that_is_over_before_its_worker_is_ready_starts_none(
    stage: Stage, cluster: MemoryCluster
) -> None:
    stage.bundles.ready.clear()
    spec = task()
    spec.entrypoint.bundle_digest = BUNDLE
    await stage.submit(spec)
    await stage.scheduler.queries.abort(KEY, "a0", reason="enough")
    stage.bundles.ready.set()
    await settle()
    assert not cluster.started


async def test_an_abort_cancels_and_then_stops_the_worker(stage: Stage, cluster: MemoryCluster) -> None:
    await stage.submit(task())
    worker = _worker(cluster)
    await stage.scheduler.queries.abort(KEY, "a0", reason="enough")
    await settle()
    assert worker.exited is not None
    assert worker.exited.signal == 15
    assert await stage.phase() is Phase.ABORTED
    assert not cluster.workers


async def test_output_goes_to_the_log_of_the_attempt(stage: Stage, cluster: MemoryCluster) -> None:
    await stage.submit(task(retries=1))
    _worker(cluster).write(b"first words\n")
    _worker(cluster).exit(code=1)
    await settle()
    await stage.advance(1)
    _worker(cluster).write(b"second words\n")
    logs = stage.scheduler.logs
    assert await logs.read(KEY, "a0", 1, offset=0, limit=99) == b"first words\n"
    assert await logs.read(KEY, "a0", 2, offset=0, limit=99) == b"second words\n"


def _with_secret() -> SecretRequest:
    return SecretRequest(key="password", env_var="PASSWORD")


async def test_secrets_are_handed_over_with_the_attempt_and_kept_nowhere(stage: Stage, cluster: MemoryCluster) -> None:
    spec = task()
    spec.secrets.append(_with_secret())
    await stage.submit(spec)
    worker = _worker(cluster)
    assert dict(worker.received[-1].assign.secret_env) == {"PASSWORD": b"hidden"}
    assert stage.secrets.asked == ["project/domain/r1/a0/1"]
    (bearer,) = stage.secrets.bearers
    assert (bearer.run, bearer.action, bearer.attempt) == (KEY, "a0", 1)
    assert bearer.lease
    assert "hidden" not in str(worker.spec)
    assert not worker.sink.secret_env  # type: ignore[attr-defined]


async def test_a_secret_that_does_not_exist_ends_the_action(stage: Stage, cluster: MemoryCluster) -> None:
    stage.secrets.error = NotFound("there is no secret password", reason="SECRET_NOT_FOUND")
    spec = task(retries=3)
    spec.secrets.append(_with_secret())
    await stage.submit(spec)
    assert await stage.phase() is Phase.FAILED
    assert await stage.error_code() == "SECRET_NOT_FOUND"
    assert not cluster.started


@pytest.mark.parametrize("cluster", [True], indirect=True, ids=["pods"])
@pytest.mark.parametrize("error", [NotFound("no secret", reason="SECRET_NOT_FOUND"), Unavailable("away")])
async def test_a_pod_is_made_only_for_secrets_that_there_may_be(
    stage: Stage, cluster: MemoryCluster, error: PlatformError
) -> None:
    """Nobody waits for the pod of an attempt that can only be refused; a service that is away refuses nothing."""
    stage.secrets.error = error
    spec = task(retries=3)
    spec.secrets.append(_with_secret())
    await stage.submit(spec)
    is_missing = isinstance(error, NotFound)
    assert (await stage.phase() is Phase.FAILED) == is_missing
    assert bool(cluster.started) != is_missing


async def test_secrets_that_cannot_be_asked_for_now_are_asked_for_again(stage: Stage, cluster: MemoryCluster) -> None:
    stage.secrets.error = Unavailable("the secrets service is starting")
    spec = task()
    spec.secrets.append(_with_secret())
    await stage.submit(spec)
    stage.secrets.error = None
    await stage.advance(1)
    assert await stage.phase() is Phase.RUNNING


async def test_the_end_of_the_platform_is_charged_to_nobody(stage: Stage, cluster: MemoryCluster) -> None:
    """However often it is started anew: only what tasks and machines do counts."""
    await stage.submit(task(retries=0))
    for _ in range(5):
        worker = _worker(cluster)
        await stage.close()
        assert worker.exited is not None
        await stage.start()
    assert (stage.state().killed, stage.state().system_failures, stage.state().task_failures) == (0, 0, 0)
    _succeed(_worker(cluster))
    await settle()
    assert await stage.phase() is Phase.SUCCEEDED


async def test_while_the_platform_closes_no_worker_is_started(stage: Stage, cluster: MemoryCluster) -> None:
    await stage.submit(task())
    started = len(cluster.started)
    await stage.placements["fresh"].close()
    await stage.submit(task(), name="r2")
    await stage.advance(60)
    assert len(cluster.started) == started
