"""The gRPC faces of queues, classes and clusters: what each rpc answers, and with which status it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.scheduler.administration_world import World, in_queue

from flyteapi.scheduler.v1 import cluster_service_pb2 as cluster_api
from flyteapi.scheduler.v1 import queue_service_pb2 as queue_api
from flyteapi.scheduler.v1 import resource_class_service_pb2 as class_api
from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceStub, add_ClusterServiceServicer_to_server
from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceStub, add_QueueServiceServicer_to_server
from flyteapi.scheduler.v1.resource_class_service_pb2_grpc import (
    ResourceClassServiceStub,
    add_ResourceClassServiceServicer_to_server,
)
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.cluster.ports import ClusterCapacity
from flyteplane.foundation.clock import SystemClock
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.scheduler.application.cluster_list import ClusterList
from flyteplane.scheduler.servicer.cluster_service import ClusterServicer
from flyteplane.scheduler.servicer.queue_service import QueueServicer
from flyteplane.scheduler.servicer.resource_class_service import ResourceClassServicer

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceAsyncStub
    from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceAsyncStub
    from flyteapi.scheduler.v1.resource_class_service_pb2_grpc import ResourceClassServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Face:
    """Stubs of one scheduler, and what is behind them."""

    world: World
    prod: MemoryCluster
    queues: QueueServiceAsyncStub
    classes: ResourceClassServiceAsyncStub
    clusters: ClusterServiceAsyncStub


@pytest.fixture
async def face() -> AsyncIterator[Face]:
    world, prod = World(), MemoryCluster(name="prod")
    await world.lead()
    local = MemoryCluster(name="local", capacity=ClusterCapacity(cpu_millis=4000, memory_bytes=2**33))
    clusters = ClusterList([local, prod], workers={"local": 3, "prod": 0}.__getitem__)
    server = InProcessServer()
    add_QueueServiceServicer_to_server(QueueServicer(world.queues, clock=SystemClock()), server)
    add_ResourceClassServiceServicer_to_server(ResourceClassServicer(world.classes, clock=SystemClock()), server)
    add_ClusterServiceServicer_to_server(ClusterServicer(clusters), server)
    channel = server.channel()
    yield Face(world, prod, QueueServiceStub(channel), ResourceClassServiceStub(channel), ClusterServiceStub(channel))
    await server.stop(None)


async def _status(call: Awaitable[object]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code()


async def _put(face: Face, name: str = "gpu") -> queue_api.Queue:
    request = queue_api.PutQueueRequest(queue=queue_api.Queue(name=name))
    return (await face.queues.PutQueue(request)).queue


async def test_every_setting_of_a_queue_comes_back(face: Face) -> None:
    queue = queue_api.Queue(
        name="gpu", run_concurrency=1, action_concurrency=2, depth=3, priority=0, clusters=["prod", "local"]
    )
    stored = (await face.queues.PutQueue(queue_api.PutQueueRequest(queue=queue))).queue
    queue.state = queue_api.QUEUE_STATE_ACTIVE
    assert stored == queue
    assert (await face.queues.GetQueue(queue_api.GetQueueRequest(name="gpu"))).queue == queue


async def test_a_priority_that_is_not_given_is_medium_and_one_of_zero_is_zero(face: Face) -> None:
    assert (await _put(face)).priority == 500
    request = queue_api.PutQueueRequest(queue=queue_api.Queue(name="low", priority=0))
    assert (await face.queues.PutQueue(request)).queue.priority == 0


async def test_a_queue_tells_its_live_figures(face: Face) -> None:
    await _put(face)
    face.world.live.in_queue["gpu"] = in_queue(running=2, parents=1, waiting=7, runs=2)
    listed = (await face.queues.ListQueues(queue_api.ListQueuesRequest())).queues
    found = next(queue for queue in listed if queue.name == "gpu")
    assert (found.running, found.waiting, found.running_runs) == (3, 7, 2)


async def test_queues_and_classes_come_a_page_at_a_time(face: Face) -> None:
    for name in ("c", "a", "b"):
        await _put(face, name)
        shape = class_api.ResourceClass(name=name, max_cpu_millis=ord(name), max_memory_bytes=1)
        await face.classes.PutResourceClass(class_api.PutResourceClassRequest(resource_class=shape))
    queues, classes = queue_api.ListQueuesRequest(page_size=2), class_api.ListResourceClassesRequest(page_size=2)
    names: list[list[str]] = [[], []]
    for _ in range(2):
        queue_page, class_page = await face.queues.ListQueues(queues), await face.classes.ListResourceClasses(classes)
        names[0] += [queue.name for queue in queue_page.queues]
        names[1] += [shape.name for shape in class_page.resource_classes]
        queues.page_token, classes.page_token = queue_page.next_page_token, class_page.next_page_token
    assert names[0] == ["a", "b", "c", "default"]
    whole = await face.classes.ListResourceClasses(class_api.ListResourceClassesRequest())
    assert names[1] == [shape.name for shape in whole.resource_classes][:4]
    assert not queues.page_token
    queues.page_token = "made up"
    assert await _status(face.queues.ListQueues(queues)) is grpc.StatusCode.INVALID_ARGUMENT
    classes.page_size = 1001
    assert await _status(face.classes.ListResourceClasses(classes)) is grpc.StatusCode.INVALID_ARGUMENT


async def test_what_is_made_or_deleted_with_a_request_id_may_be_asked_for_again(face: Face) -> None:
    put = queue_api.PutQueueRequest(queue=queue_api.Queue(name="gpu"), must_be_new=True, request_id="q1")
    shape = class_api.ResourceClass(name="big", max_cpu_millis=1, max_memory_bytes=1)
    make = class_api.PutResourceClassRequest(resource_class=shape, must_be_new=True, request_id="q2")
    for _ in range(2):
        await face.queues.PutQueue(put)
        await face.classes.PutResourceClass(make)
    put.request_id = make.request_id = "q3"
    assert await _status(face.queues.PutQueue(put)) is grpc.StatusCode.ALREADY_EXISTS
    assert await _status(face.classes.PutResourceClass(make)) is grpc.StatusCode.ALREADY_EXISTS
    await face.queues.DrainQueue(queue_api.DrainQueueRequest(name="gpu"))
    for _ in range(2):
        await face.queues.DeleteQueue(queue_api.DeleteQueueRequest(name="gpu", request_id="q4"))
        await face.classes.DeleteResourceClass(class_api.DeleteResourceClassRequest(name="big", request_id="q4"))
    gone = class_api.DeleteResourceClassRequest(name="big", request_id="q5")
    assert await _status(face.classes.DeleteResourceClass(gone)) is grpc.StatusCode.NOT_FOUND


async def test_a_watch_of_queues_says_at_once_and_after_changes_that_there_is_something_to_look_at(face: Face) -> None:
    watch = aiter(face.queues.WatchQueues(queue_api.WatchQueuesRequest()))
    await anext(watch)
    face.world.clock.advance(1.0)
    following = asyncio.ensure_future(anext(watch))
    await _put(face)
    await asyncio.wait_for(following, 20)


async def test_a_queue_put_as_draining_drains(face: Face) -> None:
    queue = queue_api.Queue(name="gpu", state=queue_api.QUEUE_STATE_DRAINING)
    assert (await face.queues.PutQueue(queue_api.PutQueueRequest(queue=queue))).queue.state == (
        queue_api.QUEUE_STATE_DRAINED
    )


async def test_queues_are_drained_resumed_and_deleted(face: Face) -> None:
    await _put(face)
    drained = await face.queues.DrainQueue(queue_api.DrainQueueRequest(name="gpu"))
    assert drained.queue.state == queue_api.QUEUE_STATE_DRAINED
    resumed = await face.queues.DrainQueue(queue_api.DrainQueueRequest(name="gpu", resume=True))
    assert resumed.queue.state == queue_api.QUEUE_STATE_ACTIVE
    delete = queue_api.DeleteQueueRequest(name="gpu")
    assert await _status(face.queues.DeleteQueue(delete)) is grpc.StatusCode.FAILED_PRECONDITION
    await face.queues.DrainQueue(queue_api.DrainQueueRequest(name="gpu"))
    await face.queues.DeleteQueue(delete)
    assert await _status(face.queues.DeleteQueue(delete)) is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    "queue",
    [
        queue_api.Queue(),
        queue_api.Queue(name="GPU"),
        queue_api.Queue(name="q" * 64),
        queue_api.Queue(name="q", priority=1001),
        queue_api.Queue(name="q", depth=2**32 - 1),
        queue_api.Queue(name="q", clusters=["mars"]),
        queue_api.Queue(name="q", clusters=["*", "prod"]),
        queue_api.Queue(name="q", state=99),  # type: ignore[arg-type]
    ],
    ids=["nothing", "upper case", "long name", "priority", "depth", "cluster", "star and name", "state"],
)
async def test_a_queue_that_cannot_be_is_an_invalid_argument_and_not_stored(face: Face, queue: queue_api.Queue) -> None:
    request = queue_api.PutQueueRequest(queue=queue)
    assert await _status(face.queues.PutQueue(request)) is grpc.StatusCode.INVALID_ARGUMENT
    assert face.world.stored_queues == []


async def test_must_be_new_and_must_exist_have_their_statuses(face: Face) -> None:
    queue = queue_api.Queue(name="gpu")
    update = queue_api.PutQueueRequest(queue=queue, must_exist=True)
    assert await _status(face.queues.PutQueue(update)) is grpc.StatusCode.NOT_FOUND
    await face.queues.PutQueue(queue_api.PutQueueRequest(queue=queue, must_be_new=True))
    create = queue_api.PutQueueRequest(queue=queue, must_be_new=True)
    assert await _status(face.queues.PutQueue(create)) is grpc.StatusCode.ALREADY_EXISTS


async def test_every_setting_of_a_class_comes_back(face: Face) -> None:
    shape = class_api.ResourceClass(
        name="large",
        max_cpu_millis=4000,
        max_memory_bytes=2**33,
        max_accelerators={"GPU": 1, "GPU/A100": 8},
        clusters=["prod"],
        node_selector={"pool": "large"},
        tolerations_json='[{"key": "gpu"}]',
        priority_class="high",
        quota_cpu_millis=100_000,
        quota_memory_bytes=2**40,
        allow_host_paths=True,
        allow_service_account_token=True,
        service_accounts=["robot"],
    )
    await face.classes.PutResourceClass(class_api.PutResourceClassRequest(resource_class=shape))
    found = await face.classes.GetResourceClass(class_api.GetResourceClassRequest(name="large"))
    assert found.resource_class == shape


async def test_classes_are_listed_and_deleted(face: Face) -> None:
    shape = class_api.ResourceClass(name="any")
    await face.classes.PutResourceClass(class_api.PutResourceClassRequest(resource_class=shape))
    listed = await face.classes.ListResourceClasses(class_api.ListResourceClassesRequest())
    assert [found.name for found in listed.resource_classes] == ["any"]
    await face.classes.DeleteResourceClass(class_api.DeleteResourceClassRequest(name="any"))
    get = class_api.GetResourceClassRequest(name="any")
    assert await _status(face.classes.GetResourceClass(get)) is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    "shape",
    [
        class_api.ResourceClass(),
        class_api.ResourceClass(name="c", max_cpu_millis=2**63),
        class_api.ResourceClass(name="c", max_memory_bytes=2**64 - 1),
        class_api.ResourceClass(name="c", max_accelerators={"gpu": 1}),
        class_api.ResourceClass(name="c", max_accelerators={"GPU": 0}),
        class_api.ResourceClass(name="c", tolerations_json="{}"),
        class_api.ResourceClass(name="c", node_selector={"a b": "c"}),
        class_api.ResourceClass(name="c", service_accounts=["Robot"]),
        class_api.ResourceClass(name="c", clusters=["mars"]),
    ],
    ids=["nothing", "cpu", "memory", "accelerator", "no accelerator", "tolerations", "selector", "account", "cluster"],
)
async def test_a_class_that_cannot_be_is_an_invalid_argument_and_not_stored(
    face: Face, shape: class_api.ResourceClass
) -> None:
    request = class_api.PutResourceClassRequest(resource_class=shape)
    assert await _status(face.classes.PutResourceClass(request)) is grpc.StatusCode.INVALID_ARGUMENT
    assert face.world.rows.classes == {}


async def test_clusters_are_told_with_their_health_and_room(face: Face) -> None:
    face.prod.unreachable = "connection refused"
    found = (await face.clusters.ListClusters(cluster_api.ListClustersRequest())).clusters
    assert [(one.name, one.kind, one.reachable, one.cpu_millis, one.workers) for one in found] == [
        ("local", "memory", True, 4000, 3),
        ("prod", "memory", False, 0, 0),
    ]
