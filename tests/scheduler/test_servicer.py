"""Each rpc of the scheduler's face, over a channel: what it answers, and with which status it refuses."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import pytest
from tests.scheduler.harness import Bench, LikeProcesses, settle, task

from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteapi.common.v1.phase_pb2 import PHASE_ABORTED, PHASE_QUEUED, PHASE_RUNNING, PHASE_SUCCEEDED
from flyteapi.scheduler.v1 import cluster_service_pb2 as clusters
from flyteapi.scheduler.v1 import scheduler_service_pb2 as api
from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceStub, add_ClusterServiceServicer_to_server
from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import (
    SchedulerServiceStub,
    add_SchedulerServiceServicer_to_server,
)
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.scheduler.application.cluster_list import ClusterList
from flyteplane.scheduler.application.queue_admin import QueueAdministration
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.servicer.cluster_service import ClusterServicer
from flyteplane.scheduler.servicer.scheduler_service import SchedulerServicer

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceAsyncStub
    from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceAsyncStub

RUN = RunId(project="project", domain="domain", name="r1")
T = TypeVar("T")
HUGE = base64.urlsafe_b64encode(b"9" * 30).decode()
NO_RUN = RunId(project="project", domain="domain", name="none")


@dataclass(frozen=True, slots=True)
class Face:
    """Stubs of one scheduler, and the bench that drives it."""

    bench: Bench
    runs: SchedulerServiceAsyncStub
    clusters: ClusterServiceAsyncStub

    async def submit(self, **settings: Any) -> None:
        """Hands run r1 in."""
        request = api.AcceptRunRequest(run=RUN, digest=b"d", task=task(), inputs=Payload(inline=b"in"))
        request.settings.CopyFrom(api.RunSettings(**settings))
        assert (await self.runs.AcceptRun(request)).created
        await settle()

    async def children(self, count: int) -> None:
        """The root calls children c1 and so on."""
        for number in range(1, count + 1):
            await self.bench.call("a0", f"c{number}", task("env.child"), number=number)


@pytest.fixture
async def face(bench: Bench) -> AsyncIterator[Face]:
    server = InProcessServer()
    add_SchedulerServiceServicer_to_server(SchedulerServicer(bench.scheduler), server)
    cluster_list = ClusterList([LikeProcesses()], workers=lambda name: 0)
    add_ClusterServiceServicer_to_server(ClusterServicer(cluster_list), server)
    channel = server.channel()
    yield Face(bench, SchedulerServiceStub(channel), ClusterServiceStub(channel))
    await server.stop(None)


async def _status(call: Awaitable[object]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code()


async def _next(call: AsyncIterable[T]) -> T:
    """The next message of a stream."""
    return await anext(aiter(call))


def _root(run: RunId = RUN, name: str = "a0") -> ActionId:
    return ActionId(run=run, name=name)


# --- AcceptRun ------------------------------------------------------------------------------------------------------


async def test_the_same_run_again_is_ok_and_changes_nothing(face: Face) -> None:
    await face.submit()
    again = api.AcceptRunRequest(run=RUN, digest=b"d", task=task("env.ignored"))
    assert not (await face.runs.AcceptRun(again)).created
    await face.bench.succeed("a0")
    assert not (await face.runs.AcceptRun(again)).created
    assert len(face.bench.workers.placed) == 1


async def test_another_run_of_the_same_name_is_refused(face: Face) -> None:
    await face.submit()
    other = api.AcceptRunRequest(run=RUN, digest=b"other", task=task())
    assert await _status(face.runs.AcceptRun(other)) is grpc.StatusCode.ALREADY_EXISTS
    await face.bench.succeed("a0")
    assert await _status(face.runs.AcceptRun(other)) is grpc.StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize("broken", ["run", "task", "queue of the run", "queue of the task", "accelerator"])
async def test_a_run_that_can_never_work_is_refused_and_not_stored(face: Face, broken: str) -> None:
    request = api.AcceptRunRequest(run=RUN, digest=b"d", task=task())
    if broken == "run":
        request.run.name = ""
    elif broken == "task":
        request.task.resources.cpu = "many"
    elif broken == "queue of the run":
        request.settings.queue = "none"
    elif broken == "queue of the task":
        request.task.queue = "none"
    else:
        request.task.resources.accelerator.quantity = 1
    assert await _status(face.runs.AcceptRun(request)) is grpc.StatusCode.INVALID_ARGUMENT
    assert await _status(face.runs.GetAction(api.GetActionRequest(action=_root()))) is grpc.StatusCode.NOT_FOUND


# --- reading --------------------------------------------------------------------------------------------------------


async def test_an_action_is_told_with_its_task_and_attempts(face: Face) -> None:
    await face.submit()
    await face.bench.started("a0")
    got = await face.runs.GetAction(api.GetActionRequest(action=_root()))
    assert got.action.id == _root()
    assert got.action.phase == PHASE_RUNNING
    assert got.action.HasField("started_at")
    assert not got.action.HasField("ended_at")
    assert got.task.name == "env.work"
    assert [attempt.attempt for attempt in got.attempts] == [1]
    await face.bench.succeed("a0", b"out")
    got = await face.runs.GetAction(api.GetActionRequest(action=_root()))
    assert got.action.phase == PHASE_SUCCEEDED
    assert not got.action.HasField("error")
    data = await face.runs.GetActionData(api.GetActionDataRequest(action=_root()))
    assert (data.inputs.inline, data.outputs.inline) == (b"in", b"out")


async def test_an_action_is_told_with_the_queue_that_it_is_in(face: Face) -> None:
    queues = QueueAdministration(face.bench.scheduler.administration)
    await queues.put(QueueSettings(name="of-run"))
    await queues.put(QueueSettings(name="of-task"))
    await face.submit(queue="of-run")
    await face.bench.started("a0")
    child = task("env.child")
    child.queue = "of-task"
    await face.bench.call("a0", "c1", child)
    page = await face.runs.ListActions(api.ListActionsRequest(run=RUN))
    assert [action.header.queue for action in page.actions] == ["of-run", "of-task"]
    await face.bench.succeed("a0")
    ended = await face.runs.GetAction(api.GetActionRequest(action=_root()))
    assert ended.action.header.queue == "of-run"


def _reads(face: Face) -> dict[str, Callable[[ActionId], Awaitable[object]]]:
    runs = face.runs
    return {
        "get": lambda action: runs.GetAction(api.GetActionRequest(action=action)),
        "data": lambda action: runs.GetActionData(api.GetActionDataRequest(action=action)),
        "explain": lambda action: runs.ExplainAction(api.ExplainActionRequest(action=action)),
        "abort": lambda action: runs.AbortAction(api.AbortActionRequest(action=action)),
        "list": lambda action: runs.ListActions(api.ListActionsRequest(run=action.run)),
        "watch": lambda action: runs.WatchRun(api.WatchRunRequest(run=action.run)).read(),
        "logs": lambda action: runs.StreamLogs(api.StreamLogsRequest(action=action)).read(),
        "logs of an attempt": lambda action: runs.StreamLogs(api.StreamLogsRequest(action=action, attempt=1)).read(),
    }


READS = ["get", "data", "explain", "abort", "list", "watch", "logs", "logs of an attempt"]


@pytest.mark.parametrize("rpc", READS)
async def test_what_does_not_exist_is_not_found(face: Face, rpc: str) -> None:
    await face.submit()
    ask = _reads(face)[rpc]
    assert await _status(ask(_root(NO_RUN))) is grpc.StatusCode.NOT_FOUND
    if rpc not in ("list", "watch"):
        assert await _status(ask(_root(name="none"))) is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("rpc", READS)
async def test_a_run_without_its_full_name_is_an_invalid_argument(face: Face, rpc: str) -> None:
    run = RunId(project="project", name="r1")
    assert await _status(_reads(face)[rpc](_root(run))) is grpc.StatusCode.INVALID_ARGUMENT


async def test_actions_come_in_pages_in_order_of_acceptance(face: Face) -> None:
    await face.submit()
    await face.children(5)
    request = api.ListActionsRequest(run=RUN, page_size=4)
    first = await face.runs.ListActions(request)
    assert [action.id.name for action in first.actions] == ["a0", "c1", "c2", "c3"]
    request.page_token = first.next_page_token
    second = await face.runs.ListActions(request)
    assert [action.id.name for action in second.actions] == ["c4", "c5"]
    assert not second.next_page_token


async def test_a_last_page_that_is_full_has_no_next_one(face: Face) -> None:
    await face.submit()
    await face.children(3)
    page = await face.runs.ListActions(api.ListActionsRequest(run=RUN, page_size=4))
    assert len(page.actions) == 4
    assert not page.next_page_token


async def test_actions_are_chosen_by_parent_and_phase(face: Face) -> None:
    await face.submit()
    await face.children(3)
    await face.bench.started("c2")
    by_parent = await face.runs.ListActions(api.ListActionsRequest(run=RUN, parent="a0"))
    assert [action.id.name for action in by_parent.actions] == ["c1", "c2", "c3"]
    running = await face.runs.ListActions(api.ListActionsRequest(run=RUN, phases=[PHASE_RUNNING, PHASE_QUEUED]))
    assert [action.id.name for action in running.actions] == ["c2"]


async def test_a_page_that_is_too_large_is_refused_and_not_cut(face: Face) -> None:
    await face.submit()
    request = api.ListActionsRequest(run=RUN, page_size=1001)
    assert await _status(face.runs.ListActions(request)) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("token", ["nonsense", "é", base64.urlsafe_b64encode(b"x").decode(), "x" * 9, HUGE])
async def test_a_page_token_of_somebody_else_is_an_invalid_argument(face: Face, token: str) -> None:
    await face.submit()
    request = api.ListActionsRequest(run=RUN, page_token=token)
    assert await _status(face.runs.ListActions(request)) is grpc.StatusCode.INVALID_ARGUMENT


async def test_explain_says_where_an_action_is(face: Face) -> None:
    await face.submit(max_action_concurrency=1)
    ask = api.ExplainActionRequest(action=_root())
    assert "being started" in (await face.runs.ExplainAction(ask)).summary
    await face.bench.started("a0")
    assert "It runs" in (await face.runs.ExplainAction(ask)).summary
    await face.children(2)
    assert "waits for its children" in (await face.runs.ExplainAction(ask)).summary
    waiting = await face.runs.ExplainAction(api.ExplainActionRequest(action=_root(name="c2")))
    assert "at most 1" in waiting.summary
    assert (waiting.phase, waiting.queue) == (PHASE_QUEUED, "default")
    await face.bench.succeed("a0")
    assert "has ended" in (await face.runs.ExplainAction(ask)).summary


# --- AbortAction ----------------------------------------------------------------------------------------------------


async def test_an_abort_answers_with_the_phase_and_keeps_the_reason(face: Face) -> None:
    await face.submit()
    await face.children(1)
    request = api.AbortActionRequest(action=_root(name="c1"), reason="x" * 5_000)
    assert (await face.runs.AbortAction(request)).phase == PHASE_ABORTED
    got = await face.runs.GetAction(api.GetActionRequest(action=_root(name="c1")))
    assert got.action.reason == "x" * 1024
    assert (await face.runs.AbortAction(request)).phase == PHASE_ABORTED
    await face.bench.succeed("a0")
    whole = api.AbortActionRequest(action=ActionId(run=RUN))
    assert (await face.runs.AbortAction(whole)).phase == PHASE_SUCCEEDED


async def test_an_abort_without_a_name_is_for_the_whole_run(face: Face) -> None:
    await face.submit()
    assert (await face.runs.AbortAction(api.AbortActionRequest(action=ActionId(run=RUN)))).phase == PHASE_ABORTED


# --- streams --------------------------------------------------------------------------------------------------------


async def test_a_watch_ends_with_the_run(face: Face) -> None:
    await face.submit()
    call = face.runs.WatchRun(api.WatchRunRequest(run=RUN, from_sequence=2))
    first = await _next(call)
    assert [event.sequence for event in first.events] == [2]
    await face.bench.succeed("a0", b"v")
    messages = [message async for message in call]
    assert [event.sequence for message in messages for event in message.events] == [3]
    assert messages[-1].ended


async def test_a_watch_of_the_root_tells_of_the_root_only(face: Face) -> None:
    await face.submit()
    await face.children(3)
    call = face.runs.WatchRun(api.WatchRunRequest(run=RUN, root_only=True))
    await _next(call)
    for name in ("c1", "c2", "c3", "a0"):
        await face.bench.succeed(name)
    messages = [message async for message in call]
    assert {event.action for message in messages for event in message.events} == {"a0"}
    assert messages[-1].ended


async def test_phases_of_runs_are_told_from_a_cursor_on(face: Face) -> None:
    await face.submit()
    call = face.runs.WatchRunPhases(api.WatchRunPhasesRequest())
    await face.bench.started("a0")
    running = await _next(call)
    assert [(change.run, change.phase) for change in running.changes] == [(RUN, PHASE_RUNNING)]
    await face.bench.fail("a0", recoverable=False)
    failed = await _next(call)
    assert failed.changes[0].error.code == "ValueError"
    assert failed.cursor > running.cursor
    call.cancel()
    again = face.runs.WatchRunPhases(api.WatchRunPhasesRequest(cursor=running.cursor))
    assert await _next(again) == failed
    again.cancel()


async def test_logs_are_streamed_and_followed_over_attempts(face: Face) -> None:
    request = api.AcceptRunRequest(run=RUN, digest=b"d", task=task(retries=1))
    await face.runs.AcceptRun(request)
    await settle()
    bench = face.bench
    await bench.say(bench.workers.lease_of("a0"), log={"data": b"first"})
    follow = face.runs.StreamLogs(api.StreamLogsRequest(action=_root(), follow=True))
    piece = await _next(follow)
    assert (piece.data, piece.attempt) == (b"first", 1)
    await bench.fail("a0")
    await bench.advance(60)
    await bench.say(bench.workers.lease_of("a0"), log={"data": b"second"})
    piece = await _next(follow)
    assert (piece.data, piece.attempt) == (b"second", 2)
    await bench.succeed("a0")
    with pytest.raises(StopAsyncIteration):
        await _next(follow)
    kept = face.runs.StreamLogs(api.StreamLogsRequest(action=ActionId(run=RUN), attempt=1))
    assert [piece.data async for piece in kept] == [b"first"]


async def test_a_caller_who_leaves_a_stream_leaves_nothing_behind(face: Face) -> None:
    await face.submit()
    call = face.runs.WatchRun(api.WatchRunRequest(run=RUN))
    await _next(call)
    run = next(iter(face.bench.scheduler.engine.runs.values()))
    assert run.watchers
    call.cancel()
    await settle()
    assert not run.watchers


# --- clusters -------------------------------------------------------------------------------------------------------


async def test_the_one_cluster_is_told(face: Face) -> None:
    response = await face.clusters.ListClusters(clusters.ListClustersRequest())
    assert [(cluster.name, cluster.reachable) for cluster in response.clusters] == [("local", True)]
