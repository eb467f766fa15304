"""What every cluster promises to whoever starts workers on it, tested over its adapters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio
from tests.runner.owner import Owner, decode, encode

from flyteapi.scheduler.v1.worker_service_pb2 import AttemptEnded, Drained, WorkerOrder, WorkerReport
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


@pytest_asyncio.fixture(params=["memory", "process"])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Each cluster in turn."""
    cluster: Cluster = MemoryCluster(_script) if request.param == "memory" else ProcessCluster(tmp_path / "platform")
    yield cluster
    await cluster.close()


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


async def test_a_worker_says_hello_first(cluster: Cluster) -> None:
    owner = Owner()
    await cluster.start(WorkerSpec(name="w"), owner)
    assert owner.channel is not None
    await owner.until(lambda: owner.reports)
    assert owner.reports[0].hello.protocol == 1


async def test_a_fresh_worker_exits_after_its_attempt(cluster: Cluster, bundle: Path) -> None:
    owner = Owner()
    await cluster.start(WorkerSpec(name="w"), owner)
    end = await owner.end_of(owner.assign("double", encode(x=3), bundle=bundle))
    assert decode(end.outputs.inline) == [6]
    exit = await owner.gone()
    assert (exit.name, exit.exit_code, exit.signal, exit.known) == ("w", 0, 0, True)


async def test_a_replica_goes_on_until_it_is_drained(cluster: Cluster, bundle: Path) -> None:
    owner = Owner()
    await cluster.start(WorkerSpec(name="w", replica=True), owner)
    for x in range(3):
        end = await owner.end_of(owner.assign("double", encode(x=x), bundle=bundle, action=f"a{x}"))
        assert decode(end.outputs.inline) == [2 * x]
    owner.drain()
    assert (await owner.gone()).exit_code == 0
    assert owner.said("drained")


async def test_starting_a_name_again_adopts_the_worker(cluster: Cluster) -> None:
    first, second = Owner(), Owner()
    await cluster.start(WorkerSpec(name="w", replica=True), first)
    await first.until(lambda: first.reports)
    await cluster.start(WorkerSpec(name="w", replica=True), second)
    assert second.channel is first.channel
    await cluster.stop("w", grace_s=5.0)
    await second.gone()
    assert (first.exits, second.exits) == (0, 1)


async def test_a_name_can_be_used_again_once_its_worker_is_gone(cluster: Cluster) -> None:
    for _time in range(2):
        owner = Owner()
        await cluster.start(WorkerSpec(name="w", replica=True), owner)
        await cluster.stop("w", grace_s=5.0)
        await owner.gone()


async def test_stop_reports_the_exit_once_and_may_be_repeated(cluster: Cluster) -> None:
    owner = Owner()
    await cluster.start(WorkerSpec(name="w", replica=True), owner)
    await asyncio.gather(*(cluster.stop("w", grace_s=5.0) for _ in range(3)))
    await cluster.stop("w", grace_s=5.0)
    await cluster.stop("never started", grace_s=5.0)
    await owner.gone()
    assert owner.exits == 1


async def test_closing_the_stream_ends_the_worker(cluster: Cluster) -> None:
    owner = Owner()
    await cluster.start(WorkerSpec(name="w", replica=True), owner)
    await owner.until(lambda: owner.reports)
    assert owner.channel is not None
    owner.channel.close()
    assert (await owner.gone()).signal == 9
    # Whoever has not noticed yet may still send.
    owner.drain()


async def test_close_ends_all_workers_and_starts_no_more(cluster: Cluster) -> None:
    owners = [Owner() for _ in range(3)]
    for number, owner in enumerate(owners):
        await cluster.start(WorkerSpec(name=f"w{number}", replica=True), owner)
    await cluster.close()
    for owner in owners:
        await owner.gone()
    assert [owner.exits for owner in owners] == [1, 1, 1]
    with pytest.raises(Unavailable):
        await cluster.start(WorkerSpec(name="late"), Owner())


async def test_capacity_is_told(cluster: Cluster) -> None:
    capacity = cluster.capacity()
    assert capacity.cpu_millis >= 0
    assert capacity.memory_bytes >= 0
    assert cluster.name
