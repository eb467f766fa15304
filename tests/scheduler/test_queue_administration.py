"""Queues are put, drained and deleted: durably, without evicting, and never against the operator's file."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.scheduler.administration_world import World, in_queue

from flyteapi.scheduler.v1.queue_service_pb2 import DeleteQueueRequest, PutQueueRequest, Queue
from flyteplane.foundation.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from flyteplane.scheduler.application.administration import Administration
from flyteplane.scheduler.application.administration_ports import Request
from flyteplane.scheduler.application.queue_admin import QueueAdministration, QueueState
from flyteplane.scheduler.application.repetition import request_of
from flyteplane.scheduler.domain.definitions import Entries
from flyteplane.scheduler.domain.queueing.admission import Admission
from flyteplane.scheduler.domain.queueing.classes import Demand
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.waits import QueueFigures

GPU = QueueSettings(name="gpu", action_concurrency=2, depth=10, clusters=("prod",))
IN_FILE = Entries(queues=(QueueSettings(name="kept", depth=5),), path="/etc/flyteplane.yaml")


@pytest.fixture
async def world() -> World:
    """A scheduler that leads."""
    world = World()
    await world.lead()
    return world


@pytest.fixture
async def with_file() -> World:
    """A scheduler with a queue in the operator's file."""
    world = World(file=IN_FILE)
    await world.lead()
    return world


# --- putting --------------------------------------------------------------------------------------------------------


async def test_a_queue_is_durable_and_admitted_to_once_it_is_answered(world: World) -> None:
    view = await world.queues.put(GPU)
    assert (view.settings, view.state, view.from_file) == (GPU, QueueState.ACTIVE, False)
    assert world.stored_queues == ["gpu"]
    assert world.live.queues == ["default", "gpu"]


async def test_a_queue_lives_through_a_restart(world: World) -> None:
    await world.queues.put(GPU)
    await world.lead()
    assert world.queues.get("gpu").settings == GPU
    assert world.live.queues == ["default", "gpu"]


async def test_the_same_queue_again_changes_nothing(world: World) -> None:
    await world.queues.put(GPU)
    told = world.live.configured
    await world.queues.put(GPU)
    assert world.live.configured == told


async def test_a_queue_that_must_be_new_is_refused_if_it_exists(world: World) -> None:
    await world.queues.put(GPU)
    with pytest.raises(AlreadyExists, match="flyte update queue gpu"):
        await world.queues.put(QueueSettings(name="gpu"), must_be_new=True)
    assert world.queues.get("gpu").settings == GPU


async def test_a_queue_that_must_exist_is_refused_if_it_does_not(world: World) -> None:
    with pytest.raises(NotFound, match="default"):
        await world.queues.put(GPU, must_exist=True)
    assert world.stored_queues == []


async def test_an_unknown_cluster_is_refused_with_the_clusters_there_are(world: World) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await world.queues.put(QueueSettings(name="q", clusters=("prod", "mars")))
    assert "'mars'" in refused.value.message
    assert "local, prod" in refused.value.mend
    assert world.stored_queues == []


async def test_a_star_means_every_cluster(world: World) -> None:
    await world.queues.put(QueueSettings(name="q", clusters=("*",)))
    assert world.stored_queues == ["q"]


async def test_a_lowered_queue_keeps_what_it_runs(world: World) -> None:
    await world.queues.put(GPU)
    world.live.in_queue["gpu"] = in_queue(running=2, waiting=5, runs=1)
    view = await world.queues.put(QueueSettings(name="gpu", action_concurrency=1, depth=1))
    assert (view.running, view.waiting, view.running_runs) == (2, 5, 1)


async def test_what_an_unknown_queue_is_asked_for_names_those_there_are(world: World) -> None:
    for ask in (world.queues.drain("no"), world.queues.delete("no")):
        with pytest.raises(NotFound, match="The queues are: default"):
            await ask
    with pytest.raises(NotFound):
        world.queues.get("no")


# --- draining and deleting ------------------------------------------------------------------------------------------


async def test_a_drained_queue_is_draining_until_it_is_empty(world: World) -> None:
    await world.queues.put(GPU)
    world.live.in_queue["gpu"] = in_queue(running=1, waiting=2)
    assert (await world.queues.drain("gpu")).state is QueueState.DRAINING
    world.live.in_queue["gpu"] = in_queue(waiting=1)
    assert world.queues.get("gpu").state is QueueState.DRAINING
    world.live.in_queue.clear()
    assert world.queues.get("gpu").state is QueueState.DRAINED


async def test_draining_is_durable_and_keeps_the_limits(world: World) -> None:
    await world.queues.put(GPU)
    await world.queues.drain("gpu")
    await world.lead()
    view = world.queues.get("gpu")
    assert view.state is QueueState.DRAINED
    assert (view.settings.action_concurrency, view.settings.depth) == (2, 10)


async def test_a_drained_queue_can_be_activated_again(world: World) -> None:
    await world.queues.put(GPU)
    await world.queues.drain("gpu")
    assert (await world.queues.drain("gpu", resume=True)).state is QueueState.ACTIVE
    assert (await world.queues.drain("gpu", resume=True)).settings == GPU


@pytest.mark.parametrize(
    ("drained", "figures", "words"),
    [
        (False, in_queue(), "still accepts"),
        (True, in_queue(running=3, waiting=2), "3 running and 2 waiting"),
        (True, in_queue(waiting=1), "0 running and 1 waiting"),
    ],
)
async def test_a_queue_that_is_not_drained_and_empty_is_not_deleted(
    world: World, drained: bool, figures: QueueFigures, words: str
) -> None:
    await world.queues.put(GPU)
    if drained:
        await world.queues.drain("gpu")
    world.live.in_queue["gpu"] = figures
    with pytest.raises(FailedPrecondition, match=words):
        await world.queues.delete("gpu")
    assert world.stored_queues == ["gpu"]


async def test_a_drained_and_empty_queue_is_deleted_for_good(world: World) -> None:
    await world.queues.put(GPU)
    await world.queues.drain("gpu")
    await world.queues.delete("gpu")
    assert world.live.queues == ["default"]
    await world.lead()
    with pytest.raises(NotFound):
        world.queues.get("gpu")


# --- the default queue ----------------------------------------------------------------------------------------------


async def test_the_default_queue_is_there_without_anybody_s_doing(world: World) -> None:
    assert [view.settings for view in world.queues.all()] == [QueueSettings(name="default")]
    assert not world.queues.get("default").from_file


async def test_the_default_queue_can_be_changed_and_drained_but_not_deleted(world: World) -> None:
    await world.queues.put(QueueSettings(name="default", action_concurrency=7))
    assert (await world.queues.drain("default")).state is QueueState.DRAINED
    with pytest.raises(FailedPrecondition, match="always exists"):
        await world.queues.delete("default")
    await world.lead()
    assert world.queues.get("default").settings.action_concurrency == 7


async def test_the_default_queue_is_not_new(world: World) -> None:
    with pytest.raises(AlreadyExists):
        await world.queues.put(QueueSettings(name="default"), must_be_new=True)


# --- the operator's file --------------------------------------------------------------------------------------------


async def test_a_queue_of_the_file_is_changed_in_the_file_only(with_file: World) -> None:
    assert with_file.queues.get("kept").from_file
    asks = (
        with_file.queues.put(QueueSettings(name="kept")),
        with_file.queues.drain("kept"),
        with_file.queues.delete("kept"),
    )
    for ask in asks:
        with pytest.raises(FailedPrecondition, match=r"/etc/flyteplane\.yaml"):
            await ask
    assert with_file.stored_queues == []


async def test_what_the_file_says_already_is_no_change_of_it(with_file: World) -> None:
    assert (await with_file.queues.drain("kept", resume=True)).state is QueueState.ACTIVE


async def test_a_stored_queue_gives_way_to_one_of_a_new_file_and_comes_back_after_it(world: World) -> None:
    stored = QueueSettings(name="kept", depth=99)
    await world.queues.put(stored)
    await world.administration.take_file(IN_FILE)
    assert world.queues.get("kept").settings.depth == 5
    assert world.administration.definitions.shadowed_queues == ("kept",)
    await world.administration.take_file(Entries())
    assert world.queues.get("kept").settings == stored


async def test_a_cluster_that_is_gone_does_not_stop_the_start(world: World) -> None:
    await world.queues.put(GPU)
    world.clusters = [room for room in world.clusters if room.name != "prod"]
    await world.lead()
    assert world.administration.definitions.missing_clusters == ("prod",)
    assert world.queues.get("gpu").settings == GPU


# --- trouble --------------------------------------------------------------------------------------------------------


async def test_a_leader_that_was_replaced_changes_nothing(world: World) -> None:
    paused = world.queues
    await world.lead()
    with pytest.raises(Unavailable, match="another scheduler leads"):
        await paused.put(GPU)
    assert world.stored_queues == []


async def test_a_caller_who_leaves_does_not_leave_store_and_memory_apart(world: World) -> None:
    world.records.gate.clear()
    call = asyncio.create_task(world.queues.put(GPU))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    world.records.gate.set()
    await world.administration.close()
    assert world.stored_queues == ["gpu"]
    assert world.live.queues == ["default", "gpu"]


async def test_after_a_lost_answer_memory_says_what_the_store_says(world: World) -> None:
    world.records.answer_lost = True
    with pytest.raises(Unavailable):
        await world.queues.put(GPU)
    assert world.queues.get("gpu").settings == GPU
    assert world.live.queues == ["default", "gpu"]


async def test_of_two_who_create_the_same_queue_one_is_refused(world: World) -> None:
    answers = await asyncio.gather(*(world.queues.put(GPU, must_be_new=True) for _ in range(2)), return_exceptions=True)
    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [AlreadyExists]


def put_request(**fields: object) -> Request:
    queue = Queue(name="gpu", action_concurrency=2)
    return request_of(PutQueueRequest(queue=queue, must_be_new=True, **fields), at=1.0)  # type: ignore[arg-type]  # as the test says


@pytest.mark.parametrize("restarted", [False, True], ids=["same", "restarted"])
async def test_a_creation_whose_answer_was_lost_is_answered_when_it_is_sent_again(
    world: World, restarted: bool
) -> None:
    request = put_request(request_id="q1")
    world.records.answer_lost = True
    with pytest.raises(Unavailable):
        await world.queues.put(GPU, must_be_new=True, request=request)
    if restarted:
        await world.lead()
    assert (await world.queues.put(GPU, must_be_new=True, request=request)).settings == GPU
    assert request != put_request(request_id="q2")
    for other in (put_request(request_id="q2"), put_request(request_id="q1", must_exist=True), put_request()):
        with pytest.raises(AlreadyExists):
            await world.queues.put(GPU, must_be_new=True, request=other)
    assert put_request() is None
    with pytest.raises(InvalidArgument):
        put_request(request_id="x" * 65)


async def test_a_deletion_that_is_sent_again_deletes_nothing_more(world: World) -> None:
    request = request_of(DeleteQueueRequest(name="gpu", request_id="q1"), at=1.0)
    with pytest.raises(NotFound):
        await world.queues.delete("gpu", request=request)
    for _ in range(2):
        await world.queues.put(replace(GPU, draining=True))
        await world.queues.delete("gpu", request=request)
    assert world.stored_queues == ["gpu"], "put again between the two, and kept"


async def test_a_scheduler_that_does_not_lead_answers_nothing(world: World) -> None:
    idle = Administration(world.rows.open(), live=world.live, clusters=world.clusters, clock=world.clock)
    with pytest.raises(Unavailable):
        QueueAdministration(idle).all()
    await idle.take_file(IN_FILE)
    with pytest.raises(Unavailable):
        QueueAdministration(idle).get("kept")


async def test_a_file_that_changed_before_the_lead_was_taken_counts(world: World) -> None:
    administration = Administration(world.rows.open(), live=world.live, clusters=world.clusters, clock=world.clock)
    await administration.take_file(IN_FILE)
    await administration.open(epoch=world.shard.epoch)
    assert QueueAdministration(administration).get("kept").from_file


# --- the admission itself -------------------------------------------------------------------------------------------


async def test_the_admission_accepts_by_what_was_put_and_drained(world: World) -> None:
    admission: Admission[str] = Admission()
    administration = Administration(world.rows.open(), live=admission, clusters=world.clusters, clock=world.clock)
    await administration.open(epoch=world.shard.epoch)
    queues = QueueAdministration(administration)
    await queues.put(replace(GPU, depth=1))
    demand = Demand(cpu_millis=100)
    assert admission.classify("gpu", demand).name == "prod"
    admission.push("a", queue="gpu", run="r", project="p", demand=demand, since=0.0)
    assert admission.refusal("gpu") is not None
    assert (queues.get("gpu").waiting, queues.get("gpu").running) == (1, 0)
    assert [item for item, _ in admission.admit(0.0)] == ["a"]
    assert (await queues.drain("gpu")).state is QueueState.DRAINING
    with pytest.raises(FailedPrecondition, match="1 running and 0 waiting"):
        await queues.delete("gpu")
