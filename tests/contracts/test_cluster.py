"""What every cluster promises to whoever starts workers on it, tested over its adapters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from tests.cluster.kubernetes.real import needs_kubernetes, real_cluster, real_namespace, shell
from tests.runner.owner import Owner, decode, encode
from tests.support.fake_kubernetes import FakeKubernetes

from flyteapi.scheduler.v1.worker_service_pb2 import AttemptEnded, Drained, WorkerOrder, WorkerReport
from flyteplane.cluster.kubernetes.adapter import KubernetesCluster
from flyteplane.cluster.kubernetes.settings import KubernetesSettings
from flyteplane.cluster.memory import MemoryCluster, MemoryWorker
from flyteplane.cluster.ports import Cluster, WorkerSpec
from flyteplane.cluster.process import ProcessCluster
from flyteplane.foundation.errors import Unavailable

SOURCE = """
import flyte

env = flyte.TaskEnvironment("env")


@env.task
async def double(x: int) -> int:
    print("doubling", x)
    return 2 * x
"""


@dataclass(slots=True)
class Bench:
    """A cluster to be tested, and another owner's view of the same one."""

    cluster: Cluster
    successor: Callable[[], Awaitable[Cluster]] | None = None
    """Set where workers outlive their owner."""


@asynccontextmanager
async def _memory(_folder: Path) -> AsyncIterator[Bench]:
    cluster = MemoryCluster(_script)
    yield Bench(cluster)
    await cluster.close()


@asynccontextmanager
async def _outliving_memory(_folder: Path) -> AsyncIterator[Bench]:
    cluster = MemoryCluster(_script, outlives_owner=True)

    async def successor() -> Cluster:
        return cluster

    yield Bench(cluster, successor)
    await cluster.close()


@asynccontextmanager
async def _process(folder: Path) -> AsyncIterator[Bench]:
    cluster = ProcessCluster(folder / "platform")
    yield Bench(cluster)
    await cluster.close()


@asynccontextmanager
async def _fake_kubernetes(folder: Path) -> AsyncIterator[Bench]:
    async with FakeKubernetes() as server, AsyncExitStack() as stack:

        async def one() -> Cluster:
            settings = KubernetesSettings(
                name="fake",
                kubeconfig=server.kubeconfig(folder),
                default_image="python:3.11-slim",
                worker_endpoints=("127.0.0.1:1",),
            )
            cluster = KubernetesCluster(settings)
            stack.push_async_callback(cluster.close)
            await cluster.open()
            return cluster

        yield Bench(await one(), one)


@asynccontextmanager
async def _kubernetes(_folder: Path) -> AsyncIterator[Bench]:
    async with real_namespace() as namespace, AsyncExitStack() as stack:

        async def one() -> Cluster:
            return await stack.enter_async_context(real_cluster(namespace))

        yield Bench(await one(), one)


_BENCHES = {
    "memory": _memory,
    "outliving-memory": _outliving_memory,
    "process": _process,
    "fake-kubernetes": _fake_kubernetes,
    "kubernetes": _kubernetes,
}
_ALL = [pytest.param(name, marks=needs_kubernetes) if name == "kubernetes" else pytest.param(name) for name in _BENCHES]


@pytest_asyncio.fixture(params=_ALL)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Each cluster in turn."""
    async with _BENCHES[request.param](tmp_path) as bench:
        yield bench


@pytest_asyncio.fixture
async def cluster(bench: Bench) -> Cluster:
    """Each cluster in turn."""
    return bench.cluster


@pytest_asyncio.fixture(params=["memory", "process"])
async def speaking_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Each cluster whose workers speak to their owner over a stream that they inherit."""
    async with _BENCHES[request.param](tmp_path) as bench:
        yield bench.cluster


@pytest_asyncio.fixture(
    params=["outliving-memory", "fake-kubernetes", pytest.param("kubernetes", marks=needs_kubernetes)]
)
async def successors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Each cluster whose workers outlive their owner."""
    async with _BENCHES[request.param](tmp_path) as bench:
        yield bench


def _lasting(name: str) -> WorkerSpec:
    """A worker that goes on until it is stopped, wherever it is."""
    return replace(shell(name, "trap 'exit 0' TERM; sleep 1000 & wait"), replica=True)


def _script(worker: MemoryWorker, order: WorkerOrder) -> Iterable[WorkerReport]:
    """A worker that doubles, as the task above does."""
    kind = order.WhichOneof("order")
    if kind == "assign":
        (value,) = decode(order.assign.inputs.inline)
        ended = AttemptEnded()
        ended.outputs.inline = encode(o0=2 * value)
        return [WorkerReport(lease=order.lease, ended=ended)]
    if kind == "end_accepted" and not worker.spec.replica:
        worker.exit()
    if kind == "drain":
        worker.say(WorkerReport(drained=Drained()))
        worker.exit()
    return []


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A code bundle with the task `double`."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "user_code.py").write_text(SOURCE)
    return folder


async def test_a_worker_says_hello_first(speaking_cluster: Cluster) -> None:
    owner = Owner()
    await speaking_cluster.start(WorkerSpec(name="w"), owner)
    assert owner.channel is not None
    await owner.until(lambda: owner.reports)
    assert owner.reports[0].hello.protocol == 1


async def test_a_fresh_worker_exits_after_its_attempt(speaking_cluster: Cluster, bundle: Path) -> None:
    owner = Owner()
    await speaking_cluster.start(WorkerSpec(name="w"), owner)
    end = await owner.end_of(owner.assign("double", encode(x=3), bundle=bundle))
    assert decode(end.outputs.inline) == [6]
    exit = await owner.gone()
    assert (exit.name, exit.exit_code, exit.signal, exit.known) == ("w", 0, 0, True)


async def test_a_replica_goes_on_until_it_is_drained(speaking_cluster: Cluster, bundle: Path) -> None:
    owner = Owner()
    await speaking_cluster.start(WorkerSpec(name="w", replica=True), owner)
    for x in range(3):
        end = await owner.end_of(owner.assign("double", encode(x=x), bundle=bundle, action=f"a{x}"))
        assert decode(end.outputs.inline) == [2 * x]
    owner.drain()
    assert (await owner.gone()).exit_code == 0
    assert owner.said("drained")


async def test_starting_a_name_again_adopts_the_worker(cluster: Cluster) -> None:
    first, second = Owner(), Owner()
    await cluster.start(_lasting("w"), first)
    await cluster.start(_lasting("w"), second)
    assert second.channel is first.channel
    await cluster.stop("w", grace_s=2.0)
    await second.gone()
    assert (first.exits, second.exits) == (0, 1)


async def test_a_name_can_be_used_again_once_its_worker_is_gone(cluster: Cluster) -> None:
    for _time in range(2):
        owner = Owner()
        await cluster.start(_lasting("w"), owner)
        await cluster.stop("w", grace_s=2.0)
        await owner.gone()


async def test_stop_reports_the_exit_once_and_may_be_repeated(cluster: Cluster) -> None:
    owner = Owner()
    await cluster.start(_lasting("w"), owner)
    await asyncio.gather(*(cluster.stop("w", grace_s=2.0) for _ in range(3)))
    await cluster.stop("w", grace_s=2.0)
    await cluster.stop("never started", grace_s=2.0)
    await owner.gone()
    assert owner.exits == 1


async def test_closing_the_stream_ends_the_worker(speaking_cluster: Cluster) -> None:
    owner = Owner()
    await speaking_cluster.start(WorkerSpec(name="w", replica=True), owner)
    await owner.until(lambda: owner.reports)
    assert owner.channel is not None
    owner.channel.close()
    assert (await owner.gone()).signal == 9
    # Whoever has not noticed yet may still send.
    owner.drain()


async def test_close_starts_no_more_and_ends_workers_that_do_not_outlive_their_owner(bench: Bench) -> None:
    owners = [Owner() for _ in range(3)]
    for number, owner in enumerate(owners):
        await bench.cluster.start(_lasting(f"w{number}"), owner)
    await bench.cluster.close()
    if not bench.cluster.outlives_owner:
        for owner in owners:
            await owner.gone()
    assert {owner.exits for owner in owners} == ({0} if bench.cluster.outlives_owner else {1})
    with pytest.raises(Unavailable):
        await bench.cluster.start(_lasting("late"), Owner())


async def test_a_worker_that_was_never_started_cannot_be_adopted(cluster: Cluster) -> None:
    assert not await cluster.adopt("never", Owner())
    assert list(await cluster.others([])) == []


async def test_the_next_owner_adopts_what_runs_and_finds_the_rest(successors: Bench) -> None:
    assert successors.successor is not None
    for name in ("kept", "left"):
        await successors.cluster.start(replace(_lasting(name), replica=False), Owner())
    second = await successors.successor()
    owner = Owner()
    assert await second.adopt("kept", owner)
    assert list(await second.others(["kept"])) == ["left"]
    await asyncio.gather(*(second.stop(name, grace_s=2.0) for name in ("kept", "left")))
    await owner.gone()
    assert owner.exits == 1
    assert not await second.adopt("kept", Owner())
    assert list(await second.others([])) == []


async def test_replicas_are_not_left_over_for_whoever_compares_attempts(successors: Bench) -> None:
    assert successors.successor is not None
    await successors.cluster.start(_lasting("replica"), Owner())
    await successors.cluster.start(replace(_lasting("attempt"), replica=False), Owner())
    second = await successors.successor()
    assert list(await second.others([])) == ["attempt"]
    assert await second.adopt("replica", Owner())
    await asyncio.gather(*(second.stop(name, grace_s=2.0) for name in ("replica", "attempt")))


@pytest.mark.parametrize("replicas", [True, False])
async def test_an_owner_lets_go_of_replicas_or_of_attempts_and_keeps_the_others(
    successors: Bench, replicas: bool
) -> None:
    cluster, owners = successors.cluster, {True: Owner(), False: Owner()}
    for replica, owner in owners.items():
        await cluster.start(replace(_lasting(f"w-{replica}"), replica=replica), owner)
    cluster.let_go(replicas=replicas)
    await asyncio.gather(*(cluster.stop(f"w-{replica}", grace_s=2.0) for replica in owners))
    await owners[not replicas].gone()
    assert (owners[replicas].exits, owners[not replicas].exits) == (0, 1)


async def test_a_cluster_that_answers_is_healthy(cluster: Cluster) -> None:
    assert cluster.health().reachable
    assert not cluster.health().message


async def test_capacity_is_told(cluster: Cluster) -> None:
    capacity = cluster.capacity()
    assert capacity.cpu_millis >= 0
    assert capacity.memory_bytes >= 0
    assert cluster.name
    assert cluster.kind
